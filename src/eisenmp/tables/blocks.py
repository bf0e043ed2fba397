"""Entries of a table in its file, as they came, many in a block.

    u64 bytes of the records | u32 records | u32 bytes of a length, 4 or 8
    | a CRC-32 of each key | the length of each record | records: a key and its pickled value, if there is one

The CRCs are what the index is made of once the number of entries is known: nothing of an entry is kept in
memory for it. Numbers are in the byte order of the machine, which the label names.
"""

from __future__ import annotations

from array import array
from itertools import accumulate, chain
from operator import add
from struct import Struct
from zlib import crc32

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from mmap import mmap

HEAD = Struct("=QII")
NARROW_MAX = (1 << 32) - 1
INT = ord("J")  #: what the pickle of an int of 32 bits begins with, and no other one: pickle's opcode BININT
pack_int = Struct("<sis").pack  #: b"J", the number, b"." make this pickle
unpacked_int = Struct("<xi").unpack_from  #: the number in it, in half the time of loads


def packed(raws: list[bytes], bodies: list[bytes]) -> bytes:
    """One block of these keys and their values; a set has no values."""
    records: list[bytes] | chain[bytes]
    if bodies:
        sizes = list(map(add, map(len, raws), map(len, bodies)))
        records = chain.from_iterable(zip(raws, bodies, strict=True))
    else:
        sizes, records = list(map(len, raws)), raws
    total = sum(sizes)
    lengths = array("I" if total <= NARROW_MAX else "Q", sizes)
    return b"".join(
        (
            HEAD.pack(total, len(raws), lengths.itemsize),
            array("I", map(crc32, raws)).tobytes(),
            lengths.tobytes(),
            *records,
        )
    )


class Block:
    """Where one block lies in the file."""

    def __init__(self, data: mmap, at: int) -> None:
        self.size, self.count, self.width = HEAD.unpack_from(data, at)
        self._data = data
        self._at = at + HEAD.size
        self.first = self._at + (4 + self.width) * self.count  #: the first record
        self.end = self.first + self.size  #: the next block, or what follows the last one

    def hashes(self) -> array[int]:
        """A CRC-32 of each key."""
        numbers = array("I")
        numbers.frombytes(self._data[self._at : self._at + 4 * self.count])
        return numbers

    def starts(self) -> Iterator[int]:
        """Where each record lies in the file, and then where the last one ends."""
        lengths = array("I" if self.width == 4 else "Q")
        lengths.frombytes(self._data[self._at + 4 * self.count : self.first])
        return accumulate(lengths, initial=self.first)


def blocks(data: mmap, start: int, end: int) -> Iterator[Block]:
    """All blocks between these places, in the order of the file."""
    while start < end:
        block = Block(data, start)
        yield block
        start = block.end
