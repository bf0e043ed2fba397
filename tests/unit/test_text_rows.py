"""Lines and columns of files: what they give in this process, and what they say of files that are none."""

from __future__ import annotations

import bz2
import csv
import gzip
import lzma
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import eisenmp
from eisenmp.child.textfile import TextFile
from eisenmp.errors import FeedError
from eisenmp.manager.supply import supply_of

texts = st.text(st.sampled_from("aü\n\r\u2028\x0b\x85\x1c,"), max_size=60)


@given(texts)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_lines_are_those_of_a_text_file(tmp_path: Path, text: str) -> None:
    path = tmp_path / "text"
    path.write_text(text, encoding="utf-8", newline="")
    with path.open(encoding="utf-8") as file:
        expected = [line.removesuffix("\n") for line in file]
    assert list(eisenmp.lines(path)) == expected


cells = st.text(st.sampled_from('a"\n,ü '), max_size=6)


@given(st.lists(st.lists(cells, min_size=2, max_size=4)), st.sampled_from(["\n", "\r\n"]))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_column(tmp_path: Path, rows: list[list[str]], end: str) -> None:
    path = tmp_path / "table.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file, lineterminator=end).writerows([["id", "word"], *rows])
    assert list(eisenmp.csv_column(path, "word")) == [row[1] for row in rows]


def test_byte_order_mark_and_other_encodings(tmp_path: Path) -> None:
    path = tmp_path / "text"
    path.write_text("ä,b\nö,2\n", encoding="utf-8-sig")
    assert list(eisenmp.lines(path)) == ["ä,b", "ö,2"]
    assert list(eisenmp.csv_column(path, "ä")) == ["ö"]
    path.write_text("ä;b\nö;2\n", encoding="latin-1")
    assert list(eisenmp.csv_column(path, "ä", encoding="latin-1", delimiter=";")) == ["ö"]


@pytest.mark.parametrize("pack", [gzip.compress, bz2.compress, lzma.compress])
def test_compressed(tmp_path: Path, pack: Callable[[bytes], bytes]) -> None:
    path = tmp_path / "packed"
    path.write_bytes(pack(b"x,y\n1,2\n3,4\n"))
    rows = eisenmp.csv_column(path, "y")
    unpacked = rows.stock(0).path
    assert list(rows) == ["2", "4"] and list(eisenmp.lines(path)) == ["x,y", "1,2", "3,4"]
    del rows
    assert not os.path.exists(unpacked)


def test_damaged(tmp_path: Path) -> None:
    path = tmp_path / "packed.gz"
    path.write_bytes(gzip.compress(b"a\n" * 1000)[:-10])
    with pytest.raises(FeedError, match=r"packed\.gz: it cannot be unpacked: "):
        eisenmp.lines(path)


HEADERS = {
    "no such column": (
        b"id,word\n1,ape\n",
        "1: there is no column 'wrod'; did you mean 'word'?; the columns",
    ),
    "after blank lines": (b"\n\nid;word\n", "3: there is no column 'wrod'; the columns are 'id;word'"),
    "nothing": (b"", "1: there is no header line, and so no column 'wrod'"),
    "twice": (b"wrod,wrod\n", "1: 2 columns are called 'wrod'"),
    "not UTF-8": (b"\xff\n", "1: byte 0xff at place 1 is not UTF-8"),
}


@pytest.mark.parametrize("name", HEADERS)
def test_header(tmp_path: Path, name: str) -> None:
    content, said = HEADERS[name]
    path = tmp_path / "rows"
    path.write_bytes(content)
    with pytest.raises(FeedError) as caught:
        eisenmp.csv_column(path, "wrod")
    assert str(caught.value).startswith(f"{path}:{said}")


BAD = {
    "not UTF-8": (b"x,y\n1,2\r3,\xfc\n", "3: byte 0xfc at place 3 is not UTF-8"),
    "too few fields": (b"x,y\n1,2\n\n3\n", "4: 1 fields; column 'y' is number 2"),
    "too few fields, quoted": (b'x,y\n"1\n1",2\n3\n', "4: 1 fields; column 'y' is number 2"),
    "open quote": (b'x,y\n1,2\n3,"4\n5,6\n', "4: not CSV: unexpected end of data"),
    "behind a quote": (b'x,y\n1,"2"2\n', "2: not CSV: ',' expected after '\"'"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_rows(tmp_path: Path, name: str) -> None:
    content, said = BAD[name]
    path = tmp_path / "rows"
    path.write_bytes(content)
    with pytest.raises(FeedError) as caught:
        list(eisenmp.csv_column(path, "y"))
    assert str(caught.value) == f"{path}:{said}"


def test_a_file_that_changes(tmp_path: Path) -> None:
    path = tmp_path / "rows"
    path.write_bytes(b"a\nb\n")
    rows = eisenmp.lines(path)
    iterator = iter(rows)
    assert next(iterator) == "a"
    with path.open("ab") as file:
        file.write(b"c\n")
    with pytest.raises(FeedError, match="the file has changed while it was read"):
        next(iterator)
    assert list(rows) == ["a", "b", "c"]


@pytest.mark.parametrize(
    ("make", "error"),
    [
        (lambda path: eisenmp.lines(path / "missing"), FileNotFoundError),
        (lambda path: eisenmp.lines(path), OSError),
        (lambda path: eisenmp.lines(path / "x", encoding="utf-16"), ValueError),
        (lambda path: eisenmp.lines(path / "x", encoding="iso2022_jp"), ValueError),
        (lambda path: eisenmp.lines(path / "x", encoding="nothing"), ValueError),
        (lambda path: eisenmp.csv_column(path / "x", "x", delimiter="ab"), ValueError),
    ],
)
def test_what_is_refused_at_once(tmp_path: Path, make: Callable[[Path], Any], error: type[Exception]) -> None:
    (tmp_path / "x").write_bytes(b"x\n")
    with pytest.raises(error):
        make(tmp_path)


def test_a_slice_of_a_span_has_the_rows_of_the_slice(tmp_path: Path) -> None:
    path = tmp_path / "rows"
    path.write_bytes(b"".join(b"%d\n" % number for number in range(100)))
    rows = eisenmp.lines(path)
    stock: TextFile = rows.stock(10)
    cutter = rows.cutter(stock)
    assert cutter.skip(30) == 30
    span, reader = cutter.cut(10), stock.open()
    assert span is not None
    assert (reader.rows(span[4:7]), reader.rows(span[4:7][1:])) == (["34", "35", "36"], ["35", "36"])
    cutter.close()
    reader.close()


def test_which_arrays_the_workers_map(tmp_path: Path) -> None:
    path = tmp_path / "array"
    array = numpy.memmap(path, "i4", "w+", offset=8, shape=(10, 2))
    assert supply_of(array) is not None
    assert supply_of(numpy.memmap(path, "i4", "c", 8, (10, 2))) is None
    assert supply_of(array[2:]) is None
    assert supply_of(numpy.arange(10)) is None
