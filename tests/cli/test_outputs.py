"""Where results go: complete, readable by others, equal to what was computed here."""

from __future__ import annotations

import csv
import json
import os
import sqlite3
from contextlib import closing
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest

from eisenmp.cli.exitcodes import DONE, FAILED, USAGE
from eisenmp.cli.outputs import Csv, JsonLines, Screen, Sqlite, Unwritable, to_json
from eisenmp.core.results import Result
from eisenmp.core.ticket import Ticket

from .conftest import Command

WORDS = [f"word{'x' * (number % 7)}" for number in range(100)]
SIZE = 7
EXPECTED = {
    number: [len(word) for word in WORDS[number * SIZE : (number + 1) * SIZE]]
    for number in range(-(-len(WORDS) // SIZE))
}


def read_jsonl(path: Path) -> list[tuple[int, Any]]:
    results = [json.loads(line) for line in path.read_text().splitlines()]
    assert all(list(result) == ["ticket", "queue", "value"] for result in results)
    assert {result["queue"] for result in results} == {"mp_input_q (default)"}
    return [(result["ticket"], result["value"]) for result in results]


def read_csv(path: Path) -> list[tuple[int, Any]]:
    with path.open(newline="") as file:
        table = list(csv.reader(file))
    assert table[0] == ["ticket", "value"]
    return [(int(number), json.loads(value)) for number, value in table[1:]]


def read_db(path: Path) -> list[tuple[int, Any]]:
    with closing(sqlite3.connect(path)) as database:
        rows = database.execute("SELECT ticket, part, value FROM results ORDER BY rowid").fetchall()
    assert all(part == 0 for _, part, _ in rows)
    return [(ticket, json.loads(value)) for ticket, _, value in rows]


READERS = {".jsonl": read_jsonl, ".csv": read_csv, ".db": read_db}


@pytest.mark.parametrize("ordered", [[], ["--ordered"]])
@pytest.mark.parametrize("suffix", READERS)
def test_files_are_complete(eisenmp: Command, folder: Path, suffix: str, ordered: list[str]) -> None:
    (folder / "words.txt").write_text("\n".join(WORDS))
    outcome = eisenmp(
        "run",
        "workers.py:lengths",
        "--lines",
        "words.txt",
        "--rows-max",
        SIZE,
        "-o",
        f"out{suffix}",
        *ordered,
    )
    assert outcome == (DONE, "", "")
    results = READERS[suffix](folder / f"out{suffix}")
    assert dict(results) == EXPECTED
    assert len(results) == len(EXPECTED)
    if ordered:
        assert [number for number, _ in results] == sorted(EXPECTED)
    assert os.listdir(folder).count(f"out{suffix}-wal") == 0


@pytest.mark.parametrize("suffix", READERS)
def test_a_file_that_exists_is_rewritten(eisenmp: Command, folder: Path, suffix: str) -> None:
    (folder / "words.txt").write_text("\n".join(WORDS))
    out = folder / f"out{suffix}"
    for _ in range(2):
        assert eisenmp("run", "workers.py:lengths", "--lines", "words.txt", "--output", out).code == DONE
        assert READERS[suffix](out) == [(0, [len(word) for word in WORDS])]
    out.write_bytes(b"not a database, and longer than any result\n" * 1000)
    assert eisenmp("run", "workers.py:lengths", "--lines", "words.txt", "--output", out).code == DONE
    assert READERS[suffix](out) == [(0, [len(word) for word in WORDS])]


def test_it_is_rewritten_too_when_the_rows_come_from_stdin(piped: Command, folder: Path) -> None:
    (folder / "out.jsonl").write_text("of an earlier run\n")
    ended = piped("3\n", "run", "workers.py:same", "--jsonl", "-", "-o", "out.jsonl")
    assert (ended.code, ended.err) == (DONE, "")
    assert READERS[".jsonl"](folder / "out.jsonl") == [(0, [3])]


def test_a_database_whose_writer_was_killed_is_rewritten(eisenmp: Command, folder: Path) -> None:
    # What a killed run leaves: an open log beside the file.
    database = sqlite3.connect(folder / "out.db", isolation_level=None)
    database.execute("PRAGMA journal_mode = WAL")
    database.execute("CREATE TABLE results (other)")
    kept = {name: (folder / name).read_bytes() for name in ("out.db", "out.db-wal")}
    database.close()
    for name, content in kept.items():
        (folder / name).write_bytes(content)
    (folder / "words.txt").write_text("ape")
    assert eisenmp("run", "workers.py:lengths", "--lines", "words.txt", "-o", "out.db") == (DONE, "", "")
    assert read_db(folder / "out.db") == [(0, [3])]


@pytest.mark.parametrize("options", [[], ["-o", "-"]])
def test_stdout_gets_json_lines(eisenmp: Command, folder: Path, options: list[str]) -> None:
    (folder / "words.txt").write_text("ape\nbee\n")
    outcome = eisenmp("run", "workers.py:same", "--lines", "words.txt", *options)
    assert (outcome.code, outcome.err) == (DONE, "")
    assert outcome.out == '{"ticket": 0, "queue": "mp_input_q (default)", "value": ["ape", "bee"]}\n'


def test_what_workers_print_does_not_mix_with_results(eisenmp: Command, folder: Path) -> None:
    (folder / "words.txt").write_text("ape\n")
    outcome = eisenmp("run", "workers.py:prints", "--lines", "words.txt", "--procs-max", 1)
    assert [json.loads(line)["value"] for line in outcome.out.splitlines()] == ["ape"]
    assert outcome.err.rstrip().endswith("| from the worker ape")
    outcome = eisenmp("run", "workers.py:prints", "--lines", "words.txt", "--procs-max", 1, "-o", "out.jsonl")
    assert outcome.out.rstrip().endswith("| from the worker ape")
    assert outcome.err == ""


def test_a_worker_in_the_style_of_1_0(eisenmp: Command, folder: Path) -> None:
    (folder / "words.txt").write_text("\n".join(WORDS))
    outcome = eisenmp("run", "workers.py:old_style", "--lines", "words.txt", "--rows-max", 30, "--ordered")
    assert [json.loads(line)["value"] for line in outcome.out.splitlines()] == [30, 30, 30, 10]


VALUES: list[tuple[Any, str]] = [
    (None, "null"),
    ({"a": (1, 2.5)}, '{"a": [1, 2.5]}'),
    ("gr\xfcn", '"gr\xfcn"'),
    ("half \ud800", '"half \\ud800"'),
    (2**70, str(2**70)),
]


@pytest.mark.parametrize(("value", "text"), VALUES)
def test_values_as_json(value: object, text: str) -> None:
    assert to_json(Ticket("q", 0), value) == text
    assert json.loads(text) == json.loads(json.dumps(value))


def test_numpy_as_json() -> None:
    import numpy

    value = {
        "one": numpy.int64(5),
        "many": numpy.arange(3),
        "mean": numpy.float32(0.5),
        "yes": numpy.bool_(True),
    }
    assert json.loads(to_json(Ticket("q", 0), value)) == {
        "one": 5,
        "many": [0, 1, 2],
        "mean": 0.5,
        "yes": True,
    }


@pytest.mark.parametrize(
    ("value", "why"),
    [
        ({1, 2}, "a set is none of dict, list"),
        (b"x", "a bytes is none of"),
        (float("nan"), "Out of range float"),
        ({(1, 2): 3}, "keys must be"),
    ],
)
def test_values_that_are_not_json(value: object, why: str) -> None:
    with pytest.raises(
        Unwritable, match=f"ticket 3 of queue 'q': its value cannot be written as JSON: {why}"
    ):
        to_json(Ticket("q", 3), value)
    itself: list[object] = []
    itself.append(itself)
    with pytest.raises(Unwritable, match="Circular"):
        to_json(Ticket("q", 3), itself)


SETS = """
    import eisenmp

    @eisenmp.worker
    def sets(toolbox, rows):
        return set(rows) if "c" in rows else rows
"""


def test_an_unwritable_result_ends_the_run(eisenmp: Command, folder: Path) -> None:
    (folder / "sets.py").write_text(dedent(SETS))
    (folder / "words.txt").write_text("a\nb\nc\nd\n")
    options = ["run", "sets.py:sets", "--lines", "words.txt", "--rows-max", 1, "--ordered", "-o", "out.jsonl"]
    outcome = eisenmp(*options)
    assert outcome.code == FAILED
    assert outcome.error.startswith(
        "ticket 2 of queue 'mp_input_q (default)': its value cannot be written as JSON"
    )
    assert read_jsonl(folder / "out.jsonl") == [(0, ["a"]), (1, ["b"])]
    outcome = eisenmp(*options, "--on-error", "skip")
    assert outcome.code == FAILED
    assert outcome.error.startswith("1 of 4 tickets failed; the first: ticket 2 of queue")
    assert read_jsonl(folder / "out.jsonl") == [(0, ["a"]), (1, ["b"]), (3, ["d"])]


@pytest.mark.parametrize(
    ("value", "field"),
    [(None, ""), ("a text, as it is", "a text, as it is"), (5, "5"), (True, "true"), (["x", 1], '["x", 1]')],
)
def test_csv_fields(tmp_path: Path, value: object, field: str) -> None:
    path = tmp_path / "out.csv"
    with path.open("wb") as file:
        table = Csv("out.csv", file)
        table.write(Result(Ticket("q", 4), value))
        table.close()
    with path.open(newline="") as text:
        assert list(csv.reader(text)) == [["ticket", "value"], ["4", field]]


def test_parts_of_a_ticket_are_told_apart(tmp_path: Path) -> None:
    results = [Result(Ticket("q", 4, 1, part), f"part {part}") for part in (1, 2)]
    with (tmp_path / "out.jsonl").open("wb") as file:
        lines = JsonLines("out.jsonl", file)
        for result in results:
            lines.write(result)
    written = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    assert [(line["ticket"], line["part"], line["value"]) for line in written] == [
        (4, 1, "part 1"),
        (4, 2, "part 2"),
    ]
    database = Sqlite(str(tmp_path / "out.db"), (tmp_path / "out.db").open("wb"))
    for result in results:
        database.write(result)
    database.close()
    with closing(sqlite3.connect(tmp_path / "out.db")) as reader:
        assert reader.execute("SELECT * FROM results").fetchall() == [(4, 1, '"part 1"'), (4, 2, '"part 2"')]


def test_a_database_can_be_read_while_it_is_written(tmp_path: Path) -> None:
    path = tmp_path / "out.db"
    database = Sqlite(str(path), path.open("wb"))
    for number in range(3):
        database.write(Result(Ticket("q", number), [number]))
        assert read_db(path) == [(past, [past]) for past in range(number + 1)]
    database.close()
    assert os.listdir(tmp_path) == ["out.db"]


def test_a_terminal_gets_a_line_for_each_ticket(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "30")
    screen = Screen()
    for number, value in enumerate([[1, 2], "two\nlines", list(range(100)), {1}]):
        screen.write(Result(Ticket("q", number), value))
    screen.write(Result(Ticket("q", 7, 1, 2), None))
    screen.close()
    lines = capsys.readouterr().out.splitlines()
    assert lines[:2] == ["       0  [1, 2]", "       1  two"]
    assert lines[2] == "       2  [0, 1, 2, 3, 4, 5, …" and len(lines[2]) == 30
    assert lines[3:] == ["       3  {1}", "     7.2  None"]


def test_outputs_that_cannot_be(eisenmp: Command, folder: Path) -> None:
    rows = folder / "rows.jsonl"
    rows.write_text("1\n")
    (folder / "folder.csv").mkdir()
    (folder / "link.jsonl").symlink_to(rows)
    run = ["run", "workers.py:same", "--jsonl", "rows.jsonl"]
    for path, said in {
        "out.xml": "-o out.xml: the name of an output ends with .jsonl, .csv, .db, or is - for stdout",
        "out": "-o out: the name of an output ends with",
        "missing/out.csv": "missing/out.csv: No such file or directory",
        "folder.csv": "folder.csv: Is a directory",
        "rows.jsonl": "-o rows.jsonl: it is the input too",
        "link.jsonl": "-o link.jsonl: it is the input too",
    }.items():
        outcome = eisenmp(*run, "-o", path)
        assert outcome.code == USAGE
        assert outcome.error.startswith(said)
    assert rows.read_text() == "1\n"


def test_a_mistake_leaves_the_old_output_alone(eisenmp: Command, folder: Path) -> None:
    out = folder / "out.jsonl"
    out.write_text("precious")
    (folder / "rows.txt").write_text("1\n")
    (folder / "syntax.py").write_text("def x(:\n")
    rows = ["--lines", "rows.txt"]
    for worker, options in (
        ("workers.py:same", ["--lines", "missing.txt"]),
        ("workers.py:same", [*rows, "--procs-max", "0"]),
        ("missing.py:same", rows),
        ("syntax.py:x", rows),
    ):
        assert eisenmp("run", worker, *options, "-o", out).code == USAGE
        assert out.read_text() == "precious"


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="only Linux has a device that is always full")
@pytest.mark.parametrize("suffix", [".jsonl", ".csv"])
def test_a_full_disk_is_said(eisenmp: Command, folder: Path, suffix: str) -> None:
    (folder / "rows.txt").write_text("1\n")
    (folder / f"out{suffix}").symlink_to("/dev/full")
    outcome = eisenmp("run", "workers.py:same", "--lines", "rows.txt", "-o", f"out{suffix}")
    assert outcome.error == f"out{suffix}: No space left on device"
    assert outcome.code == (FAILED if suffix == ".jsonl" else USAGE)
