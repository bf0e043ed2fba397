"""The label at the end of a table's file: what the file holds, how long it is, what its bytes add up to.

    8 bytes magic | blocks | index | checksum of the source, UTF-8 | 108 bytes as below      (little endian)

    u64 size of all before the checksum | u64 entries | u64 records | u64 where the blocks end
    | u64 where the index starts | u64 places in it | u64 seconds | 16 bytes identity
    | u64 length of the checksum | u32 CRC of all before the checksum | u8 kind | u8 machine
    | u8 bytes of a place | u8 zero | u32 CRC of the label | u16 zero | u16 version | u32 zero
    | 8 bytes magic

The time of change of the file is set to `seconds`: whoever writes into it afterwards leaves another one, and
then the whole file is compared with its CRC, once. So a table of any size opens in no time.
"""

from __future__ import annotations

import os
import sys
from struct import Struct
from struct import error as StructError
from zlib import crc32

from ..core.record import NamedTuple
from ..errors import TableError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

VERSION = 2
MAGIC = b"eisenmpT"
HEAD = MAGIC  #: what the file starts with: no record is at 0
START = len(HEAD)  #: of the blocks
FIXED = Struct("<QQQQQQQ16sQIBBBBIHHI8s")
MAPPING, SET = 1, 2
MACHINE = (1 if sys.byteorder == "little" else 2) + (16 if sys.maxsize > 1 << 32 else 0)
CRC_AT = 88  #: where the CRC of the label is
BLOCK = 1 << 20
SOURCE_MAX = 1 << 16


class Label(NamedTuple):
    """What a file says of itself."""

    size: int  #: bytes of blocks and index, with what is before them
    entries: int
    records: int  #: entries, and those that a later one of the same key replaces
    blocks_end: int
    index_at: int
    places: int
    width: int  #: bytes of a place
    seconds: int
    identity: bytes
    kind: int
    crc: int
    source: str = ""  #: the checksum of the source that the builder gave


def _packed(label: Label, own: int) -> bytes:
    source = label.source.encode("utf-8", "surrogatepass")
    return source + FIXED.pack(
        label.size, label.entries, label.records, label.blocks_end, label.index_at, label.places,
        label.seconds, label.identity, len(source), label.crc,
        label.kind, MACHINE, label.width, 0, own, 0, VERSION, 0, MAGIC,
    )  # fmt: skip


def write(descriptor: int, label: Label) -> None:
    """Put the label at the end, and stamp the file with its time."""
    data = _packed(label, crc32(_packed(label, 0)))
    end = label.size
    while data:
        written = _pwrite(descriptor, data, end)
        data, end = data[written:], end + written
    stamp(descriptor, label)


def stamp(target: Any, label: Label) -> bool:
    """Give the file the time that says that nobody has changed it; False where that is not allowed."""
    time = label.seconds * 1_000_000_000
    try:
        os.utime(target, ns=(time, time))
    except (OSError, NotImplementedError, TypeError):  # of an open file Windows does not
        return False
    return True


def is_stamped(descriptor: int, label: Label) -> bool:
    return os.fstat(descriptor).st_mtime_ns == label.seconds * 1_000_000_000


def read(descriptor: int, name: str) -> Label:
    """The label of an open file; TableError for what is no whole table of this version and machine."""
    start = os.fstat(descriptor).st_size - FIXED.size
    fixed = _pread(descriptor, FIXED.size, start) if start > 0 else b""
    try:
        (
            size, entries, records, blocks_end, index, places, seconds, identity, length, crc,
            kind, machine, width, _, own, _, version, _, magic
        ) = FIXED.unpack(fixed)  # fmt: skip
    except StructError:
        magic = b""
    if magic != MAGIC:
        raise TableError(f"{name} is no table of eisenmp, or a part of it is missing")
    if version != VERSION:
        raise TableError(f"{name} is a table of version {version}; this eisenmp reads version {VERSION}")
    if length > SOURCE_MAX or size + length != start:
        raise TableError(f"{name} is damaged: its size is not the one that it was built with")
    source = _pread(descriptor, length, size)
    try:
        label = Label(
            size, entries, records, blocks_end, index, places, width, seconds, identity, kind, crc,
            source.decode("utf-8", "surrogatepass"),
        )  # fmt: skip
    except UnicodeDecodeError:
        own = -1
    else:
        clean = bytearray(source + fixed)
        clean[length + CRC_AT : length + CRC_AT + 4] = bytes(4)
        own -= crc32(clean)
    if own or kind not in (MAPPING, SET):
        raise TableError(f"{name} is damaged: its label is not what was written")
    if machine != MACHINE:
        raise TableError(f"{name} was built on a machine of another kind, whose numbers this one cannot read")
    return label


def sum_up(descriptor: int, size: int) -> int:
    """The CRC of what is before the checksum; reads the whole file."""
    crc, position = 0, 0
    while position < size:
        block = _pread(descriptor, min(BLOCK, size - position), position)
        if not block:
            break
        crc = crc32(block, crc)
        position += len(block)
    return crc


def check(descriptor: int, label: Label, name: str) -> None:
    """Read the whole file; TableError if it is not what was written."""
    if sum_up(descriptor, label.size) != label.crc:
        raise TableError(f"{name} is damaged: it was changed after it was built")


def _pread(descriptor: int, size: int, position: int) -> bytes:
    if sys.platform == "win32":
        os.lseek(descriptor, position, os.SEEK_SET)
        return os.read(descriptor, size)
    return os.pread(descriptor, size, position)


def _pwrite(descriptor: int, data: bytes, position: int) -> int:
    if sys.platform == "win32":
        os.lseek(descriptor, position, os.SEEK_SET)
        return os.write(descriptor, data)
    return os.pwrite(descriptor, data, position)
