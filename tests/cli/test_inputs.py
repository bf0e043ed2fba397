"""Where rows come from, and what is said of rows that are none."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest

from eisenmp.cli.exitcodes import DONE, FAILED, USAGE

from .conftest import Command


def rows_of(out: str) -> list[Any]:
    """All rows in the order of the tickets, from the lines of the worker `same`."""
    results = [json.loads(line) for line in out.splitlines()]
    results.sort(key=lambda result: int(result["ticket"]))
    return [row for result in results for row in result["value"]]


TEXTS = {
    "plain": (b"a\nb\nc\n", ["a", "b", "c"]),
    "no end at the end": (b"a\nb", ["a", "b"]),
    "empty lines are rows": (b"\na\n\n", ["", "a", ""]),
    "line ends of Windows": (b"a\r\nb \r\n", ["a", "b "]),
    "byte order mark": (b"\xef\xbb\xbfa\nb\n", ["a", "b"]),
    "more than ASCII": ("gr\xfcn\n\u6f22\u5b57\n".encode(), ["gr\xfcn", "\u6f22\u5b57"]),
    "other line ends are data": ("a\u2028b\x0bc\x85\n".encode(), ["a\u2028b\x0bc\x85"]),
    "line ends of old": (b"a\rb\n\r\n", ["a", "b", ""]),
    "STOP is data": (b"STOP\nWORKER_STOPS\n", ["STOP", "WORKER_STOPS"]),
}


@pytest.mark.parametrize("name", TEXTS)
def test_lines(eisenmp: Command, folder: Path, name: str) -> None:
    content, expected = TEXTS[name]
    (folder / "rows.txt").write_bytes(content)
    outcome = eisenmp("run", "workers.py:same", "--lines", "rows.txt", "--rows-max", 2)
    assert (outcome.code, outcome.err) == (DONE, "")
    assert rows_of(outcome.out) == expected


def test_compressed_files_are_unpacked(eisenmp: Command, folder: Path) -> None:
    (folder / "rows.gz").write_bytes(gzip.compress(b'x,y\n1,"a\nb"\n'))
    for options, expected in (
        (("--lines", "rows.gz"), ["x,y", '1,"a', 'b"']),
        (("--csv", "rows.gz", "--column", "y"), ["a\nb"]),
    ):
        outcome = eisenmp("run", "workers.py:same", *options)
        assert (outcome.code, outcome.err) == (DONE, "")
        assert rows_of(outcome.out) == expected


TABLES = {
    "plain": ("id,word\n1,ape\n2,bee\n", ["ape", "bee"]),
    "byte order mark before the column": ("\ufeffword,id\nape,1\n", ["ape"]),
    "quotes, commas, line ends": (
        'id,word\n1,"a, b"\n2,"two\nlines"\n3,"say ""x"""\n',
        ["a, b", "two\nlines", 'say "x"'],
    ),
    "blank lines": ("\n\nid,word\n\n1,ape\n\n", ["ape"]),
    "empty fields": ("id,word\n1,\n,bee\n", ["", "bee"]),
    "more fields than columns": ("id,word\n1,ape,x,y\n", ["ape"]),
}


@pytest.mark.parametrize("name", TABLES)
def test_a_column_of_csv(eisenmp: Command, folder: Path, name: str) -> None:
    content, expected = TABLES[name]
    (folder / "table.csv").write_text(content, newline="")
    outcome = eisenmp("run", "workers.py:same", "--csv", "table.csv", "--column", "word")
    assert (outcome.code, outcome.err) == (DONE, "")
    assert rows_of(outcome.out) == expected


def test_json_lines(eisenmp: Command, folder: Path) -> None:
    values = [1, "two", [3, None], {"four": 4.5}, True, "gr\xfcn \u2028"]
    text = "\n\n".join(json.dumps(value, ensure_ascii=number % 2 == 0) for number, value in enumerate(values))
    (folder / "rows.jsonl").write_text(f"\ufeff{text}", encoding="utf-8")
    outcome = eisenmp("run", "workers.py:same", "--jsonl", "rows.jsonl", "--rows-max", 4)
    assert (outcome.code, outcome.err) == (DONE, "")
    assert rows_of(outcome.out) == values


