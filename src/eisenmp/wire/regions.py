"""Memory that two processes map: made by one, whose descriptor is sent over the socket to others.

How to share a region with all workers: `lender.make(size)`, `region.commit(end)`, write into `region.map`,
then `lender.share(region)`: every worker maps it, also one that starts later, before anything that is sent
after it. A pickle of `region.block(offset, size)` is opened over there as a read-only memoryview, without a
copy; what holds that view keeps the map. `lender.drop(region)` ends it.

A region has no name, so that nothing is left of it when the last process that maps it is gone, however that
ended; only where descriptors cannot be sent it is a file with a name, as long as somebody may still open it
(`place`). Its size never shrinks, so that no access fails; pages are taken by `commit`, where it can still be
told that there are none.
"""

from __future__ import annotations

import os
import sys
from itertools import count
from mmap import ACCESS_COPY, ACCESS_DEFAULT, PAGESIZE, mmap
from weakref import WeakValueDictionary, ref

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from .place import Place

SLOTS = 1 << 13  #: blocks that may be lent at once, of a region for results: it starts with a byte for each
GROWTH = 1 << 22  #: bytes that are taken at once, as long as there is that much
WRITE_MAX = 1 << 30  #: bytes; the system's own limit for one call is 2 GiB
MADV_REMOVE = 9
_SEALS = (1033, 0x1 | 0x2 | 0x4)  # F_ADD_SEALS; against more seals, shrinking and growing

_numbers = count(1)
#: the regions that this process maps, by number
mapped: WeakValueDictionary[int, Region] = WeakValueDictionary()


class Hold:
    """A block that somebody may still read here: a view on it, or a pickle that names it."""

    __slots__ = ("__weakref__", "mark", "offset", "on_end", "region", "size")

    def __init__(self, region: Region, offset: int, size: int, on_end: Callable[[Hold], None]) -> None:
        self.region = region
        self.offset = offset
        self.size = size
        self.mark = 0  #: whatever who has made it wants to remember
        #: called in any thread, at any moment: it takes no lock and sends nothing
        self.on_end = on_end

    def __del__(self) -> None:
        self.on_end(self)


def nothing_to_do(hold: Hold) -> None:
    """The end of a block that nobody waits for."""


