"""A generator of which each worker runs a copy of its own, and takes the rows of its own tickets."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Sequence
from itertools import chain, islice

from ..core.chunk import is_sliceable
from ..core.record import NamedTuple
from ..errors import EisenmpError
from ..wire.pickles import loads
from .loader import Source, load
from .mark import mark_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from ..core.span import Span
    from .stocks import Teller

BLOCK = 256  #: rows that are taken from the generator at once
_END = object()


class Replica(NamedTuple):
    """The generator: how to call it; there is a mark for one of each `stride` rows."""

    source: Source
    arguments: bytes  #: pickled (args, kwargs)
    stride: int

    def open(self, teller: Teller) -> Copy:
        return Copy(self, teller)


class Copy:
    """Runs the generator as far as it is asked for, and anew when it is asked for what lies behind.

    `end`: the source has no more rows than this, if that is known.
    """

    def __init__(self, replica: Replica, teller: Teller) -> None:
        self._replica = replica
        self._teller = teller
        self.lock = threading.RLock()  #: for the `Rows` of it too: another thread may have them kept
        self._iterator: Iterator[Any] | None = None
        self._sequence: Any = None
        self._position = 0
        self._current: Rows | None = None
        self._closed = False
        self.end: int | None = None

    def rows(self, span: Span, lazily: bool) -> Any:
        """The rows: a `Rows`, a list, or a slice of what the function returns, if that can be sliced."""
        with self.lock:
            if self.end is not None and span.start >= self.end:
                return None
            current = self._current  # the thread that reads them may let go of them meanwhile
            if current is not None:
                current.keep()
                self._current = None
            if self._iterator is None and self._sequence is None:
                self._begin()
            if self._sequence is not None:
                return self._slice(span)
            rows = Rows(self, span)
            if not rows.fetch():
                return None
            if not lazily:
                return list(rows)
            self._current = rows
            return rows

    def show(self, span: Span) -> Rows:
        """The rows, of which none is made before it is looked at."""
        return Rows(self, span)

    def settle(self) -> None:
        rows, self._current = self._current, None
        if rows is not None:
            rows.pass_over()

    def let_go(self) -> None:
        """The rows that were given out last are of no interest any more."""
        self._current = None

    def close(self) -> None:
        with self.lock:
            self._closed = True
            self._sequence = None
            self._end_iterator()

    # the generator

    def _begin(self) -> None:
        if self._closed:
            raise EisenmpError("the rows of a ticket can be read while its feed runs")
        self._end_iterator()
        args, keywords = loads(self._replica.arguments)
        found: Any = load(self._replica.source)(*args, **keywords)
        if is_sliceable(found):
            self._sequence = found
        else:
            self._iterator = iter(found)
        self._position = 0

    def _end_iterator(self) -> None:
        close = getattr(self._iterator, "close", None)
        self._iterator = None
        if close is not None:
            close()

    def take(self, position: int, count: int, lease: int) -> list[Any]:
        """The rows from `position` on, fewer than `count` at the end, and none where nobody wants them.

        What the generator raises is told, and raised.
        """
        block: list[Any] = []
        with self.lock:
            if self._iterator is None and self._sequence is None:
                self._begin()
            if self._sequence is not None:
                return list(self._sequence[position : position + count])
            if not self._seek(position, lease):
                return block
            try:
                # extend() keeps what came before the source raised
                block.extend(islice(self._iterator or (), count))
            except (Exception, SystemExit) as error:
                self._failed(position + len(block), error, exact=True)
                if isinstance(error, SystemExit):
                    raise EisenmpError(f"the generator raised {error!r}") from error
                raise
            stride = self._replica.stride
            for row in range(-position % stride, len(block), stride):
                self._teller.mark((position + row) // stride, mark_of(block[row]))
            self._position += len(block)
            if len(block) < count:
                self._ended(self._position)
        return block

    def _seek(self, position: int, lease: int) -> bool:
        """Pass over rows until `position` comes next; False when there is none, or nobody wants it."""
        if self._iterator is None or position < self._position:
            self._begin()
        stride, iterator = self._replica.stride, self._iterator
        assert iterator is not None
        while self._position < position:
            if self._teller.unwanted(lease):
                return False
            marked = -(-self._position // stride) * stride
            until = min(marked, position)
            try:
                passed = until - self._position
                # one row of many at the speed of C
                if passed and next(islice(iterator, passed - 1, passed), _END) is _END:
                    self._ended(until)
                    return False
                self._position = until
                if until == marked and until < position:
                    row = next(iterator, _END)
                    if row is _END:
                        self._ended(until)
                        return False
                    self._teller.mark(marked // stride, mark_of(row))
                    self._position += 1
            except (Exception, SystemExit) as error:
                row = self._row_of_failure(until)
                self._failed(until if row is None else row, error, exact=row is not None)
                return False
        return True

    def _row_of_failure(self, rows_max: int) -> int | None:
        """Which row it is that raised, by a new run; None when that does not raise so soon."""
        rows = 0
        try:
            self._begin()
            for _ in islice(self._iterator or (), rows_max + 1):
                rows += 1
        except (Exception, SystemExit):
            return rows
        return None

    def _ended(self, rows: int) -> None:
        self.end = rows if self.end is None else min(self.end, rows)
        # rows before the end are asked for by a new run
        self._iterator = None
        self._teller.ended(rows)

    def _failed(self, row: int, error: BaseException, *, exact: bool) -> None:
        self._iterator = None
        self._teller.failed(row, error, exact=exact)

    def _slice(self, span: Span) -> Any:
        sequence, stride = self._sequence, self._replica.stride
        rows = sequence[span.start : span.start + span.rows]
        # the mark before is another worker's, most likely
        first = max(0, (span.start - 1) // stride)
        stop = min(span.start + len(rows), len(sequence))
        for number in range(first, -(-stop // stride)):
            self._teller.mark(number, mark_of(sequence[number * stride]))
        if len(rows) < span.rows:
            self.end = len(sequence)
            self._teller.ended(self.end)
        return rows if len(rows) else None


class Rows(Sequence[object]):
    """The rows of a ticket, taken from the generator while they are iterated over.

    A sequence: its length and its items can be asked for, which takes as much memory as a list of the rows.
    To iterate a second time runs the generator a second time, unless the length was asked for before.
    """

    def __init__(self, copy: Copy, span: Span) -> None:
        self._copy = copy
        self._span = span
        self._fetched = 0
        self._waiting: deque[list[Any]] = deque()  # blocks that were taken and not given out
        self._all: list[Any] | None = None
        self._begun = False
        self._over = False

    def fetch(self) -> bool:
        """Take the next block; False at the end."""
        with self._copy.lock:
            if self._over:
                return False
            left = self._span.rows - self._fetched
            # few at first: a generator may take its time for each
            count = min(left, max(1, self._fetched), BLOCK)
            block = self._copy.take(self._span.start + self._fetched, count, self._span.lease)
            self._fetched += len(block)
            self._over = len(block) < count or count == left
            if block:
                self._waiting.append(block)
            return bool(block)

    def keep(self) -> None:
        """Take the rest into memory."""
        with self._copy.lock:
            while self.fetch():
                pass
            if not self._begun and self._all is None:
                self._all = list(chain.from_iterable(self._waiting))
                self._waiting.clear()

    def pass_over(self) -> None:
        """Nobody reads the rest; what the generator raises has been told."""
        if not self._over:
            with self._copy.lock:
                try:
                    while not self._over and self.fetch():
                        self._waiting.clear()
                except (Exception, SystemExit):
                    self._over = True
        if self._all is None:
            self._begun = True

    def _blocks(self) -> Iterator[list[Any]]:
        while self._waiting or self.fetch():
            yield self._waiting.popleft()

    def __iter__(self) -> Iterator[Any]:
        with self._copy.lock:
            begins = self._all is None and not self._begun
            self._begun = self._begun or begins
        if begins:
            return chain.from_iterable(self._blocks())
        return iter(self._list())

    def _list(self) -> list[Any]:
        if self._all is None:
            if self._begun:
                again = Rows(self._copy, self._span)
                again.keep()
                self._all = again._all or []
            else:
                self.keep()
        return self._all if self._all is not None else []

    def __len__(self) -> int:
        self.keep()
        return self._fetched

    def __getitem__(self, index: Any) -> Any:
        return self._list()[index]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and not isinstance(other, str) and self._list() == list(other)

    __hash__ = None  # type: ignore[assignment]

    def __reduce__(self) -> tuple[type[list[Any]], tuple[list[Any]]]:
        return list, (self._list(),)

    def __repr__(self) -> str:
        return f"<rows {self._span.start} to {self._span.start + self._span.rows} of a generator>"