FEEDS = """
    def squares():
        for number in range(5):
            yield number * number

    class Countdown:
        def __iter__(self):
            return iter((3, 2, 1))

    generator = squares()
    numbers = range(7)
    words = ["a", "b"]
    lazy = lambda: map(str, [1, 2])

    def broken():
        yield 1
        yield 2
        raise KeyError("boom")

    def refuses():
        raise RuntimeError("no data today")

    def needs(size):
        yield size

    def gives_a_number():
        return 5

    def empty():
        return
        yield

    number = 5
"""


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("squares", [0, 1, 4, 9, 16]),
        ("generator", [0, 1, 4, 9, 16]),
        ("Countdown", [3, 2, 1]),
        ("numbers", list(range(7))),
        ("words", ["a", "b"]),
        ("lazy", ["1", "2"]),
    ],
)
def test_feed(eisenmp: Command, folder: Path, name: str, expected: list[object]) -> None:
    (folder / "feeds.py").write_text(dedent(FEEDS))
    for reference in (f"feeds.py:{name}", f"feeds:{name}"):
        outcome = eisenmp("run", "workers:same", "--feed", reference, "--rows-max", 2)
        assert (outcome.code, outcome.err) == (DONE, "")
        assert rows_of(outcome.out) == expected
        if name == "generator":
            return  # it is used up


@pytest.mark.parametrize(
    ("name", "code", "said"),
    [
        ("broken", FAILED, "the generator raised KeyError: 'boom' at row 2, in ticket"),
        ("refuses", USAGE, "feeds.py:refuses: RuntimeError: no data today"),
        ("needs", USAGE, "feed 'needs' takes 1 argument, is called with ()"),
        ("gives_a_number", USAGE, "feeds.py:gives_a_number: it gives int, which is no iterable"),
        ("number", USAGE, "feeds.py:number: int is neither a function nor an iterable"),
        ("empty", USAGE, "feeds.py:empty: there are no rows"),
        ("squaers", USAGE, "there is no 'squaers' in it; did you mean 'squares'?"),
    ],
)
def test_feed_that_is_none(eisenmp: Command, folder: Path, name: str, code: int, said: str) -> None:
    (folder / "feeds.py").write_text(dedent(FEEDS))
    outcome = eisenmp("run", "workers.py:same", "--feed", f"feeds.py:{name}")
    assert outcome.code == code
    assert said in outcome.error


def test_what_a_generator_gave_before_it_raised_is_written(eisenmp: Command, folder: Path) -> None:
    (folder / "feeds.py").write_text(dedent(FEEDS))
    outcome = eisenmp("run", "workers.py:same", "--feed", "feeds.py:broken", "--rows-max", 1, "-v")
    assert rows_of(outcome.out) == [1, 2]
    assert 'feeds.py", line' in outcome.err and "KeyError: 'boom'" in outcome.err
    assert "feeder.py" not in outcome.err


