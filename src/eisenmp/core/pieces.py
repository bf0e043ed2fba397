"""A ticket whose chunk was cut: what became of each piece, until all of them have come to their end."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

FAILED = object()


class Pieces:
    """Takes the pieces of one chunk with `rows` rows, as they end; whole when no row is missing."""

    __slots__ = ("_ends", "_missing")

    def __init__(self, rows: int) -> None:
        self._missing = rows
        self._ends: dict[int, tuple[int, Any]] = {}  # by first row: how many rows, and the outputs

    def add(self, start: int, rows: int, outputs: Any) -> bool:
        """A piece is done, or given up (FAILED); True when it was the last one."""
        if start not in self._ends:
            self._ends[start] = (rows, outputs)
            self._missing -= rows
        return self._missing <= 0

    def shorten(self, rows: int) -> bool:
        """The chunk has only so many rows: pieces behind them never were. True when no row is missing."""
        self._ends = {
            start: (min(count, rows - start), outputs)
            for start, (count, outputs) in self._ends.items()
            if start < rows
        }
        self._missing = rows - sum(count for count, _ in self._ends.values())
        return self._missing <= 0

    def part(self, start: int) -> int:
        """The number of the piece that starts at this row, counted from 1 in the order of the rows."""
        return 1 + sum(first < start for first in list(self._ends))  # the loop may add some meanwhile

    def done(self) -> list[tuple[int, int, int, Any]]:
        """(part, start, rows, outputs) of the pieces that are done, in the order of the rows."""
        return [
            (part, start, *self._ends[start])
            for part, start in enumerate(sorted(self._ends), 1)
            if self._ends[start][1] is not FAILED
        ]
