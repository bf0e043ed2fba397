"""Which bytes of a region are given out: blocks that do not overlap, from the lowest free place on.

Low places are used again first, so that few pages are touched, and those are likely to be in a cache.
"""

from __future__ import annotations

from bisect import bisect_left

ALIGNMENT = 64


class Blocks:
    """Gives out blocks between `start` and `stop`."""

    def __init__(self, start: int, stop: int) -> None:
        self.used = 0  #: bytes that are given out
        self._taken: dict[int, int] = {}
        # the free gaps, in order: none touches the next one
        self._starts = [start]
        self._stops = [stop]

    def take(self, size: int) -> int | None:
        """The offset of a block of so many bytes; None when no gap is large enough."""
        size = max(ALIGNMENT, -(-size // ALIGNMENT) * ALIGNMENT)
        for index, start in enumerate(self._starts):
            if self._stops[index] - start >= size:
                break
        else:
            return None
        if self._stops[index] - start == size:
            del self._starts[index], self._stops[index]
        else:
            self._starts[index] = start + size
        self._taken[start] = size
        self.used += size
        return start

    def free(self, offset: int) -> None:
        """The block is not needed any more; raises KeyError for one that is not given out."""
        size = self._taken.pop(offset)
        self.used -= size
        stop = offset + size
        index = bisect_left(self._starts, offset)
        before = index > 0 and self._stops[index - 1] == offset
        behind = index < len(self._starts) and self._starts[index] == stop
        if before and behind:
            self._stops[index - 1] = self._stops.pop(index)
            del self._starts[index]
        elif before:
            self._stops[index - 1] = stop
        elif behind:
            self._starts[index] = offset
        else:
            self._starts.insert(index, offset)
            self._stops.insert(index, stop)

    @property
    def end(self) -> int:
        """Where the last block ends; 0 when none is given out."""
        if not self._taken:
            return 0
        last = max(self._taken)
        return last + self._taken[last]

    @property
    def gaps(self) -> list[tuple[int, int]]:
        """What is free, as (start, stop), in order."""
        return list(zip(self._starts, self._stops, strict=True))
