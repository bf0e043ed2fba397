"""A region that this process gives blocks of to others."""

from __future__ import annotations

from ..core.blocks import Blocks

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .regions import Region


class Arena:
    """Copies buffers into blocks of a region; whoever calls sees to it that one thread does so at a time."""

    def __init__(self, region: Region, start: int = 0) -> None:
        self.region = region
        self.shortage = ""  #: why a buffer could not be put, the last time
        self._blocks = Blocks(start, region.size)

    def put(self, raw: memoryview) -> int | None:
        """The offset of a block with these bytes; None when there is no room for it."""
        size = raw.nbytes
        offset = self._blocks.take(size)
        if offset is None:
            self.shortage = "shared_memory_max is used up"
            return None
        try:
            self.region.commit(offset + size)
        except OSError as error:
            self._blocks.free(offset)
            self.shortage = f"there is no memory: {error.strerror}"
            return None
        self.region.map[offset : offset + size] = raw
        return offset

    def free(self, offset: int) -> None:
        """Nobody reads the block any more."""
        self._blocks.free(offset)

    def trim(self, keep: int) -> None:
        """Give memory back that is not needed now, but for so many bytes from the start."""
        self.region.trim(max(keep, self._blocks.end))
