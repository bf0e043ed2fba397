"""Building the file of a table from a source of any size, in bounded memory.

LMDB takes keys fastest when they come in order. A source is taken in runs that fit into memory; each is
sorted and put in, and what comes later replaces what came before, as in a dict. Sorting a million keys that
lie about in memory is mostly waiting for memory: they are shared out by two of their bytes first, which
halves that.
"""

from __future__ import annotations

import os
from collections import defaultdict
from itertools import chain, islice, repeat
from pickle import dumps
from time import time

from ..errors import TableError
from ..wire.pickles import PROTOCOL
from ..wire.pickles import dumps as dumps_or_blame
from . import label as labels
from .keys import SIZE_MAX, short, stored_keys, with_key
from .label import MAPPING, SET, Label

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from typing import Any

    from .place import Place

RUN_MAX = 1 << 28  #: bytes of a run, about
BATCH_MAX = 1 << 26  #: bytes between two commits
SLICE_MIN, SLICE_MAX = 1 << 20, 1 << 23  #: bytes that are taken from a source at once
ROWS_MAX = 1 << 16  #: entries that are taken at once
OVERHEAD = 100  #: bytes of memory that an entry takes besides its own
MAP_SIZE = 1 << 30
#: pickles of these are as good in protocol 3, which makes them faster, and 9 bytes smaller
PLAIN = frozenset((int, str, float, bool, bytes, type(None)))
PLAIN_PROTOCOL = 3


def build(place: Place, source: Iterable[Any], checksum: str, name: str) -> Label:
    """Write the table into the place; returns its label."""
    kind, items = entries_of(source)
    writer = Writer(place, name)
    try:
        for run in runs(items, kind):
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


def entries_of(source: Iterable[Any]) -> tuple[int, Iterator[Any]]:
    """(MAPPING, pairs) or (SET, keys). What is neither a mapping nor a set is told by its first item."""
    from collections.abc import Mapping, Set

    if isinstance(source, Mapping):
        return MAPPING, iter(source.items())
    if isinstance(source, str | bytes | bytearray):
        raise TypeError(
            f"a table is built from a mapping, a set or an iterable, not from {type(source).__name__}"
        )
    entries = iter(source)
    if isinstance(source, Set):
        return SET, entries
    first = list(islice(entries, 1))
    kind = MAPPING if first and isinstance(first[0], tuple) and len(first[0]) == 2 else SET
    return kind, chain(first, entries)


class Run:
    """Entries as bytes, in the order in which they came."""

    def __init__(self) -> None:
        self.keys: list[bytes] = []
        self.bodies: list[bytes] = []
        self.size = 0

    def add(self, keys: list[bytes], bodies: list[bytes]) -> int:
        """Take in some; returns how many bytes that were. A set has bodies only where a key is long."""
        if max(map(len, keys)) > SIZE_MAX:
            bodies = _shortened(keys, bodies)
        if bodies or self.bodies:
            self.bodies += repeat(b"", len(self.keys) - len(self.bodies))
            self.bodies += bodies or repeat(b"", len(keys))
        self.keys += keys
        added = sum(map(len, keys)) + sum(map(len, bodies))
        self.size += added + OVERHEAD * len(keys)
        return added


def _shortened(keys: list[bytes], bodies: list[bytes]) -> list[bytes]:
    """Put long keys under their digests; returns the bodies that then belong to the keys."""
    bodies = bodies or [b""] * len(keys)
    for index, key in enumerate(keys):
        if len(key) > SIZE_MAX:
            keys[index], bodies[index] = short(key), with_key(key, bodies[index])
    return bodies


