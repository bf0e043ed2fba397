"""One feed in the ledger on disk: what it sends and gets is noted, what an earlier run settled is known."""

from __future__ import annotations

from ..core.fingerprint import head_digest
from ..core.outcome import UNSENT, Letter, Piece
from ..wire.pickles import Unpicklable, dumps
from .archive import PAGE, LedgerFault

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

    from ..core.ledger import Parcel
    from ..core.outcome import Settled
    from .archive import Archive, FeedEntry
    from .cause import Blame
    from .store import Store


class Books:
    """The feed `number` of a manager. `known` is what an earlier run left, `archive` the way to read it."""

    def __init__(
        self, store: Store, number: int, known: FeedEntry | None = None, archive: Archive | None = None
    ) -> None:
        self._store = store
        self._number = number
        self._known = known
        self._archive = archive
        self._page_start = self._page_end = 0
        self._sizes: dict[int, int] = {}
        self._settled: set[int] = set()
        self._pardoned: dict[int, list[int]] = {}
        self._head = known.head if known is not None else None

    # for the feeder's thread, which may wait

    def settled(self, number: int) -> Settled | None:
        """The ticket as an earlier run has settled it; None when it is to be run."""
        self._turn_to(number)
        if self._archive is None:
            return None
        if number in self._settled:
            return self._archive.settled(self._number, number)
        if number in self._sizes:
            letters = [letter.start for letter in self._archive.letters_of(self._number, number)]
            if letters:
                self._pardoned[number] = letters
        return None

    def rows_of(self, number: int) -> int | None:
        """How many rows the ticket had in an earlier run; None when there was none."""
        self._turn_to(number)
        return self._sizes.get(number)

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
            head = head_digest(rows)
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
        self._store.failed(self._number, number, letter)

    def ended(self, tickets: int, rows: int) -> None:
        """The source is at its end."""
        self._store.ended(self._number, tickets, rows)

    def wait_for_room(self) -> None:
        """Let the writer catch up, if it is far behind."""
        self._store.wait_for_room()

    def close(self) -> None:
        """No more is asked about an earlier run."""
        archive, self._archive = self._archive, None
        if archive is not None:
            archive.close()

    # for the loop, which may not

    def attempt(self, parcel: Parcel) -> None:
        """The chunk, or a piece of it, goes to a worker."""
        self._store.attempt(self._number, parcel.number, parcel.start)

    def done(self, number: int, pieces: Iterable[Piece]) -> None:
        """A ticket is done: one piece, or all those of it that were not given up."""
        self._store.done(self._number, number, pieces, pardoned=self._pardoned.pop(number, ()))

    def gave_up(self, parcel: Parcel, part: int, blame: Blame, *, final: bool) -> None:
        """The chunk, or a piece of it, was given up; `final` when the job goes on."""
        letter = Letter(
            part, parcel.start, parcel.rows, blame.kind, blame.cause, blame.error, blame.traceback_text,
            blame.tail, blame.pid, blame.exitcode, parcel.attempts,
            final=final, body=parcel.body if parcel.piece else None,
        )  # fmt: skip
        self.lost(parcel.number, letter)

    def lost(self, number: int, letter: Letter) -> None:
        """A ticket, or a piece of it, is a dead letter."""
        self._store.failed(self._number, number, letter)

    # inside

    def _turn_to(self, number: int) -> None:
        if self._archive is None or self._page_start <= number < self._page_end:
            return
        self._page_start, self._page_end = number, number + PAGE
        self._sizes, self._settled = self._archive.page(self._number, number)
        if not self._sizes:
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
