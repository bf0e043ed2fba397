"""`SharedTable`: a read-only dict or set that all processes of a machine map from one file."""

from __future__ import annotations

import os
from collections.abc import Mapping, Set
from pickle import loads
from weakref import finalize
from zlib import crc32

from ..errors import TableError
from .blocks import INT, unpacked_int
from .keys import END, key_of, raw_key
from .label import SET
from .mapped import mapped

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from typing import Any, Self

    from ..wire.place import Place
    from .label import Label
    from .mapped import MappedTable

Key = str | bytes | int
_NOTHING = object()


class SharedTable:
    """A read-only dict or set in a file, which every process maps: one copy for all workers.

        words = eisenmp.SharedTable(frozenset(wordlist))              # a Set
        table = eisenmp.SharedTable(pairs(), path="cache/md5.table")  # a Mapping
        emp.broadcast(words=words, table=table)

    `source`: a mapping, a set, or an iterable of keys or of (key, value) tuples, which is read once and need
    not fit into memory. Keys are str, bytes or int, values whatever can be pickled. With `path` the file
    stays; without one it goes with the last process that uses it, and this object keeps it. With `path` and
    no source the file is opened; with both it is built anew, unless it was built with the same `checksum`,
    which the caller gives: then it is opened, and the source, which may be a function too, is left alone.

    Pickles by its path, so that it can be broadcast, be a variable, or travel in rows. Iteration is in the
    order of the source; a key that came again is where it came last. Values are pickles: open only files that
    you trust. Raises TableError for a file that is damaged or of another version, TableKeyInvalid,
    FileNotFoundError.
    """

    __slots__ = ("__weakref__", "_data", "_end", "_file", "_index", "_mask", "_path", "_view")

    def __new__(
        cls, source: Any = None, *, path: str | os.PathLike[str] | None = None, checksum: str = ""
    ) -> SharedTable:
        goal = None if path is None else os.path.abspath(os.fspath(path))
        if source is None:
            if goal is None:
                raise TypeError("a SharedTable takes a source, a path or both")
            return opened(goal)
        if goal is not None and checksum:
            known = _opened_if_same(goal, checksum)
            if known is not None:
                return known
        return _built(source() if callable(source) else source, goal, checksum)

    # reading

    def _open(self, path: str, file: MappedTable) -> None:
        self._path = path
        self._file = file
        self._end: Callable[[], object] = _nothing
        # what __getitem__ uses, without a step in between
        self._data, self._view, self._index, self._mask = file.data, file.view, file.index, file.mask

    def __len__(self) -> int:
        return self._file.label.entries

    def __contains__(self, key: object) -> bool:
        if type(key) is str:
            try:
                return self._file.find(key.encode() + END) > 0
            except UnicodeEncodeError:
                pass
        return self._find(key) > 0

    def _find(self, key: object) -> int:
        """Where the value of a key of any kind lies; 0 when it is not there."""
        raw = raw_key(key)
        return 0 if raw is None else self._file.find(raw)

    def __iter__(self) -> Iterator[Key]:
        for raw, _ in self._file.entries():
            yield key_of(raw)

    @property
    def path(self) -> str:
        """The file."""
        return self._path

    @property
    def _name(self) -> str:
        return f"the table {self._path}"

    def verify(self) -> None:
        """Read the whole file; raises TableError if it is not what was written."""
        from . import label as labels

        descriptor = os.open(self._path, os.O_RDONLY | getattr(os, "O_BINARY", 0))
        try:
            labels.check(descriptor, self._file.label, self._name)
        finally:
            os.close(descriptor)

    def close(self) -> None:
        """Let go of the file; one without a path is removed. Others that have it open keep it."""
        closed: Any = Closed(self._file.label, self._name)
        self._file = self._index = self._data = self._view = closed
        self._end()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def __reduce__(self) -> tuple[Any, ...]:
        return opened, (self._path, self._file.label.identity)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {len(self)} in {self._path}>"


