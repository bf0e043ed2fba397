"""Keys of a table as bytes, and back.

A key is what it is in a dict: True is 1; 1, "1" and b"1" are three keys. None of these is the beginning of
another one, so that a key can be compared with what lies in a file without knowing how long that is:

    str    its UTF-8, which has no byte above 0xf4 | 0xff
    int    0xfd | hexadecimal digits | 0xff
    bytes  0xfe | u64 length, little endian | the bytes
"""

from __future__ import annotations

from ..errors import TableKeyInvalid

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from mmap import mmap

END = b"\xff"  #: of a str or an int
INT, BYTES = 0xFD, 0xFE
PLAIN = frozenset((str, bytes, int, bool))  #: types of keys whose equality is theirs


def raw_key(key: object) -> bytes | None:
    """The key as bytes; None for what can be in a dict and equals no str, bytes or int."""
    # not the methods of a subclass, which may say something else
    if isinstance(key, str):
        try:
            return str.encode(key) + END
        except UnicodeEncodeError:
            return str.encode(key, "utf-8", "surrogatepass") + END
    if isinstance(key, bytes):
        return b"\xfe%b%b" % (len(key).to_bytes(8, "little"), key[:])
    if isinstance(key, int):
        return b"\xfd%x\xff" % int.__index__(key)
    hash(key)  # a list raises what it raises in a dict
    return _raw_number(key)


def _raw_number(key: object) -> bytes | None:
    """Of 5.0, Fraction(5) or an integer of numpy, which are 5 in a dict too."""
    number: int | None = None
    for convert in (_index, _whole):
        try:
            number = convert(key)
            break
        except (TypeError, ValueError, OverflowError, ArithmeticError):
            continue
    if number is None or not bool(number == key):
        return None
    return b"\xfd%x\xff" % number


def _index(key: object) -> int:
    from operator import index

    return index(key)  # type: ignore[arg-type]


def _whole(key: object) -> int:
    if isinstance(key, complex):
        key = key.real
    return int(key)  # type: ignore[call-overload, no-any-return]


def stored_key(key: object) -> bytes:
    """The key as bytes, to be put into a table; TableKeyInvalid for another type."""
    if isinstance(key, str | bytes | int):
        raw = raw_key(key)
        assert raw is not None
        return raw
    try:
        return b"\xfd%x\xff" % _index(key)
    except TypeError:
        pass
    text = repr(key)
    shown = text if len(text) <= 60 else text[:57] + "..."
    raise TableKeyInvalid(
        f"{shown} cannot be a key of a table: it is a {type(key).__name__}, and keys are str, bytes or int"
    )


def stored_keys(keys: Sequence[object]) -> tuple[list[bytes], bool]:
    """As `stored_key`, for many at once, and whether all are of plain types; str alone are done in C."""
    kinds = set(map(type, keys))
    if kinds == {str}:
        try:
            joined = "\0".join(keys).encode()  # type: ignore[arg-type]
        except UnicodeEncodeError:
            pass
        else:
            raws = (joined.replace(b"\0", b"\xff\0") + END).split(b"\0")
            if len(raws) == len(keys):  # else one of them has a NUL in it
                return raws, True
    return [stored_key(key) for key in keys], kinds <= PLAIN


def end_of_key(data: bytes | mmap, start: int) -> int:
    """Where the key ends that starts there."""
    if data[start] == BYTES:
        return start + 9 + int.from_bytes(data[start + 1 : start + 9], "little")
    return data.find(END, start) + 1


def key_of(raw: bytes) -> str | bytes | int:
    """The key that these bytes stand for."""
    kind = raw[0]
    if kind == BYTES:
        return raw[9:]
    if kind == INT:
        return int(raw[1:-1], 16)
    return raw[:-1].decode("utf-8", "surrogatepass")
