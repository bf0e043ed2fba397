"""A number for a row, the same in every process where the row is: what copies of a source compare."""

from __future__ import annotations

from binascii import crc32

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

SIMPLE = frozenset((str, bytes, int, float, bool, type(None)))
LONG = 1 << 16  #: characters of a text that count


def mark_of(row: Any) -> int:
    """32 bits, never 0. A set counts with what is in it, in whatever order."""
    kind = type(row)
    if kind is str or kind is bytes:
        row = row[:LONG]
    elif kind not in SIMPLE and not (kind in (tuple, list) and SIMPLE.issuperset(map(type, row))):
        from ..core.fingerprint import digest

        row = digest(row, bytes_max=LONG)
    return crc32(repr(row).encode("utf-8", "surrogatepass")) or 1