NO_INPUT = "one of --feed, --lines, --csv, --jsonl says where the rows come from"
TOGETHER = "--csv and --column go together: "
MANY = [f"c{number}" for number in range(99)]
BAD: dict[str, tuple[bytes, str, int, str]] = {
    # name: (what is in the file rows, options, exit code, begin of the line that is said)
    "nothing": (b"", "--lines rows", USAGE, "rows:1: there are no rows"),
    "not UTF-8": (b"good\nb\xffd\n", "--lines rows", FAILED, "rows:2: byte 0xff at place 2 is not UTF-8"),
    "the first line": (b"\xe9t\xe9\n", "--lines rows", FAILED, "rows:1: byte 0xe9 at place 1 is not UTF-8"),
    "compressed and cut off": (
        gzip.compress(b"good\n")[:-9],
        "--lines rows",
        USAGE,
        "rows: it cannot be unpacked: ",
    ),
    "a folder": (b"", "--lines folder", USAGE, "folder: Is a directory"),
    "missing": (b"", "--lines missing", USAGE, "missing: No such file or directory"),
    "csv: missing": (b"", "--csv missing --column x", USAGE, "missing: No such file or directory"),
    "csv: no such column": (
        b"id,word\n1,ape\n",
        "--csv rows --column wrod",
        USAGE,
        "rows:1: there is no column 'wrod'; did you mean 'word'?; the columns are 'id', 'word'",
    ),
    "csv: no such column after blank lines": (
        b"\n\nid;word\n",
        "--csv rows --column x",
        USAGE,
        "rows:3: there is no column 'x'; the columns are 'id;word'",
    ),
    "csv: many columns": (
        ",".join(MANY).encode(),
        "--csv rows --column x",
        USAGE,
        f"rows:1: there is no column 'x'; the columns are {str(MANY[:30])[1:-1]} and 69 more",
    ),
    "csv: the column twice": (b"x,x\n", "--csv rows --column x", USAGE, "rows:1: 2 columns are called 'x'"),
    "csv: nothing": (
        b"",
        "--csv rows --column x",
        USAGE,
        "rows:1: there is no header line, and so no column",
    ),
    "csv: a header only": (b"x,y\n", "--csv rows --column x", USAGE, "rows:2: there are no rows"),
    "csv: too few fields": (
        b"x,y\n1,2\n3\n",
        "--csv rows --column y",
        FAILED,
        "rows:3: 1 fields; column 'y' is number 2",
    ),
    "csv: a quote is never closed": (
        b'x,y\n1,2\n3,"4\n5,6\n',
        "--csv rows --column y",
        FAILED,
        "rows:4: not CSV: unexpected end of data",
    ),
    "csv: not UTF-8": (
        b"x,y\n1,2\n3,\xfc\n",
        "--csv rows --column y",
        FAILED,
        "rows:3: byte 0xfc at place 3 is not UTF-8",
    ),
    "jsonl: nothing": (b"\n\n", "--jsonl rows", USAGE, "rows:3: there are no rows"),
    "jsonl: bad": (b'1\n\n{"a": }\n', "--jsonl rows", FAILED, "rows:3: not JSON: Expecting value at place 7"),
    "jsonl: two in a line": (b"1 2\n", "--jsonl rows", FAILED, "rows:1: not JSON: Extra data at place 3"),
    "jsonl: too deep": (
        b"1\n" + b"[" * 100_000,
        "--jsonl rows",
        FAILED,
        "rows:2: not JSON that can be read: ",
    ),
    "jsonl: not UTF-8": (b'1\n"\xff"\n', "--jsonl rows", FAILED, "rows:2: byte 0xff at place 2 is not"),
    "csv without column": (b"x\n1\n", "--csv rows", USAGE, TOGETHER),
    "column without csv": (b"x\n", "--lines rows --column x", USAGE, TOGETHER),
    "no input": (b"", "", USAGE, NO_INPUT),
    "two inputs": (b"1\n", "--lines rows --jsonl rows", USAGE, f"{NO_INPUT}; given are --lines and --jsonl"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_input(eisenmp: Command, folder: Path, name: str) -> None:
    content, options, code, said = BAD[name]
    (folder / "folder").mkdir()
    (folder / "rows").write_bytes(content)
    outcome = eisenmp("run", "workers.py:same", *options.split())
    assert outcome.code == code
    assert outcome.error.startswith(said)


@pytest.mark.parametrize("name", ["not UTF-8", "csv: not UTF-8", "csv: too few fields", "jsonl: bad"])
def test_bad_input_in_the_middle_keeps_what_was_done(eisenmp: Command, folder: Path, name: str) -> None:
    content, options, code, said = BAD[name]
    (folder / "rows").write_bytes(content)
    outcome = eisenmp("run", "workers.py:same", *options.split(), "--rows-max", 1, "-o", "out.jsonl")
    assert (outcome.code, outcome.error) == (code, said)
    assert len(rows_of((folder / "out.jsonl").read_text())) == 1


@pytest.mark.parametrize(
    ("options", "text", "expected"),
    [
        (["--lines", "-"], "a\nb\n", ["a", "b"]),
        (["--lines=-"], "a\nb\n", ["a", "b"]),
        (["--csv", "-", "--column", "x"], "x,y\n1,2\n", ["1"]),
        (["--jsonl", "-"], "[1]\n2\n", [[1], 2]),
    ],
)
def test_stdin(piped: Command, options: list[str], text: str, expected: list[object]) -> None:
    outcome = piped(text, "run", "workers.py:same", *options)
    assert (outcome.code, outcome.err) == (DONE, "")
    assert rows_of(outcome.out) == expected


@pytest.mark.parametrize(
    ("options", "text", "code", "said"),
    [
        (["--lines", "-"], "", USAGE, "stdin:1: there are no rows"),
        (
            ["--csv", "-", "--column", "x"],
            "y\n",
            USAGE,
            "stdin:1: there is no column 'x'; the columns are 'y'",
        ),
        (["--jsonl", "-"], "1\n{\n", FAILED, "stdin:2: not JSON: Expecting property name"),
    ],
)
def test_bad_stdin(piped: Command, options: list[str], text: str, code: int, said: str) -> None:
    outcome = piped(text, "run", "workers.py:same", *options)
    assert outcome.code == code
    assert outcome.error.startswith(said)
