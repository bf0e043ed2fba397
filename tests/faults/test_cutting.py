"""Chunks that are cut: plain rows in the manager, all others in a process that may die of it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import eisenmp
from eisenmp.manager.cutting import cut_plain
from eisenmp.wire.pickles import dumps, loads
from tests.faults.striker import Answer
from tests.leaks import wait_gone

ROOT = Path(__file__).parents[2]

WORKER = """
import os
import eisenmp

@eisenmp.worker
def work(toolbox, rows):
    for row in rows:
        if getattr(row, "number", row) == 4:
            os._exit(9)
    return [getattr(row, "number", row) for row in rows]
"""

ROWS = """
import os, threading

class Row:
    "Its number is to be opened by a worker, and hangs whoever else opens it."

    def __init__(self, number):
        self.number = number

    def __reduce__(self):
        return open_row, (self.number,)

def open_row(number):
    if "eisenmp.child.cutter" in __import__("sys").modules:
        with open(os.environ["FIFO"], "w") as file:
            print(os.getpid(), file=file, flush=True)
        threading.Event().wait()
    return Row(number)
"""

PROGRAM = """
import sys
import eisenmp
from rows import Row

with eisenmp.Mp("work.py:work", procs_max=1, rows_max=3, on_error="skip", retries={"death": 0}) as emp:
    emp.feed(map(Row, range(12))).wait()
"""


@pytest.fixture
def worker(tmp_path: Path) -> str:
    path = tmp_path / "work.py"
    path.write_text(WORKER)
    return f"{path}:work"


@pytest.mark.parametrize(
    "rows",
    [
        list(range(10)),
        range(10),
        tuple("abcdefghij"),
        b"0123456789",
        [{"a": (1.5, None)}] * 10,
        np.arange(10),
    ],
    ids=lambda rows: type(rows).__name__,
)
def test_plain_rows_are_cut_where_the_manager_is(rows: object) -> None:
    pieces = cut_plain(dumps(rows), (3, 4))
    assert pieces is not None
    cut = [loads(piece) for piece in pieces]
    assert [list(piece) for piece in cut] == [list(rows)[:3], list(rows)[3:4], list(rows)[4:]]  # type: ignore[call-overload]
    assert {type(piece) for piece in cut} == {type(rows)}


def test_rows_that_take_code_of_the_user_are_not() -> None:
    assert cut_plain(dumps([Answer(1), Answer(2)]), (1,)) is None
    assert cut_plain(dumps([print, os.system]), (1,)) is None
    assert cut_plain(dumps(5), (1,)) is None


def test_no_process_is_started_for_plain_rows(worker: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subprocess, "Popen", None)
    with eisenmp.Mp(worker, procs_max=2, rows_max=3, on_error="skip") as emp:
        feed = emp.feed(range(12))
        assert sorted(row for result in feed for row in result.value) == [n for n in range(12) if n != 4]
        assert [list(failure.rows) for failure in feed.failed] == [[4]]


def test_a_feed_may_be_cancelled_while_its_chunk_is_cut(
    worker: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows, fifo = _hanging_rows(tmp_path)
    monkeypatch.setenv("FIFO", str(fifo))
    monkeypatch.syspath_prepend(str(tmp_path))
    import rows as module  # type: ignore[import-not-found]

    with eisenmp.Mp(worker, procs_max=1, rows_max=3, on_error="skip", retries={"death": 0}) as emp:
        feed = emp.feed(map(module.Row, range(12)))
        with fifo.open() as file:
            pid = int(file.readline())
        feed.cancel()
        assert feed.wait(60)
        # and the manager goes on
        assert [result.value for result in emp.feed(range(3))] == [[0, 1, 2]]
    assert wait_gone(pid)


def test_who_cuts_ends_with_the_manager(worker: str, tmp_path: Path) -> None:
    _, fifo = _hanging_rows(tmp_path)
    program = tmp_path / "program.py"
    program.write_text(PROGRAM)
    environment = {**os.environ, "FIFO": str(fifo), "PYTHONPATH": str(ROOT)}
    with subprocess.Popen([sys.executable, program], cwd=tmp_path, env=environment) as process:
        with fifo.open() as file:
            pid = int(file.readline())
        process.send_signal(signal.SIGKILL)
    assert wait_gone(pid)


def _hanging_rows(folder: Path) -> tuple[Path, Path]:
    rows, fifo = folder / "rows.py", folder / "fifo"
    rows.write_text(ROWS)
    os.mkfifo(fifo)
    return rows, fifo