class TableMapping(SharedTable, Mapping[Key, "Any"]):
    """A SharedTable with values."""

    __slots__ = ()

    def __getitem__(self, key: object) -> Any:
        if type(key) is str:
            try:
                raw = key.encode() + END
            except UnicodeEncodeError:
                pass
            else:
                # as MappedTable.find: the call would be a twelfth of the time
                index, mask, data = self._index, self._mask, self._data
                at = crc32(raw) & mask
                while start := index[at]:
                    end = start + len(raw)
                    if data[start:end] == raw:
                        if data[end] == INT:
                            return unpacked_int(data, end)[0]
                        return loads(self._view[end:])  # a pickle knows its end
                    at = at + 1 & mask
                raise KeyError(key)
        end = self._find(key)
        if not end:
            raise KeyError(key)
        return loads(self._view[end:])

    def get(self, key: object, default: Any = None) -> Any:
        end = self._find(key)
        return loads(self._view[end:]) if end else default

    __contains__ = SharedTable.__contains__

    def items(self) -> Any:
        return TableItems(self)

    def values(self) -> Any:
        return TableValues(self)

    def _items(self) -> Iterator[tuple[Key, Any]]:
        for raw, body in self._file.entries():
            yield key_of(raw), loads(body)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Mapping):
            return NotImplemented
        if isinstance(other, SharedTable) and other._file.label.identity == self._file.label.identity:
            return True
        return len(self) == len(other) and all(
            other.get(key, _NOTHING) == value for key, value in self.items()
        )

    __hash__ = None  # type: ignore[assignment]


class TableSet(SharedTable, Set[Key]):
    """A SharedTable of keys alone. What comes of its operators is a frozenset."""

    __slots__ = ()

    __contains__ = SharedTable.__contains__

    @classmethod
    def _from_iterable(cls, it: Iterable[Any]) -> Any:
        return frozenset(it)

    def intersection(self, *others: Iterable[Any]) -> frozenset[Any]:
        """Those that are here and in all of the others; the others are gone through, not the table."""
        found: frozenset[Any] | None = None
        for other in others:
            here = frozenset(key for key in other if key in self)
            found = here if found is None else found & here
        return frozenset(self) if found is None else found

    __hash__ = None  # type: ignore[assignment]


class TableItems:
    """`items()`: reads the file once per iteration, from front to back."""

    def __init__(self, table: TableMapping) -> None:
        self._table = table

    def __len__(self) -> int:
        return len(self._table)

    def __iter__(self) -> Iterator[Any]:
        return self._table._items()


class TableValues(TableItems):
    """`values()`: in the order of the keys."""

    def __iter__(self) -> Iterator[Any]:
        return (value for _, value in self._table._items())


class Closed:
    """In the place of the file of a table that was closed: whoever reads it is told."""

    def __init__(self, label: Label, name: str) -> None:
        self.label = label
        self._name = name

    def find(self, raw: bytes) -> int:
        raise TableError(f"{self._name} was closed")

    def __getitem__(self, at: int | slice) -> int:
        raise TableError(f"{self._name} was closed")

    def entries(self) -> Iterator[tuple[bytes, bytes]]:
        raise TableError(f"{self._name} was closed")


def opened(path: str, identity: bytes | None = None) -> SharedTable:
    """The table in the file; TableError if it is another one than `identity`."""
    name = f"the table {path}"
    try:
        return _made(path, mapped(path, name, identity))
    except FileNotFoundError:
        if identity is None:
            raise
        raise TableError(f"{name} is gone: the process that built it has ended, or has removed it") from None


def _opened_if_same(path: str, checksum: str) -> SharedTable | None:
    try:
        table = opened(path)
    except (OSError, TableError):
        return None  # it is built anew
    return table if table._file.label.source == checksum else None


def _built(source: Any, path: str | None, checksum: str) -> SharedTable:
    from .build import build

    name = "a table" if path is None else f"the table {path}"
    place = _place(path, name)
    try:
        label = build(place, source, checksum, name)
        file = mapped(place.address, name, label.identity)
        if path is None:
            table = _made(place.address, file)
            # this process keeps the file, until the table is forgotten or closed
            table._end = finalize(table, place.release)
            return table
        try:
            os.fsync(place.descriptor)
            place.settle()
        except OSError as error:
            raise TableError(f"{name} cannot be written: {error.strerror or error}") from error
    except BaseException:
        place.release()
        raise
    return _made(path, file)


def _place(path: str | None, name: str) -> Place:
    from ..wire.place import Place

    try:
        return Place(path, prefix="eisenmp-table-")
    except OSError as error:
        raise TableError(f"{name} cannot be written: {error.strerror or error}") from error


def _made(path: str, file: MappedTable) -> SharedTable:
    table: SharedTable = object.__new__(TableSet if file.label.kind == SET else TableMapping)
    table._open(path, file)
    return table


def _nothing() -> None:
    """A table in a file that stays has nothing to end."""
