"""`eisenmp.parquet` and `eisenmp.parquet_column`: Parquet files of which each worker reads its row groups."""

from __future__ import annotations

import os
from itertools import accumulate

from ..child.rowgroups import GroupReader, RowGroups, opened
from ..core.span import Span
from .columns import place_of
from .supply import SliceCutter, Supply

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from typing import Any

BLOCK = 1 << 10  #: rows that are made at once
HEAD = 16  #: rows that tell a file from others


def parquet(path: str | os.PathLike[str], columns: Iterable[str] | None = None) -> ParquetRows:
    """The rows of a Parquet file, for `feed`: each a dict of the columns that are named, or of all.

    The workers read them from the file, group by group, which must not change meanwhile. A worker reads the
    whole group that a row is in. Takes the library pyarrow (`pip install 'eisenmp[parquet]'`). Raises OSError
    for what cannot be opened, FeedError for what is no Parquet file, and for a column that is not there.
    """
    return ParquetRows(path, None if columns is None else tuple(columns), whole=True)


def parquet_column(path: str | os.PathLike[str], name: str) -> ParquetRows:
    """The values of one column of a Parquet file, for `feed`, as Python knows them; None where there is none.

    As `parquet`, but for the form of the rows.
    """
    return ParquetRows(path, (name,), whole=False)


class ParquetRows(Supply):
    """What `parquet` and `parquet_column` return. Iterating over it reads the file here."""

    def __init__(self, path: str | os.PathLike[str], columns: tuple[str, ...] | None, *, whole: bool) -> None:
        self._name = os.fspath(path)
        self._path = os.path.abspath(self._name)
        self._columns = columns
        self._whole = whole
        self.stock(0)

    def stock(self, size: int) -> RowGroups:
        status = os.stat(self._path)
        file = opened(self._path, self._name)
        try:
            there = file.schema_arrow.names
            groups = [file.metadata.row_group(number).num_rows for number in range(file.num_row_groups)]
        finally:
            file.close()
        columns = tuple(there) if self._columns is None else self._columns
        for column in columns:
            place_of(column, there, self._name)
        return RowGroups(
            self._path, self._name, status.st_size, status.st_mtime_ns,
            tuple(accumulate(groups, initial=0)), columns, self._whole,
        )  # fmt: skip

    def cutter(self, stock: RowGroups) -> SliceCutter:
        return SliceCutter(stock.starts[-1], _Head(stock))

    def __iter__(self) -> Iterator[Any]:
        stock = self.stock(0)
        reader = stock.open()
        try:
            for first in range(0, stock.starts[-1], BLOCK):
                yield from reader.rows(Span(first, min(BLOCK, stock.starts[-1] - first)))
        finally:
            reader.close()

    def __repr__(self) -> str:
        return f"{'parquet' if self._whole else 'parquet_column'}({self._name!r})"


class _Head:
    """What tells the file from others, read when it is asked for."""

    def __init__(self, stock: RowGroups) -> None:
        self._stock = stock

    def __iter__(self) -> Iterator[Any]:
        reader = GroupReader(self._stock)
        try:
            yield str(self._stock.size)
            yield from reader.rows(Span(0, min(HEAD, self._stock.starts[-1])))
        finally:
            reader.close()
