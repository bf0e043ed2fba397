"""The index of a table: for each key the place of its record, found by the CRC-32 of the key.

An array of places, of which at least half are 0 and so none. A key's place is at its CRC, modulo the length,
or in the next one that is free (open addressing, linear probing): a look-up reads one or two of them and
then the record, whatever the size of the table. Two kinds of number: u32 in a file below 4 GiB, else u64.
"""

from __future__ import annotations

from .blocks import blocks
from .keys import end_of_key

TYPE_CHECKING = False
if TYPE_CHECKING:
    from mmap import mmap

    from .blocks import Block

NARROW_MAX = 1 << 32  #: bytes of a file whose places are u32


def length_for(records: int) -> int:
    """Places in the index of so many records, a power of two."""
    return 1 << (2 * records).bit_length()


def width_for(size: int) -> int:
    """Bytes of a place in a file whose records end there."""
    return 4 if size < NARROW_MAX else 8


def fill(index: memoryview[int], data: mmap, start: int, end: int, *, unique: bool) -> int:
    """Put in the places of all records of the blocks; how many were replaced by a later one of the same key.

    `unique`: there are none, so that none need be looked for.
    """
    put = _put_unique if unique else _put
    return sum(put(index, data, block) for block in blocks(data, start, end))


def _put_unique(index: memoryview[int], data: mmap, block: Block) -> int:
    mask = len(index) - 1
    for crc, start in zip(block.hashes(), block.starts(), strict=False):
        at = crc & mask
        while index[at]:
            at = at + 1 & mask
        index[at] = start
    return 0


def _put(index: memoryview[int], data: mmap, block: Block) -> int:
    mask, replaced = len(index) - 1, 0
    for crc, start in zip(block.hashes(), block.starts(), strict=False):
        at = crc & mask
        if index[at]:
            raw = data[start : end_of_key(data, start)]
            while known := index[at]:
                if data[known : known + len(raw)] == raw:
                    replaced += 1
                    break
                at = at + 1 & mask
        index[at] = start
    return replaced
