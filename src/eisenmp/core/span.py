"""Which rows a ticket has, where workers read the source by themselves: a few numbers instead of the rows."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


class Span:
    """`rows` rows of a source, from its row `start` on. Has a length, and slices that are spans too.

    `place` says where the source has them; it is the same for a slice. `head` is what tells the source from
    others, for whoever compares two runs; it does not travel. `lease` is that of the chunk, in the worker
    that has it.
    """

    __slots__ = ("head", "lease", "place", "rows", "start")

    def __init__(self, start: int, rows: int, place: tuple[int, ...] = (), head: Any = None) -> None:
        self.start = start
        self.rows = rows
        self.place = place
        self.head = head
        self.lease = 0

    def __len__(self) -> int:
        return self.rows

    def __getitem__(self, part: slice) -> Span:
        first, last, _ = part.indices(self.rows)
        return Span(self.start + first, max(0, last - first), self.place)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Span):
            return NotImplemented
        return (self.start, self.rows, self.place) == (other.start, other.rows, other.place)

    def __hash__(self) -> int:
        return hash((self.start, self.rows, self.place))

    def __reduce__(self) -> tuple[type[Span], tuple[int, int, tuple[int, ...]]]:
        return Span, (self.start, self.rows, self.place)

    def __repr__(self) -> str:
        return f"<rows {self.start} to {self.start + self.rows} of the source>"
