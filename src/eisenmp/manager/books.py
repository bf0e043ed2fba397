"""One feed in the ledger on disk: what it sends and gets is noted, what an earlier run settled is known."""

from __future__ import annotations

from ..core.fingerprint import head_digest
from ..core.outcome import UNSENT, Letter, Piece
from ..core.span import Span
from ..wire.pickles import Unpicklable, dumps
from .archive import PAGE, Page
from .tables import SOURCE, LedgerFault

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

    from ..core.ledger import Parcel
    from ..core.outcome import Settled
    from .archive import Archive, FeedEntry
    from .cause import Blame
    from .store import Store

LOAD_MAX = 1 << 20  #: bytes of results that are read at once


class Books:
    """The feed `number` of a manager. `known` is what an earlier run left of it."""

    def __init__(self, store: Store, number: int, known: FeedEntry | None = None) -> None:
        self._store = store
        self._number = number
        self._known = known
        self._archive: Archive | None = None
        self._has_more = known is not None  # there are tickets of an earlier run ahead
        self._page_start = self._page_end = 0
        self._page = Page({}, {})
        self._pardoned: dict[int, list[int]] = {}  # letters that ended an earlier run, by ticket
        self._held: dict[int, list[Letter]] = {}  # of tickets that are not at their end
        self._head = known.head if known is not None else None

    # for the feeder's thread, which may wait

    def settled(self, number: int) -> list[Settled]:
        """The tickets from `number` on as an earlier run has settled them; empty when it is to be run.

        At most `LOAD_MAX` bytes at once, but one in any case.
        """
        self._turn_to(number)
        archive, page = self._archive, self._page
        if archive is None:
            return []
        count, size = 0, 0
        while number + count in page.settled and size <= LOAD_MAX:
            size += page.settled[number + count]
            count += 1
        if count:
            return archive.settled_run(self._number, number, count)
        if number in page.rows:
            letters = [letter.start for letter in archive.letters_of(self._number, number)]
            if letters:
                self._pardoned[number] = letters
        return []

    def rows_of(self, number: int) -> int | None:
        """How many rows the ticket had in an earlier run; None when there was none."""
        self._turn_to(number)
        return self._page.rows.get(number)

    def check(self, number: int, rows: Any) -> None:
        """Refuse a chunk that is not what it was: LedgerFault says so. `rows` is None at the end."""
        count = 0 if rows is None else len(rows)
        before = self.rows_of(number)
        known = self._known
        if before is not None and before != count:
            raise self._changed(f"ticket {number} had {before} rows and has {count}")
        if rows is not None and before is None and known is not None and known.tickets is not None:
            raise self._changed(f"it has more than the {known.rows} rows that it had")
        if number == 0 and rows is not None:
            head = head_digest(rows.head if isinstance(rows, Span) else rows)
            if self._head is None:
                self._store.head(self._number, head)
            elif self._head != head:
                raise self._changed("its first rows are others")
            self._head = head

    def sent(self, number: int, rows: int, body: bytes | None, flags: int = 0) -> None:
        """A chunk was cut and is going to be sent."""
        self._store.sent(self._number, number, rows, flags, body)

    def unsendable(self, number: int, rows: int, error: BaseException) -> None:
        """A chunk whose rows cannot be pickled is a dead letter without rows."""
        self.sent(number, rows, None)
        letter = Letter(0, 0, rows, UNSENT, str(error), _pickled(error))
        self.settle(number, (), (self.timed(number, letter),))

    def ended(self, tickets: int, rows: int) -> None:
        """The source is at its end."""
        self._store.ended(self._number, tickets, rows)

    def source(self, body: bytes) -> int | None:
        """Keep the source that the workers read. How many rows it has, if an earlier run has found that."""
        self._store.fact(f"{SOURCE}{self._number}", body)
        return None if self._known is None else self._known.rows

    def shortened(self, number: int, rows: int) -> None:
        """A ticket has fewer rows than it was sent with: its source has ended."""
        self._store.shortened(self._number, number, rows)

    def cut_back(self, tickets: int) -> None:
        """No ticket was sent from this number on: they lie behind the end of the source."""
        self._store.cut_back(self._number, tickets)

    def wait_for_room(self) -> None:
        """Let the writer catch up, if it is far behind."""
        self._store.wait_for_room()

    def close(self) -> None:
        """No more is asked about an earlier run."""
        archive, self._archive = self._archive, None
        self._has_more = False
        if archive is not None:
            archive.close()

    # for the loop, which may not

    def attempt(self, parcel: Parcel) -> None:
        """The chunk, or a piece of it, goes to a worker."""
        self._store.attempt(self._number, parcel.number, parcel.start)

    def done(self, number: int, pieces: Iterable[Piece]) -> None:
        """A ticket has come to its end: these pieces are done, all others were given up."""
        self.settle(number, pieces, self._held.pop(number, ()))

    def gave_up(self, parcel: Parcel, part: int, blame: Blame, *, final: bool) -> None:
        """The chunk, or a piece of it, was given up; `final` when the job goes on."""
        number = parcel.number
        letter = Letter(
            part, parcel.start, parcel.rows, blame.kind, blame.cause, blame.error, blame.traceback_text,
            blame.tail, blame.pid, blame.exitcode, parcel.attempts,
            final=final, stack=blame.stack, body=parcel.body if parcel.piece else None,
        )  # fmt: skip
        letter = self.timed(number, letter)
        if not final:
            self._store.failed(self._number, number, letter)
        elif parcel.piece:
            # not without the rest of the ticket: it would pass for all there is
            self._held.setdefault(number, []).append(letter)
        else:
            self.settle(number, (), (letter,))

    def timed(self, number: int, letter: Letter) -> Letter:
        """The letter with its times."""
        return self._store.timed(self._number, number, letter)

    def settle(self, number: int, pieces: Iterable[Piece], letters: Iterable[Letter]) -> None:
        """All that came of a ticket, at once."""
        pardoned = self._pardoned.pop(number, ())
        self._store.settle(self._number, number, pieces, letters, pardoned=pardoned)

    # inside

    def _turn_to(self, number: int) -> None:
        if not self._has_more or self._page_start <= number < self._page_end:
            return
        if self._archive is None:
            self._archive = self._store.archive()
        self._page_start, self._page_end = number, number + PAGE
        self._page = self._archive.page(self._number, number)
        if not self._page.rows:
            self.close()

    def _changed(self, how: str) -> LedgerFault:
        return LedgerFault(
            f"{self._store.path}: the source of feed {self._number} is not the one of the ledger: {how}"
        )


def _pickled(error: BaseException) -> bytes | None:
    try:
        return dumps(error)
    except Unpicklable:
        return None