class Region:
    """Memory that this process maps. `number` names it in all processes of one manager."""

    def __init__(
        self,
        number: int,
        descriptor: int,
        size: int,
        place: Place | None = None,
        *,
        access: int = ACCESS_DEFAULT,
    ) -> None:
        self.number = number
        self.size = size
        self.owner = os.getpid()  #: a copy of the process reads, and gives nothing back
        self.committed = 0  #: bytes from the start that surely have memory behind them
        self.on_end: Callable[[Hold], None] = nothing_to_do  #: of blocks that are first named here
        self.holds: WeakValueDictionary[int, Hold] = WeakValueDictionary()  #: by offset
        self.descriptor = -1
        self.fresh: list[ref[Hold]] | None = None  #: blocks that were first named here, for who asks for them
        self.map = mmap(descriptor, size, access=access)
        self.descriptor = descriptor
        self._place = place
        mapped[number] = self

    @classmethod
    def make(cls, size: int, *, named: bool = False) -> Region:
        """A new region; raises OSError where there is no such thing. It takes no memory yet.

        One that is `named` can be opened by its `path`.
        """
        size = -(-size // PAGESIZE) * PAGESIZE
        # unique among all that one process may map, which has one parent at most
        number = os.getpid() << 32 | next(_numbers)
        descriptor = -1 if named else _in_memory(size)
        if descriptor >= 0:
            return cls._owning(number, descriptor, size)
        from .place import Place

        place = Place(prefix="eisenmp-region-")
        try:
            if not named:
                place.hide()
            os.ftruncate(place.descriptor, size)
            return cls(number, place.descriptor, size, place)
        except BaseException:
            place.release()
            raise

    @classmethod
    def take(cls, number: int, descriptor: int, size: int, *, writable: bool = True) -> Region:
        """The region that a descriptor is for, which is its own from now on.

        What is written by force into one that is not `writable` changes this process's view of it alone.
        """
        known = mapped.get(number)
        if known is not None:
            # a worker in a thread of its manager: it is the manager's own
            os.close(descriptor)
            return known
        return cls._owning(number, descriptor, size, ACCESS_DEFAULT if writable else ACCESS_COPY)

    @classmethod
    def _owning(cls, number: int, descriptor: int, size: int, access: int = ACCESS_DEFAULT) -> Region:
        try:
            return cls(number, descriptor, size, access=access)
        except BaseException:
            os.close(descriptor)
            raise

    @property
    def path(self) -> str:
        """What other processes of this user can open, until the region is closed; "" if there is nothing."""
        return "" if self._place is None else self._place.address

    def commit(self, end: int) -> None:
        """See to it that there is memory up to `end`; OSError, with nothing changed, when it is short."""
        if end <= self.committed:
            return
        ample = min(self.size, max(end, self.committed + GROWTH))
        try:
            _allocate(self.descriptor, self.committed, ample - self.committed)
        except OSError:
            if ample == end:
                raise
            ample = end
            _allocate(self.descriptor, self.committed, ample - self.committed)
        self.committed = ample

    def trim(self, end: int) -> None:
        """Give back the memory behind `end`, where the system can."""
        start = -(-end // PAGESIZE) * PAGESIZE
        if start < self.committed:
            self._give_back(start, self.committed)
            self.committed = start

    def held(self) -> list[Hold]:
        """The blocks that somebody here reads now; others may open and drop some meanwhile."""
        # by the list of references: an iteration over values() fails when another thread drops one
        return [hold for hold in (known() for known in self.holds.valuerefs()) if hold is not None]

    def leave(self) -> None:
        """Who has written here is gone: give back the memory of all blocks that are not held here."""
        start = 0
        for hold in sorted(self.held(), key=lambda hold: hold.offset):
            self._give_back(start, hold.offset)
            start = hold.offset + hold.size
        self._give_back(start, self.size)

    def _give_back(self, start: int, stop: int) -> None:
        start, stop = -(-start // PAGESIZE) * PAGESIZE, stop // PAGESIZE * PAGESIZE
        if sys.platform == "linux" and start < stop:
            try:
                self.map.madvise(MADV_REMOVE, start, stop - start)
            except OSError:
                return  # not every file system can make a hole

    def block(self, offset: int, size: int) -> Block:
        """What can be pickled, and is a read-only memoryview of these bytes where it is opened."""
        return Block(self.number, offset, size)

    def hold(self, offset: int, size: int) -> Hold:
        """The one hold on this block here."""
        hold = self.holds.get(offset)
        if hold is None:
            hold = self.holds[offset] = Hold(self, offset, size, self.on_end)
            if self.fresh is not None:
                self.fresh.append(ref(hold))
        return hold

    def view(self, hold: Hold, *, writable: bool = False) -> memoryview:
        """The bytes of the block; whatever is made of the view, such as an array, keeps the block."""
        from ctypes import c_char

        # the object that all views on views come down to, and that can have an attribute
        exporter: Any = (c_char * hold.size).from_buffer(self.map, hold.offset)
        exporter.hold = hold
        view = memoryview(exporter).cast("B")
        return view if writable else view.toreadonly()

    def hide(self) -> None:
        """Nobody will open it by its path any more."""
        if self._place is not None:
            self._place.hide()

    def __del__(self) -> None:
        self.close()

    def close(self) -> None:
        """Send it to nobody any more; the memory goes when no view on it is left."""
        descriptor, self.descriptor = self.descriptor, -1
        if descriptor < 0:
            return
        if self._place is not None:
            self._place.release()
        else:
            os.close(descriptor)


class Block:
    """Some bytes of a region, to be pickled."""

    def __init__(self, number: int, offset: int, size: int) -> None:
        self._place = (number, offset, size)

    def __reduce__(self) -> tuple[Any, ...]:
        return block, self._place


def block(number: int, offset: int, size: int) -> memoryview:
    """The bytes of a region that this process maps."""
    region = region_of(number)
    return region.view(region.hold(offset, size))


def region_of(number: int) -> Region:
    """The region that this process maps under the number; raises LookupError when it does not."""
    region = mapped.get(number)
    if region is None:
        raise LookupError("this pickle names shared memory that this process does not have")
    return region


def _in_memory(size: int) -> int:
    """The descriptor of a file in memory that has no name; -1 where there is no such thing."""
    create: Callable[..., int] | None = getattr(os, "memfd_create", None)
    if create is None or sys.platform == "win32":
        return -1
    import fcntl

    descriptor = create("eisenmp", 0x1 | 0x2)  # MFD_CLOEXEC, MFD_ALLOW_SEALING
    try:
        os.ftruncate(descriptor, size)
        fcntl.fcntl(descriptor, *_SEALS)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def _allocate(descriptor: int, start: int, size: int) -> None:
    allocate: Callable[[int, int, int], None] | None = getattr(os, "posix_fallocate", None)
    if allocate is not None:
        allocate(descriptor, start, size)
        return
    zeros = memoryview(bytes(min(size, GROWTH)))
    for offset in range(start, start + size, GROWTH):
        write_at(descriptor, zeros[: start + size - offset], offset)


def write_at(descriptor: int, data: memoryview, offset: int) -> None:
    """Write all of it there; by one thread at a time."""
    write: Callable[[int, memoryview, int], int] | None = getattr(os, "pwrite", None)
    while data:
        if write is not None:
            written = write(descriptor, data[:WRITE_MAX], offset)
        else:
            os.lseek(descriptor, offset, os.SEEK_SET)
            written = os.write(descriptor, data[:WRITE_MAX])
        data, offset = data[written:], offset + written
