"""The file of a table, mapped for reading; once per process, however many tables are made of it."""

from __future__ import annotations

import os
from mmap import ACCESS_READ, mmap
from threading import Lock
from weakref import WeakValueDictionary
from zlib import crc32

from ..errors import TableError
from . import label as labels
from .blocks import blocks
from .keys import end_of_key

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from .label import Label


class MappedTable:
    """One file as the arrays that a look-up reads. It is let go when nobody refers to it any more."""

    def __init__(self, descriptor: int, label: Label) -> None:
        self.label = label
        self.data = mmap(descriptor, label.size, access=ACCESS_READ)
        self.view = memoryview(self.data)
        end = label.index_at + label.width * label.places
        self.index: memoryview[int] = self.view[label.index_at : end].cast("I" if label.width == 4 else "Q")
        self.mask = label.places - 1

    def entries(self) -> Iterator[tuple[bytes, bytes]]:
        """(key, pickled value), as they came; a copy of a block at a time."""
        replaced = self.label.records > self.label.entries
        for block in blocks(self.data, labels.START, self.label.blocks_end):
            first = block.first
            records = self.data[first : block.end]
            starts = block.starts()
            start = next(starts) - first
            for end in starts:
                split = end_of_key(records, start)
                raw = records[start:split]
                if not replaced or self.find(raw) == first + split:
                    yield raw, records[split : end - first]
                start = end - first

    def find(self, raw: bytes) -> int:
        """Where the value of a key lies, which is behind it; 0 when it is not there."""
        mask, index = self.mask, self.index
        at = crc32(raw) & mask
        while start := index[at]:
            end = start + len(raw)
            if self.data[start:end] == raw:
                return end
            at = at + 1 & mask
        return 0


_open: WeakValueDictionary[tuple[int, int, bytes], MappedTable] = WeakValueDictionary()
_lock = Lock()


def mapped(path: str, name: str, identity: bytes | None = None) -> MappedTable:
    """The table in the file; TableError if it is not what was written, or another one than `identity`.

    OSError if it is not there. A file that was copied, or that somebody has written into, is read in full.
    """
    descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_BINARY", 0))
    try:
        label = labels.read(descriptor, name)
        if not labels.is_stamped(descriptor, label):
            labels.check(descriptor, label, name)
            labels.stamp(path, label)
        if identity is not None and label.identity != identity:
            raise TableError(f"{name} is not the one that was sent: another one was built in its place")
        stat = os.fstat(descriptor)
        key = stat.st_dev, stat.st_ino, label.identity
        with _lock:
            found = _open.get(key)
            if found is None:
                try:
                    found = _open[key] = MappedTable(descriptor, label)
                except (OSError, ValueError, MemoryError) as error:
                    raise TableError(f"{name} cannot be mapped: {error}") from error
        return found
    finally:
        os.close(descriptor)


def _after_fork() -> None:
    # another thread of the other process may hold it
    global _lock
    _lock = Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
