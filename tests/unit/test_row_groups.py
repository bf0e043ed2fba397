"""Rows of Parquet files: which groups have them, and what is said of files that have none."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import pytest
from pyarrow import table
from pyarrow.parquet import ParquetFile, ParquetWriter, write_table

import eisenmp
from eisenmp.core.span import Span
from eisenmp.errors import FeedError

COLUMNS = {"id": list(range(10)), "word": ["a", None, "c", "d", "e", "f", "g", "h", "i", "j"]}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    found = tmp_path / "table.parquet"
    write_table(table(COLUMNS), found, row_group_size=4)
    return found


def test_rows(path: Path) -> None:
    column = eisenmp.parquet_column(path, "word")
    assert list(column) == list(column) == COLUMNS["word"]
    whole = [{"id": number, "word": word} for number, word in zip(*COLUMNS.values(), strict=True)]
    assert list(eisenmp.parquet(path)) == whole
    assert list(eisenmp.parquet(path, ["word"])) == [{"word": word} for word in COLUMNS["word"]]


@pytest.mark.parametrize("groups", [[10], [4, 4, 2], [0, 3, 0, 0, 7, 0], [1] * 10])
def test_spans_of_any_size(tmp_path: Path, groups: list[int]) -> None:
    path = tmp_path / "table.parquet"
    every = table(COLUMNS)
    with ParquetWriter(path, every.schema) as writer:
        start = 0
        for rows in groups:
            writer.write_table(every.slice(start, rows), row_group_size=rows or None)
            start += rows
    supply = eisenmp.parquet_column(path, "id")
    for size in (1, 3, 4, 10, 11):
        stock = supply.stock(size)
        cutter, reader = supply.cutter(stock), stock.open()
        rows: list[Any] = []
        while (span := cutter.cut(size)) is not None:
            rows += reader.rows(span)
        assert rows == list(range(10))
        assert reader.rows(Span(2, 5)) == [2, 3, 4, 5, 6]  # a retry lies behind
        reader.close()


def test_a_worker_reads_the_groups_and_the_column_that_it_needs(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = []
    was = ParquetFile.read_row_group

    def told(self: Any, number: int, **options: Any) -> Any:
        read.append((number, options["columns"]))
        return was(self, number, **options)

    monkeypatch.setattr(ParquetFile, "read_row_group", told)
    reader = eisenmp.parquet_column(path, "id").stock(2).open()
    for start in (4, 6, 8):
        reader.rows(Span(start, 2))
    reader.close()
    assert read == [(1, ["id"]), (2, ["id"])]


def test_no_rows(tmp_path: Path) -> None:
    path = tmp_path / "empty.parquet"
    write_table(table(COLUMNS).slice(0, 0), path)
    supply = eisenmp.parquet(path)
    assert list(supply) == []
    assert supply.cutter(supply.stock(5)).cut(5) is None


def test_what_is_no_parquet_file(path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        eisenmp.parquet(path.with_name("missing"))
    with pytest.raises(
        FeedError, match="there is no column 'wrod'; did you mean 'word'.; the columns are 'id',"
    ):
        eisenmp.parquet_column(path, "wrod")
    whole = path.read_bytes()
    for content in (b"", b"PAR1", b"word\na\n", whole[:-9], whole[:4]):
        path.write_bytes(content)
        with pytest.raises(FeedError, match=f"^{path}: this is no Parquet file that can be read: "):
            eisenmp.parquet(path)


def test_a_damaged_group_is_named(path: Path) -> None:
    whole = bytearray(path.read_bytes())
    whole[4:40] = b"\xff" * 36
    path.write_bytes(whole)
    reader = eisenmp.parquet(path).stock(5).open()
    with pytest.raises(FeedError, match=f"^{path}: row group 0 cannot be read: "):
        reader.rows(Span(0, 5))
    assert reader.rows(Span(4, 1)) == [{"id": 4, "word": "e"}]
    reader.close()


def test_a_file_that_changes_is_found_out(path: Path) -> None:
    reader = eisenmp.parquet(path).stock(5).open()
    assert len(reader.rows(Span(0, 2))) == 2
    os.utime(path, ns=(1, 1))
    with pytest.raises(FeedError, match=f"^{path}: the file has changed while it was read"):
        reader.rows(Span(4, 2))
    reader.close()


def test_the_library_that_is_missing_is_named(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow.parquet", None)
    with pytest.raises(FeedError, match=r"takes the library pyarrow: pip install 'eisenmp\[parquet\]'$"):
        eisenmp.parquet(path)
