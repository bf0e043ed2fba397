"""Building the file of a table from a source of any size, in bounded memory.

A source is taken in runs, which are sorted and put in one after the other; what comes later replaces what
came before, as in a dict. A run is small enough for the caches of a processor, since a million keys that lie
about in memory cost more to wait for than to sort, and grows with the table, so that one that is larger than
memory is not gone through too often. A source that is in order is appended to the file.
"""

from __future__ import annotations

import os
from itertools import chain, islice, repeat
from pickle import dumps
from time import time

from ..core.record import NamedTuple
from ..errors import TableError
from ..wire.pickles import Unpicklable
from ..wire.pickles import dumps as dumps_or_blame
from . import label as labels
from .keys import SIZE_MAX, short, stored_keys, with_key
from .label import MAPPING, SET, Label

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from typing import Any

    from .place import Place

RUN_MIN, RUN_MAX = 1 << 22, 1 << 28  #: bytes of memory that a run takes, about
RUN_SHARE = 8  #: a run is at most this part of the table
BATCH_MAX = 1 << 26  #: bytes between two commits
SLICE_MAX = 1 << 22  #: bytes that are taken from a source at once
#: entries that are taken at once: fewer than make the collector of garbage look at all that the program has
ROWS_MIN, ROWS_MAX = 16, 512
OVERHEAD = 150  #: bytes of memory that an entry takes besides its own
MAP_SIZE = 1 << 30
#: pickles of these are as good in protocol 3, which makes them faster, and 9 bytes smaller
PLAIN = frozenset((int, str, float, bool, bytes, type(None)))
PLAIN_PROTOCOL = 3


class Run(NamedTuple):
    """Some entries as bytes, in order, each key once; a set has no bodies."""

    keys: list[bytes]
    bodies: list[bytes]
    size: int