def runs(entries: Iterator[Any], kind: int) -> Iterator[Run]:
    """The entries as runs, of which one at a time is in memory."""
    run, rows = Run(), 256
    while items := list(islice(entries, rows)):
        if kind == MAPPING:
            keys, values = _unzip(items)
            taken = stored_keys(keys)
            bodies = _dumped(keys, values)
        else:
            taken, bodies = stored_keys(items), []
        size = run.add(taken, bodies)
        del items
        if size < SLICE_MIN:
            rows = min(rows * 4, ROWS_MAX)
        elif size > SLICE_MAX:
            rows = max(rows // 4, 1)
        if run.size >= RUN_MAX:
            yield run
            run = Run()
    if run.keys:
        yield run


def _unzip(items: list[Any]) -> tuple[Any, Any]:
    for item in items:
        if not isinstance(item, tuple) or len(item) != 2:
            raise TableError(f"a table was begun with pairs of key and value, and then comes {item!r:.60}")
    return zip(*items, strict=True)  # type: ignore[return-value]


def _dumped(keys: Iterable[Any], values: tuple[Any, ...]) -> list[bytes]:
    protocol = PLAIN_PROTOCOL if set(map(type, values)) <= PLAIN else PROTOCOL
    if protocol == PLAIN_PROTOCOL:
        return list(map(dumps, values, repeat(protocol)))
    return [dumps_or_blame(value, f"table[{key!r:.60}]") for key, value in zip(keys, values, strict=True)]


def in_order(run: Run) -> Iterator[tuple[list[bytes], Iterable[bytes]]]:
    """The entries of a run, sorted, each key once, in many small parts; the run is used up."""
    keys, bodies = run.keys, run.bodies
    low, high = min(keys), max(keys)
    start = next(
        (at for at, (one, other) in enumerate(zip(low, high, strict=False)) if one != other), len(low)
    )
    end = start + 2
    if bodies:
        tables: defaultdict[bytes, dict[bytes, bytes]] = defaultdict(dict)
        for key, body in zip(keys, bodies, strict=True):
            tables[key[start:end]][key] = body
        run.keys, run.bodies = [], []
        del keys, bodies
        for part in sorted(tables):
            table = tables.pop(part)
            ordered = sorted(table)
            yield ordered, map(table.__getitem__, ordered)
        return
    parts: defaultdict[bytes, list[bytes]] = defaultdict(list)
    for key in keys:
        parts[key[start:end]].append(key)
    run.keys = []
    del keys
    for part in sorted(parts):
        yield sorted(dict.fromkeys(parts.pop(part))), repeat(b"")


class Writer:
    """Puts runs into an LMDB file. It is written, not mapped: a full disk is an error then, not a signal."""

    def __init__(self, place: Place, name: str) -> None:
        from .database import library

        self._lmdb = library()
        self._name = name
        self._size = MAP_SIZE
        self._last = b""
        self._environment: Any = self._lmdb.open(
            place.address, subdir=False, lock=False, map_size=self._size,
            sync=False, metasync=False, readahead=False,
        )  # fmt: skip

    def put(self, run: Run) -> None:
        """Put in what the run holds."""
        parts = in_order(run)
        try:
            while self._put_some(parts):
                continue
        except self._lmdb.Error as error:
            raise TableError(f"{self._name} cannot be written: {_reason(error)}") from error

    def _put_some(self, parts: Iterator[tuple[list[bytes], Iterable[bytes]]]) -> bool:
        """One transaction; False when there was nothing to do."""
        batch: list[tuple[list[bytes], Iterable[bytes]]] = []
        size = 0
        for keys, bodies in parts:
            held = bodies if isinstance(bodies, repeat) else list(bodies)
            batch.append((keys, held))
            size += sum(map(len, keys)) + OVERHEAD * len(keys)
            if isinstance(held, list):
                size += sum(map(len, held))
            if size >= BATCH_MAX:
                break
        if not batch:
            return False
        self._make_room(size)
        with self._environment.begin(write=True) as transaction, transaction.cursor() as cursor:
            for keys, bodies in batch:
                appends = keys[0] > self._last
                cursor.putmulti(zip(keys, bodies, strict=False), append=appends)
                self._last = max(self._last, keys[-1])
        return True

    def _make_room(self, size: int) -> None:
        # in the worst case every page is written anew, and the old ones are free only later
        used = (self._environment.info()["last_pgno"] + 1) * self._environment.stat()["psize"]
        wanted = 4 * (used + size) + MAP_SIZE
        if wanted > self._size:
            self._size = 2 * wanted
            self._environment.set_mapsize(self._size)

    def finish(self) -> tuple[int, int]:
        """(entries, bytes in use)."""
        stat = self._environment.stat()
        if not stat["entries"]:
            # without a commit there is nothing in the file
            with self._environment.begin(write=True) as transaction:
                transaction.put(b"\0", b"")
                transaction.delete(b"\0")
            stat = self._environment.stat()
        return stat["entries"], (self._environment.info()["last_pgno"] + 1) * stat["psize"]

    def close(self) -> None:
        self._environment.close()


def _reason(error: Any) -> str:
    text = str(error)
    return "the disk is full" if "No space left" in text else text


def synced(place: Place) -> None:
    """The file is on its disk."""
    os.fsync(place.descriptor)
