"""`SharedTable`: a read-only dict or set that all processes of a machine map from one file."""

from __future__ import annotations

import os
from collections.abc import Mapping, Set
from pickle import loads
from weakref import WeakValueDictionary, finalize

from ..errors import TableError
from .database import database, forget, read_label
from .keys import LONG, SIZE_MAX, key_of, raw_key, short, split_long
from .label import SET

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from typing import Any, Self

    from .database import Database
    from .label import Label
    from .place import Place

Key = str | bytes | int
PLAIN = SIZE_MAX // 4  #: a str shorter than this is a key as it is, whatever its characters
_NOTHING = object()
_tables: WeakValueDictionary[int, SharedTable] = WeakValueDictionary()


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
    order of the file, not that of the source. Values are pickles: open only files that you trust. Raises
    TableError for a file that is damaged or of another version, TableKeyInvalid, FileNotFoundError.
    """

    _label: Label
    _path: str
    _get: Callable[[bytes], bytes | None]
    _database: Database
    _end: Callable[[], object]

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

    def __getattr__(self, name: str) -> Any:
        # opened by its first use: not before a fork, and not where a table is only handed on
        if name not in ("_get", "_database"):
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
        found = database(self._path, self._label, self._name)
        self._database = found
        self._get = found.get
        return found if name == "_database" else found.get

    def __len__(self) -> int:
        return self._label.entries

    def __contains__(self, key: object) -> bool:
        if type(key) is str and len(key) < PLAIN:
            try:
                return self._get(b"s" + key.encode()) is not None
            except UnicodeEncodeError:
                pass
        return self._find(key) is not None

    def _find(self, key: object) -> bytes | None:
        """The pickled value of a key of any kind; None when it is not there."""
        if type(key) is str:
            try:
                raw = b"s" + key.encode()
            except UnicodeEncodeError:
                pass
            else:
                if len(raw) <= SIZE_MAX:
                    return self._get(raw)
        return self._find_raw(raw_key(key))

    def _find_raw(self, raw: bytes | None) -> bytes | None:
        if raw is None:
            return None
        if len(raw) <= SIZE_MAX:
            return self._get(raw)
        stored = self._get(short(raw))
        if stored is None:
            return None
        whole, body = split_long(stored)
        return body if whole == raw else None

    def __iter__(self) -> Iterator[Key]:
        for raw in self._database.raw_keys():
            yield key_of(split_long(self._get(raw) or b"")[0] if raw[:1] == LONG else raw)

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
            labels.check(descriptor, self._label, self._name)
        finally:
            os.close(descriptor)

    def close(self) -> None:
        """Let go of the file; one without a path is removed. Others that have it open keep it."""
        vars(self).pop("_get", None)
        vars(self).pop("_database", None)
        end = vars(self).get("_end")
        if end is not None:
            end()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def __reduce__(self) -> tuple[Any, ...]:
        return opened, (self._path, self._label.identity)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {len(self)} in {self._path}>"


class TableMapping(SharedTable, Mapping[Key, "Any"]):
    """A SharedTable with values."""

    def __getitem__(self, key: object) -> Any:
        if type(key) is str:
            try:
                body = self._get(b"s" + key.encode())
            except UnicodeEncodeError:
                body = None
            if body is not None:
                return loads(body)
        body = self._find(key)
        if body is None:
            raise KeyError(key)
        return loads(body)

    def get(self, key: object, default: Any = None) -> Any:
        body = self._find(key)
        return default if body is None else loads(body)

    __contains__ = SharedTable.__contains__

    def items(self) -> Any:
        return TableItems(self)

    def values(self) -> Any:
        return TableValues(self)

    def _items(self) -> Iterator[tuple[Key, Any]]:
        for raw, body in self._database.entries():
            if raw[:1] == LONG:
                raw, body = split_long(body)
            yield key_of(raw), loads(body)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Mapping):
            return NotImplemented
        if isinstance(other, SharedTable) and other._label.identity == self._label.identity:
            return True
        return len(self) == len(other) and all(
            other.get(key, _NOTHING) == value for key, value in self.items()
        )

    __hash__ = None  # type: ignore[assignment]


class TableSet(SharedTable, Set[Key]):
    """A SharedTable of keys alone. What comes of its operators is a frozenset."""

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


def opened(path: str, identity: bytes | None = None) -> SharedTable:
    """The table in the file; TableError if it is another one than `identity`."""
    name = f"the table {path}"
    try:
        label = read_label(path, name)
    except FileNotFoundError:
        if identity is None:
            raise
        raise TableError(f"{name} is gone: the process that built it has ended, or has removed it") from None
    if identity is not None and label.identity != identity:
        raise TableError(f"{name} is not the one that was sent: another one was built in its place")
    return _made(path, label)


def _opened_if_same(path: str, checksum: str) -> SharedTable | None:
    try:
        table = opened(path)
    except (OSError, TableError):
        return None  # it is built anew
    return table if table._label.source == checksum else None


def _built(source: Any, path: str | None, checksum: str) -> SharedTable:
    from .build import build

    name = "a table" if path is None else f"the table {path}"
    place = _place(path, name)
    try:
        label = build(place, source, checksum, name)
        if path is None:
            return _kept(place, label)
        try:
            os.fsync(place.descriptor)
            place.settle()
        except OSError as error:
            raise TableError(f"{name} cannot be written: {error.strerror or error}") from error
    except BaseException:
        place.release()
        raise
    return _made(path, label)


def _place(path: str | None, name: str) -> Place:
    from .place import Place

    try:
        return Place(path)
    except OSError as error:
        raise TableError(f"{name} cannot be written: {error.strerror or error}") from error


def _kept(place: Place, label: Label) -> SharedTable:
    """The table in a file that this process keeps, until the table is forgotten or closed."""
    table = _made(place.address, label)
    table._end = finalize(table, place.release)
    return table


def _made(path: str, label: Label) -> SharedTable:
    table: SharedTable = object.__new__(TableSet if label.kind == SET else TableMapping)
    table._path, table._label = path, label
    _tables[id(table)] = table
    return table


def _after_fork() -> None:
    forget()
    for table in list(_tables.values()):
        vars(table).pop("_get", None)
        vars(table).pop("_database", None)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
