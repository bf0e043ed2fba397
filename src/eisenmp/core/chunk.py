"""Cutting rows into chunks, and the STOP row that ends a feeder of 1.0."""

from __future__ import annotations

from itertools import islice

from .record import NamedTuple
from .ticket import Ticket

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from typing import Any

STOP_TEXT = "STOP"


class Chunk(NamedTuple):
    """What a worker takes: the ticket and the rows (a list, or a slice of the sequence that was fed)."""

    ticket: Ticket
    rows: Any


class StopRow(str):
    """The last row of the last chunk of a feeder of 1.0. Equals any 'STOP', so that old workers see it."""

    __slots__ = ()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, StopMessage) or str.__eq__(self, other) is True

    def __ne__(self, other: object) -> bool:
        return not self == other

    __hash__ = str.__hash__

    def __str__(self) -> str:
        # not a plain 'STOP': `toolbox.STOP_MSG in str(row)` must still find it
        return self

    def __contains__(self, part: object) -> bool:
        return isinstance(part, StopMessage) or (isinstance(part, str) and str.__contains__(self, part))

    def __reduce__(self) -> tuple[type[StopRow], tuple[str]]:
        return StopRow, (STOP_TEXT,)


class StopMessage(str):
    """`toolbox.STOP_MSG`: equals a STOP row and nothing that a user could have fed.

    Its characters are no text that users write, so that `toolbox.STOP_MSG in 'NONSTOP'` is false too;
    it is shown and formatted as 'STOP'.
    """

    __slots__ = ()

    def __new__(cls) -> StopMessage:
        return super().__new__(cls, "\0STOP\0")

    def __eq__(self, other: object) -> bool:
        return isinstance(other, StopRow | StopMessage)

    def __ne__(self, other: object) -> bool:
        return not self == other

    def __hash__(self) -> int:
        return hash(STOP_TEXT)

    def __str__(self) -> str:
        return STOP_TEXT

    def __repr__(self) -> str:
        return repr(STOP_TEXT)

    def __format__(self, spec: str) -> str:
        return format(STOP_TEXT, spec)

    def __reduce__(self) -> tuple[type[StopMessage], tuple[()]]:
        return StopMessage, ()


STOP_ROW = StopRow(STOP_TEXT)
STOP_MSG = StopMessage()


def is_sliceable(rows: object) -> bool:
    """Whether chunks of `rows` are its slices. Text, mappings and data frames are iterated instead."""
    if isinstance(rows, list | tuple | range | bytes | bytearray | memoryview):
        return True
    if isinstance(rows, str) or hasattr(rows, "keys") or hasattr(rows, "iloc"):
        return False
    if not (hasattr(rows, "__len__") and hasattr(rows, "__getitem__")):
        return False
    try:
        return len(rows[0:0]) == 0
    except (TypeError, ValueError, LookupError, AttributeError, NotImplementedError, AssertionError):
        return False


def rows_total(rows: object) -> int | None:
    """How many rows there are, when that is known without consuming them."""
    try:
        return len(rows)  # type: ignore[arg-type]
    except TypeError:
        return None


NONE: list[Any] = []  #: nobody puts anything in


class Cutter:
    """Cuts rows into chunks of a size that may change from chunk to chunk.

    Raises TypeError when `rows` is not iterable.
    """

    __slots__ = ("_iterator", "_position", "_sequence", "partial")

    def __init__(self, rows: Iterable[Any]) -> None:
        self._sequence: Any = rows if is_sliceable(rows) else None
        self._position = 0
        self._iterator: Iterator[Any] = iter(()) if self._sequence is not None else iter(rows)
        self.partial: list[Any] = []  #: rows of the chunk during whose cutting the source raised

    def cut(self, size: int) -> Any:
        """The next chunk of at most `size` rows; None at the end."""
        if self._sequence is not None:
            rows = self._sequence[self._position : self._position + size]
            self._position += size
            return rows if len(rows) else None
        partial: list[Any] = []
        self.partial = partial
        # extend() keeps what came before the source raised, list(islice()) would lose it
        partial.extend(islice(self._iterator, size))
        self.partial = NONE
        return partial or None

    def skip(self, size: int) -> int:
        """Leave out the next chunk of `size` rows; returns how many there were. A sequence is not touched."""
        if self._sequence is None:
            return len(self.cut(size) or ())
        there = max(0, min(size, len(self._sequence) - self._position))
        self._position += size
        return there

    def rows(self, count: int) -> Iterator[Any]:
        """The next `count` rows of a source that is iterated, for one who makes a chunk of them."""
        return islice(self._iterator, count)

    @property
    def sliced(self) -> bool:
        return self._sequence is not None

    def close(self) -> None:
        """Call the generator's `close()`, if it has one."""
        close = getattr(self._iterator, "close", None)
        if close is not None:
            close()


def chunks_expected(total: int, rows_max: int, *, listed: bool) -> int:
    """How many tickets `total` rows make; 1.0's door sends one more list when the last one is full."""
    return total // rows_max + 1 if listed else -(-total // rows_max)
