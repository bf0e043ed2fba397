"""Building the file of a table from a source of any size.

The source is taken some entries at a time and written, block after block; then the index, in the file
as well, so that the system may put away what does not fit into memory. What comes later replaces what came
before, as in a dict.
"""

from __future__ import annotations

import os
from itertools import chain, islice, repeat
from mmap import mmap
from pickle import dumps
from struct import error as StructError
from time import time
from zlib import crc32

from ..errors import TableError
from ..wire.pickles import Unpicklable
from ..wire.pickles import dumps as dumps_or_blame
from . import index
from . import label as labels
from .blocks import pack_int, packed
from .keys import stored_keys
from .label import MAPPING, SET, Label

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from typing import Any

    from ..wire.place import Place

    #: keys and pickled values of some entries, and whether the keys are of plain types
    Slice = tuple[list[bytes], list[bytes], bool]

SLICE_MAX = 1 << 22  #: bytes that are taken from a source at once
ROWS_MAX = 2048  #: entries that are taken at once
#: pairs that are: more tuples make the collector of garbage look at all that the program has
PAIRS_MIN, PAIRS_MAX = 16, 512
BUFFER = 1 << 20
#: pickles of these are as good in protocol 3, which makes them faster, and 9 bytes smaller
PLAIN = frozenset((int, str, float, bool, bytes, type(None)))
PLAIN_PROTOCOL = 3


def build(place: Place, source: Iterable[Any], checksum: str, name: str) -> Label:
    """Write the table into the place; returns its label."""
    kind, slices, unique = slices_of(source)
    writer = Writer(place.descriptor, name)
    records = 0
    for raws, bodies, plain in slices:
        writer.write(packed(raws, bodies))
        records += len(raws)
        unique = unique and plain
    label = Label(
        size=0,
        entries=records,
        seconds=int(time()) & ~1,  # what every file system can keep
        identity=os.urandom(16),
        kind=kind,
        crc=0,
        source=checksum,
        records=records,
        blocks_end=writer.written,
        index_at=-(-writer.written // 8) * 8,
        places=index.length_for(records),
        width=index.width_for(writer.written),
    )
    writer.zeros(label.index_at + label.places * label.width - writer.written)
    crc, replaced = _indexed(place.descriptor, label, writer.crc, unique=unique)
    label = label._replace(size=writer.written, entries=records - replaced, crc=crc)
    labels.write(place.descriptor, label)
    return label


def _indexed(descriptor: int, label: Label, crc: int, *, unique: bool) -> tuple[int, int]:
    """Fill the index; (CRC of the file up to here, how many records were replaced)."""
    with mmap(descriptor, 0) as data, memoryview(data) as view:
        with view[label.index_at :] as part, part.cast("I" if label.width == 4 else "Q") as places:
            replaced = index.fill(places, data, labels.START, label.blocks_end, unique=unique)
        with view[label.blocks_end :] as rest:
            return crc32(rest, crc), replaced


class Writer:
    """Writes a file from its start. It is written, not mapped: a full disk is an error then, not a signal."""

    def __init__(self, descriptor: int, name: str) -> None:
        self._descriptor = descriptor
        self._name = name
        self._pending: list[bytes] = [labels.HEAD]
        self._waiting = 0
        self.written = len(labels.HEAD)  #: bytes, with those that wait
        self.crc = crc32(labels.HEAD)  #: of the blocks

    def write(self, data: bytes) -> None:
        self.crc = crc32(data, self.crc)
        self._take(data)

    def zeros(self, size: int) -> None:
        """Bytes that will be something else: they count for no CRC."""
        empty = bytes(min(size, BUFFER))
        for at in range(0, size, BUFFER):
            self._take(empty[: size - at])
        self._flush()

    def _take(self, data: bytes) -> None:
        self._pending.append(data)
        self.written += len(data)
        self._waiting += len(data)
        if self._waiting >= BUFFER:
            self._flush()

    def _flush(self) -> None:
        data = memoryview(b"".join(self._pending))
        self._pending.clear()
        self._waiting = 0
        try:
            while data:
                data = data[os.write(self._descriptor, data) :]
        except OSError as error:
            from errno import EDQUOT, ENOSPC

            full = error.errno in (ENOSPC, EDQUOT)
            reason = "the disk is full" if full else error.strerror or error
            raise TableError(f"{self._name} cannot be written: {reason}") from error


# from objects to bytes


def slices_of(source: Iterable[Any]) -> tuple[int, Iterator[Slice], bool]:
    """(MAPPING or SET, its entries some at a time, whether a key that is of a plain type comes once only).

    What is neither a mapping nor a set is told by its first item.
    """
    from collections.abc import Mapping, Set

    kind = type(source)
    if isinstance(source, str | bytes | bytearray):
        raise TypeError(f"a table is built from a mapping, a set or an iterable, not from {kind.__name__}")
    if kind is dict:
        assert isinstance(source, dict)
        return MAPPING, _of_pairs(iter(source), iter(source.values())), True
    if isinstance(source, Mapping):
        return MAPPING, _of_items(iter(source.items())), False
    entries = iter(source)
    if isinstance(source, Set):
        return SET, _of_keys(entries), kind in (set, frozenset)
    first = list(islice(entries, 1))
    entries = chain(first, entries)
    if first and isinstance(first[0], tuple) and len(first[0]) == 2:
        return MAPPING, _of_items(entries), False
    return SET, _of_keys(entries), False


def _of_keys(keys: Iterator[Any]) -> Iterator[Slice]:
    while some := list(islice(keys, ROWS_MAX)):
        raws, plain = stored_keys(some)
        yield raws, [], plain


def _of_pairs(keys: Iterator[Any], values: Iterator[Any]) -> Iterator[Slice]:
    # a dict holds its values anyway
    while some := list(islice(keys, ROWS_MAX)):
        raws, plain = stored_keys(some)
        yield raws, _dumped(some, list(islice(values, len(some)))), plain


def _of_items(items: Iterator[Any]) -> Iterator[Slice]:
    rows = PAIRS_MIN
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
        rows = max(1, rows // 4) if size > SLICE_MAX else min(rows * 2, PAIRS_MAX)
        raws, plain = stored_keys(keys)
        yield raws, bodies, plain


def _dumped(keys: Iterable[Any], values: list[Any] | tuple[Any, ...]) -> list[bytes]:
    kinds = set(map(type, values))
    if kinds == {int}:
        try:
            return list(map(pack_int, repeat(b"J"), values, repeat(b".")))
        except StructError:
            pass  # one of them is too large
    if kinds <= PLAIN:
        return list(map(dumps, values, repeat(PLAIN_PROTOCOL)))
    try:
        return list(map(dumps_or_blame, values))
    except Unpicklable:
        # once more, for the key
        return [dumps_or_blame(value, f"table[{key!r:.60}]") for key, value in zip(keys, values, strict=True)]
