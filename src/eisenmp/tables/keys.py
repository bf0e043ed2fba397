"""Keys of a table as bytes, and back: a letter for the type, then the key.

A key is what it is in a dict: True is 1, and 1, "1" and b"1" are three keys. LMDB takes keys of 511 bytes: a
longer one is stored under its digest, and stands in full before its value.
"""

from __future__ import annotations

from ..errors import TableKeyInvalid

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

SIZE_MAX = 511
LONG = b"l"
SIZE = 4  #: bytes for the length of a long key


def raw_key(key: object) -> bytes | None:
    """The key as bytes; None for what can be in a dict and equals no str, bytes or int."""
    # not the methods of a subclass, which may say something else
    if isinstance(key, str):
        try:
            return b"s" + str.encode(key)
        except UnicodeEncodeError:
            return b"s" + str.encode(key, "utf-8", "surrogatepass")
    if isinstance(key, bytes):
        return b"b" + key[:]
    if isinstance(key, int):
        return b"i%x" % int.__index__(key)
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
    return b"i%x" % number


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
        return b"i%x" % _index(key)
    except TypeError:
        pass
    text = repr(key)
    shown = text if len(text) <= 60 else text[:57] + "..."
    raise TableKeyInvalid(
        f"{shown} cannot be a key of a table: it is a {type(key).__name__}, and keys are str, bytes or int"
    )


def stored_keys(keys: Sequence[object]) -> list[bytes]:
    """As `stored_key`, for many at once: where all are of one type, most of it is done in C."""
    kinds = set(map(type, keys))
    if kinds == {str}:
        try:
            joined = "\0s".join(keys).encode()  # type: ignore[arg-type]
        except UnicodeEncodeError:
            pass
        else:
            raws = (b"s" + joined).split(b"\0")
            if len(raws) == len(keys):  # else one of them has a NUL in it
                return raws
    elif kinds == {bytes}:
        return [b"b" + key for key in keys]  # type: ignore[operator]
    elif kinds == {int}:
        return [b"i%x" % key for key in keys]  # type: ignore[str-format]
    return [stored_key(key) for key in keys]


def key_of(raw: bytes) -> str | bytes | int:
    """The key that these bytes stand for."""
    letter, body = raw[:1], raw[1:]
    if letter == b"s":
        return body.decode("utf-8", "surrogatepass")
    return int(body, 16) if letter == b"i" else body


def short(raw: bytes) -> bytes:
    """The bytes that a long key is stored under."""
    from _blake2 import blake2b

    return LONG + blake2b(raw, digest_size=32).digest()


def with_key(raw: bytes, body: bytes) -> bytes:
    """The value of a long key as it is stored."""
    return len(raw).to_bytes(SIZE, "little") + raw + body


def split_long(stored: bytes) -> tuple[bytes, bytes]:
    """The long key, and its value."""
    end = SIZE + int.from_bytes(stored[:SIZE], "little")
    return stored[SIZE:end], stored[end:]
