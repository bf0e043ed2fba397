"""Where rows end: the same rows as the module csv and text files find, however the bytes come."""

from __future__ import annotations

import csv
import io

from hypothesis import given
from hypothesis import strategies as st

from eisenmp.core.records import Form, lines_in

CSV, LINES = Form(b","), Form()

letters = st.text(st.sampled_from('a"",\n\r'), max_size=40)
pieces = st.lists(
    st.sampled_from(['"a"', '"a\nb"', '"x""y"', '""', ",", ",", "\n", "\n", "\r\n", "q", 'q"q', "\n\n"])
).map("".join)
texts = letters | pieces
sizes = st.integers(1, 6)


def pieces_of(data: bytes, form: Form, rows_max: int, block: int) -> list[tuple[int, bytes]]:
    """The data in pieces of so many rows, of which so many bytes are looked at first."""
    found = []
    while data:
        length = block
        while True:
            rows, end = form.cut(data[:length], rows_max, final=length >= len(data))
            if rows == rows_max or length >= len(data):
                break
            length *= 2
        if not rows:
            break
        found.append((rows, data[:end]))
        data = data[end:]
    return found


def records(text: str) -> list[list[str]] | None:
    """What csv makes of it, without blank lines; None when that is none."""
    try:
        return [record for record in csv.reader(io.StringIO(text, newline=""), strict=True) if record]
    except csv.Error:
        return None


@given(texts, sizes, sizes)
def test_records(text: str, rows_max: int, block: int) -> None:
    expected = records(text)
    if expected is None:
        return
    pieces = pieces_of(text.encode(), CSV, rows_max, block)
    parsed = [records(piece.decode()) for _, piece in pieces]
    assert [record for part in parsed for record in part or ()] == expected
    assert [rows for rows, _ in pieces] == [len(part or ()) for part in parsed]
    assert all(rows == rows_max for rows, _ in pieces[:-1])


@given(texts, sizes, sizes)
def test_lines(text: str, rows_max: int, block: int) -> None:
    def split(part: str) -> list[str]:
        return list(io.StringIO(part, newline=None))

    pieces = pieces_of(text.encode(), LINES, rows_max, block)
    parsed = [split(piece.decode()) for _, piece in pieces]
    assert [line for part in parsed for line in part] == split(text)
    assert [rows for rows, _ in pieces] == list(map(len, parsed))
    assert all(rows == rows_max for rows, _ in pieces[:-1])


def test_an_open_quote_is_one_last_row() -> None:
    assert CSV.cut(b'1,2\n3,"4\n5\n', 9, final=True) == (2, 11)
    assert CSV.cut(b'1,2\n3,"4\n5\n', 9, final=False) == (1, 4)


def test_many_lines_are_found_without_looking_at_each() -> None:
    data = b"".join(b"%d\n" % number for number in range(10_000))
    rows, end = LINES.cut(data, 7_777, final=False)
    assert (rows, data[:end].count(b"\n"), data[end - 5 : end]) == (7_777, 7_777, b"7776\n")


@given(texts)
def test_line_ends_are_counted(text: str) -> None:
    assert lines_in(text.encode()) == io.StringIO(text, newline=None).read().count("\n")
