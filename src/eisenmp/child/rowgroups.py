"""Rows of a Parquet file, read by whoever needs them: the row groups that have them, and no other column."""

from __future__ import annotations

import os
from bisect import bisect_right

from ..core.record import NamedTuple
from ..errors import FeedError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from ..core.span import Span
    from .stocks import Teller

NEEDED = "to read a Parquet file takes the library pyarrow: pip install 'eisenmp[parquet]'"


class RowGroups(NamedTuple):
    """A file that is not to change: its size and the time of its last change, in nanoseconds.

    `name` is what errors call it. `starts`: the first row of each group, and behind the last one how many
    there are. The rows are the values of one column, or with `whole` a dict of the columns.
    """

    path: str
    name: str
    size: int
    changed: int
    starts: tuple[int, ...]
    columns: tuple[str, ...]
    whole: bool

    def open(self, teller: Teller | None = None) -> GroupReader:
        return GroupReader(self)


class GroupReader:
    """Reads spans of the file, and keeps the group that it has read last. Raises FeedError."""

    def __init__(self, file: RowGroups) -> None:
        self._file = file
        self._open: Any = None
        self._kept: tuple[int, Any] = (-1, None)

    def rows(self, span: Span, lazily: bool = False) -> list[Any]:
        starts, row, end = self._file.starts, span.start, span.start + span.rows
        rows: list[Any] = []
        while row < end:
            # groups may be empty
            group = bisect_right(starts, row) - 1
            count = min(end, starts[group + 1]) - row
            rows += self._values(self._group(group).slice(row - starts[group], count))
            row += count
        return rows

    def _values(self, table: Any) -> list[Any]:
        values: list[Any] = table.to_pylist() if self._file.whole else table.column(0).to_pylist()
        return values

    def _group(self, number: int) -> Any:
        kept, table = self._kept
        if kept != number:
            table = self._read(number)
            self._kept = number, table
        return table

    def _read(self, number: int) -> Any:
        file = self._file
        if self._open is None:
            self._open = opened(file.path, file.name)
        try:
            table = self._open.read_row_group(number, columns=list(file.columns), use_threads=False)
        except Exception as error:  # pyarrow raises ValueError, OSError and errors of its own
            raise FeedError(f"{file.name}: row group {number} cannot be read: {error}") from error
        status = os.stat(file.path)
        if (status.st_size, status.st_mtime_ns) != (file.size, file.changed):
            raise FeedError(f"{file.name}: the file has changed while it was read")
        return table

    def settle(self) -> None:
        """Nothing is read ahead."""

    def let_go(self) -> None:
        """Nothing is kept that others miss."""

    def close(self) -> None:
        self._kept = -1, None
        if self._open is not None:
            self._open.close()
            self._open = None


def opened(path: str, name: str) -> Any:
    """The file, as pyarrow opens it. Raises OSError for one that cannot be opened, FeedError."""
    with open(path, "rb"):
        pass  # the library's own errors do not tell one reason from another
    try:
        from pyarrow.parquet import ParquetFile
    except ImportError as error:
        raise FeedError(f"{name}: {NEEDED}") from error
    try:
        return ParquetFile(path)
    except Exception as error:  # pyarrow raises ValueError, OSError and errors of its own
        raise FeedError(f"{name}: this is no Parquet file that can be read: {error}") from error
