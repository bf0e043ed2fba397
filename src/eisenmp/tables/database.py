"""The file of a table, open for reading; once per process, however many tables are made of it."""

from __future__ import annotations

import os
from threading import Lock
from weakref import WeakValueDictionary

from ..errors import TableError
from . import label as labels

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any

    from .label import Label

NEEDED = "a SharedTable needs the library lmdb: pip install 'eisenmp[tables]'"


def library() -> Any:
    """The library; TableError where it is missing."""
    try:
        import lmdb
    except ImportError as error:
        raise TableError(NEEDED) from error
    return lmdb


class Database:
    """One open file. It is let go when nobody refers to it any more."""

    def __init__(self, path: str, label: Label, name: str) -> None:
        lmdb = library()
        try:
            # pages are read one by one: a table may be larger than memory, and reading ahead would push out
            # what is in use
            self._environment: Any = lmdb.open(
                path, subdir=False, lock=False, readonly=True, create=False, readahead=False,
                map_size=label.size,
            )  # fmt: skip
            # never ended: it is a view of what never changes
            self._transaction: Any = self._environment.begin()
        except lmdb.Error as error:
            raise TableError(f"{name} cannot be opened: {error}") from error
        self.get: Callable[[bytes], bytes | None] = self._transaction.get

    def close(self) -> None:
        """Nothing can be read any more; what another process has open stays."""
        self._transaction.abort()
        self._environment.close()

    def entries(self) -> Iterator[tuple[bytes, bytes]]:
        with self._transaction.cursor() as cursor:
            yield from cursor

    def raw_keys(self) -> Iterator[bytes]:
        with self._transaction.cursor() as cursor:
            yield from cursor.iternext(values=False)


_open: WeakValueDictionary[tuple[int, int, bytes], Database] = WeakValueDictionary()
_lock = Lock()


def read_label(path: str, name: str) -> Label:
    """What the file says of itself. TableError if it is not what was written; OSError if it is not there."""
    descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_BINARY", 0))
    try:
        label = labels.read(descriptor, name)
        if not labels.is_stamped(descriptor, label):
            # it was copied, or somebody has written into it
            labels.check(descriptor, label, name)
            labels.stamp(path, label)
    finally:
        os.close(descriptor)
    return label


def database(path: str, label: Label, name: str) -> Database:
    """The open file; LMDB allows one view of a file in a process."""
    with _lock:
        try:
            stat = os.stat(path)
            found = _open.get((stat.st_dev, stat.st_ino, label.identity))
            if found is None:
                if stat.st_size < label.size or read_label(path, name).identity != label.identity:
                    raise TableError(f"{name} is not the table any more that it was")
                found = _open[stat.st_dev, stat.st_ino, label.identity] = Database(path, label, name)
        except FileNotFoundError as error:
            raise TableError(f"{name} is gone") from error
        return found


def forget() -> None:
    """In a copy of this process made by os.fork() all is opened anew: LMDB's own state is the other one's."""
    global _lock
    _lock = Lock()
    for known in list(_open.values()):
        known.close()
    _open.clear()