def build(place: Place, source: Iterable[Any], checksum: str, name: str) -> Label:
    """Write the table into the place; returns its label."""
    kind, slices = slices_of(source)
    writer = Writer(place, name)
    try:
        for run in runs(slices, lambda: writer.written // RUN_SHARE):
            writer.put(run)
        entries, size = writer.finish()
    finally:
        writer.close()
    descriptor = place.descriptor
    os.truncate(descriptor, size)
    label = Label(
        size=size,
        entries=entries,
        seconds=int(time()) & ~1,  # what every file system can keep
        identity=os.urandom(16),
        kind=kind,
        crc=labels.sum_up(descriptor, size),
        source=checksum,
    )
    labels.write(descriptor, label)
    return label


# from objects to bytes


def slices_of(source: Iterable[Any]) -> tuple[int, Iterator[tuple[list[bytes], list[bytes]]]]:
    """(MAPPING or SET, its keys and pickled values, some at a time).

    What is neither a mapping nor a set is told by its first item.
    """
    from collections.abc import Mapping, Set

    if isinstance(source, str | bytes | bytearray):
        kind = type(source).__name__
        raise TypeError(f"a table is built from a mapping, a set or an iterable, not from {kind}")
    if type(source) is dict:
        return MAPPING, _of_pairs(iter(source), iter(source.values()))
    if isinstance(source, Mapping):
        return MAPPING, _of_items(iter(source.items()))
    entries = iter(source)
    if isinstance(source, Set):
        return SET, _of_keys(entries)
    first = list(islice(entries, 1))
    entries = chain(first, entries)
    if first and isinstance(first[0], tuple) and len(first[0]) == 2:
        return MAPPING, _of_items(entries)
    return SET, _of_keys(entries)


def _of_keys(keys: Iterator[Any]) -> Iterator[tuple[list[bytes], list[bytes]]]:
    while some := list(islice(keys, ROWS_MAX)):
        yield stored_keys(some), []


def _of_pairs(keys: Iterator[Any], values: Iterator[Any]) -> Iterator[tuple[list[bytes], list[bytes]]]:
    # a dict holds its values anyway
    while some := list(islice(keys, ROWS_MAX)):
        yield stored_keys(some), _dumped(some, list(islice(values, len(some))))


def _of_items(items: Iterator[Any]) -> Iterator[tuple[list[bytes], list[bytes]]]:
    rows = ROWS_MIN
    while some := list(islice(items, rows)):
        for item in some:
            if not isinstance(item, tuple) or len(item) != 2:
                raise TableError(
                    f"a table was begun with pairs of key and value, and then comes {item!r:.60}"
                )
        keys, values = zip(*some, strict=True)
        del some
        bodies = _dumped(keys, values)
        del values
        size = sum(map(len, bodies))
        rows = max(1, rows // 4) if size > SLICE_MAX else min(rows * 2, ROWS_MAX)
        yield stored_keys(keys), bodies


def _dumped(keys: Iterable[Any], values: list[Any] | tuple[Any, ...]) -> list[bytes]:
    if set(map(type, values)) <= PLAIN:
        return list(map(dumps, values, repeat(PLAIN_PROTOCOL)))
    try:
        return list(map(dumps_or_blame, values))
    except Unpicklable:
        # once more, for the key
        return [dumps_or_blame(value, f"table[{key!r:.60}]") for key, value in zip(keys, values, strict=True)]


def _shortened(keys: list[bytes], bodies: list[bytes]) -> list[bytes]:
    """Put long keys under their digests; returns the bodies that then belong to the keys."""
    bodies = bodies or [b""] * len(keys)
    for index, key in enumerate(keys):
        if len(key) > SIZE_MAX:
            keys[index], bodies[index] = short(key), with_key(key, bodies[index])
    return bodies


# from bytes to the file


def runs(slices: Iterable[tuple[list[bytes], list[bytes]]], share: Any) -> Iterator[Run]:
    """The entries in runs, of which one at a time is in memory; `share()` is how large one may be by now."""
    keys: list[bytes] = []
    bodies: list[bytes] = []
    size = 0
    for more, values in slices:
        if max(map(len, more)) > SIZE_MAX:
            values = _shortened(more, values)
        if values or bodies:
            # a set has bodies only from the first long key on
            bodies += repeat(b"", len(keys) - len(bodies))
            bodies += values or repeat(b"", len(more))
        keys += more
        size += sum(map(len, more)) + sum(map(len, values)) + OVERHEAD * len(more)
        if size >= RUN_MIN and size >= min(share(), RUN_MAX):
            yield _in_order(keys, bodies, size)
            keys, bodies, size = [], [], 0
    if keys:
        yield _in_order(keys, bodies, size)


def _in_order(keys: list[bytes], bodies: list[bytes], size: int) -> Run:
    if not bodies:
        return Run(sorted(set(keys)), [], size)
    table = dict(zip(keys, bodies, strict=True))
    ordered = sorted(table)
    return Run(ordered, list(map(table.__getitem__, ordered)), size)


class Writer:
    """Puts runs into an LMDB file. It is written, not mapped: a full disk is an error then, not a signal."""

    def __init__(self, place: Place, name: str) -> None:
        from .database import library

        self.written = 0  #: bytes that were put in
        self._lmdb = library()
        self._place = place
        self._name = name
        self._map_size = MAP_SIZE
        self._last = b""
        self._transaction: Any = None
        self._uncommitted = 0
        self._environment: Any = self._lmdb.open(
            place.address, subdir=False, lock=False, map_size=MAP_SIZE,
            sync=False, metasync=False, readahead=False,
        )  # fmt: skip

    def put(self, run: Run) -> None:
        """Put in what the run holds."""
        keys = run.keys
        try:
            if self._transaction is None:
                self._begin(run.size)
            with self._transaction.cursor() as cursor:
                pairs = zip(keys, run.bodies or repeat(b""), strict=False)
                cursor.putmulti(pairs, append=keys[0] > self._last)
            self._last = max(self._last, keys[-1])
            self.written += run.size
            self._uncommitted += run.size
            if self._uncommitted >= BATCH_MAX:
                self._commit()
        except self._lmdb.Error as error:
            raise self._failed(error) from error

    def _begin(self, size: int) -> None:
        # in the worst case every page is written anew, and the old ones are free only later
        wanted = MAP_SIZE + 4 * (self._used() + size + BATCH_MAX)
        if wanted > self._map_size:
            self._map_size = 2 * wanted
            self._environment.set_mapsize(self._map_size)
        self._transaction = self._environment.begin(write=True)
        self._uncommitted = 0

    def _commit(self) -> None:
        transaction, self._transaction = self._transaction, None
        transaction.commit()

    def _used(self) -> int:
        pages: int = self._environment.info()["last_pgno"] + 1
        return pages * int(self._environment.stat()["psize"])

    def finish(self) -> tuple[int, int]:
        """(entries, bytes in use)."""
        try:
            if self._transaction is None:
                self._begin(0)
            if not self.written:
                # without a change there would be nothing in the file
                self._transaction.put(b"\0", b"")
                self._transaction.delete(b"\0")
            self._commit()
            return self._environment.stat()["entries"], self._used()
        except self._lmdb.Error as error:
            raise self._failed(error) from error

    def _failed(self, error: Any) -> TableError:
        return TableError(f"{self._name} cannot be written: {'the disk is full' if self._full() else error}")

    def _full(self) -> bool:
        # LMDB says so in one case, and calls it an error of the device in another
        free = getattr(os, "fstatvfs", None)
        if free is None:
            return False
        disk = free(self._place.descriptor)
        return bool(disk.f_bavail * disk.f_frsize < self._uncommitted + BATCH_MAX // RUN_SHARE)

    def close(self) -> None:
        if self._transaction is not None:
            self._transaction.abort()
        self._environment.close()
