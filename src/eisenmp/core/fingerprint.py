"""A digest of any object that is the same in every process: what two runs of a program compare.

A pickle will not do: that of a set depends on the seed of the hashes, its references on what else is alive.
"""

from __future__ import annotations

from hashlib import sha256
from itertools import islice

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from types import CodeType
    from typing import Any

ROWS = 16  #: rows at the head of a source that tell it from others
BYTES_MAX = 1 << 16  #: of one text or array in those rows
NODES_MAX = 1 << 20  #: objects that are looked at; the rest of a huge structure is not
DEPTH_MAX = 64
MAIN = "__main__"


def digest(value: object, *, bytes_max: int | None = None) -> str:
    """64 hexadecimal digits of the value; of each text or array in it `bytes_max` bytes count, or all.

    What cannot be taken apart, such as a lock or an open file, counts with its type alone.
    """
    return _Walk(bytes_max, [NODES_MAX]).of(value).hex()


def head_digest(rows: Iterable[Any]) -> str:
    """The digest of the first `ROWS` rows."""
    return digest(list(islice(rows, ROWS)), bytes_max=BYTES_MAX)


class _Walk:
    """One pass over an object; `nodes` is what may still be looked at, shared with the passes inside it."""

    def __init__(self, bytes_max: int | None, nodes: list[int]) -> None:
        self._bytes_max = bytes_max
        self._nodes = nodes
        self._open: list[int] = []  # ids of the objects that the walk is inside of

    def of(self, value: object) -> bytes:
        self._nodes[0] -= 1
        if self._nodes[0] < 0 or len(self._open) > DEPTH_MAX:
            return b"more"
        if id(value) in self._open:
            return b"again %d" % self._open.index(id(value))
        self._open.append(id(value))
        try:
            return self._of(value)
        finally:
            self._open.pop()

    def _of(self, value: Any) -> bytes:
        kind = type(value)
        if value is None or kind in (bool, int, float, complex, range, type(...)):
            return self._hash(kind.__name__, repr(value).encode())
        if kind is str:
            return self._hash("str", *self._cut(value.encode("utf-8", "surrogatepass")))
        if kind in (bytes, bytearray, memoryview):
            return self._hash("bytes", *self._cut(bytes(value)))
        if kind in (list, tuple):
            return self._hash(kind.__name__, *map(self.of, value))
        if kind in (set, frozenset):
            return self._hash("set", *sorted(map(self.of, value)))
        if kind is dict:
            pairs = (self.of(key) + self.of(item) for key, item in value.items())
            return self._hash("dict", *sorted(pairs))
        if hasattr(value, "co_code"):
            return self._code(value)
        if hasattr(value, "__code__"):
            return self._function(value)
        if isinstance(value, type):
            return self._class(value)
        return self._object(value)

    def _cut(self, data: bytes) -> tuple[bytes, bytes]:
        return str(len(data)).encode(), data if self._bytes_max is None else data[: self._bytes_max]

    def _code(self, code: CodeType) -> bytes:
        """What the code does, wherever it stands."""
        shape = (code.co_argcount, code.co_posonlyargcount, code.co_kwonlyargcount, code.co_flags)
        names = (code.co_names, code.co_varnames, code.co_freevars, code.co_cellvars)
        return self._hash("code", self.of(shape), self.of(names), code.co_code, self.of(code.co_consts))

    def _function(self, function: Any) -> bytes:
        """Its code, and what it finds of its own module."""
        known = function.__globals__
        found = {name: known[name] for name in _names(function.__code__) if name in known}
        cells = [_content(cell) for cell in function.__closure__ or ()]
        parts = (function.__code__, function.__defaults__, function.__kwdefaults__, cells, found)
        return self._hash("function", *map(self.of, parts))

    def _class(self, kind: type) -> bytes:
        name = f"{kind.__module__}.{kind.__qualname__}"
        if kind.__module__ != MAIN:
            return self._hash("type", name.encode())
        own = {name: part for name, part in vars(kind).items() if hasattr(part, "__code__")}
        return self._hash("type", name.encode(), self.of(own))

    def _object(self, value: Any) -> bytes:
        kind = type(value)
        name = f"{kind.__module__}.{kind.__qualname__}"
        if kind.__name__ == "module":
            return self._hash("module", value.__name__.encode())
        try:
            reduced = value.__reduce_ex__(4)
        except Exception:  # a user's __reduce__ may raise anything, and a lock has none
            return self._hash("opaque", name.encode())
        if isinstance(reduced, str):
            return self._hash("global", name.encode(), reduced.encode())
        parts = [list(part) if hasattr(part, "__next__") else part for part in reduced]
        return self._hash("object", name.encode(), *map(self.of, parts))

    @staticmethod
    def _hash(kind: str, *parts: bytes) -> bytes:
        hasher = sha256(kind.encode())
        for part in parts:
            hasher.update(b"%d:" % len(part))
            hasher.update(part)
        return hasher.digest()


def _names(code: CodeType) -> set[str]:
    """The names that the code looks up, also in functions inside it."""
    names = set(code.co_names)
    for constant in code.co_consts:
        if hasattr(constant, "co_code"):
            names |= _names(constant)
    return names


def _content(cell: Any) -> object:
    try:
        return cell.cell_contents
    except ValueError:  # not set yet
        return None
