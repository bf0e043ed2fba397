"""How a run ends: exit codes, what is said, nothing left; results while rows still come."""

from __future__ import annotations

import json
import os
import select
import signal
import sqlite3
import subprocess
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path

import pytest

from eisenmp.cli.exitcodes import DONE, FAILED, INTERRUPTED, USAGE
from tests.leaks import is_gone, wait_gone

from .conftest import Command, program

RUN = ["--rows-max", 1, "--procs-max", 2]


def test_a_worker_that_raises(eisenmp: Command, folder: Path) -> None:
    (folder / "rows").write_text("a\nb\nc\nd\n")
    run = ["run", "workers.py:fails_on_c", "--lines", "rows", "--rows-max", 2]
    outcome = eisenmp(*run)
    assert outcome.code == FAILED
    assert (
        outcome.error
        == "the worker raised ValueError: there is a c on ticket 1 of queue 'mp_input_q (default)'"
    )
    for option in ("-v", "--verbose", "--traceback"):
        outcome = eisenmp(*run, option)
        assert outcome.code == FAILED
        assert 'workers.py", line' in outcome.err and 'raise ValueError("there is a c")' in outcome.err


def test_the_ticket_is_named_when_the_message_has_several_lines(eisenmp: Command, folder: Path) -> None:
    (folder / "rows").write_text("a\n")
    outcome = eisenmp("run", "workers.py:fails_in_lines", "--lines", "rows")
    assert outcome.code == FAILED
    assert "ticket 0 of queue 'mp_input_q (default)'" in outcome.error and "first line" in outcome.error


def test_failures_that_are_skipped(eisenmp: Command, folder: Path) -> None:
    (folder / "rows").write_text("a\nb\nc\nd\ne\n")
    run = ["run", "workers.py:fails_on_c", "--lines", "rows", *RUN, "--on-error", "skip", "--ordered"]
    outcome = eisenmp(*run)
    assert outcome.code == FAILED
    assert outcome.error.startswith(
        "1 of 5 tickets failed; the first: the worker raised ValueError: there is a c on ticket 2"
    )
    assert [json.loads(line)["value"] for line in outcome.out.splitlines()] == [["a"], ["b"], ["d"], ["e"]]
    assert 'raise ValueError("there is a c")' in eisenmp(*run, "-v").err


def test_a_worker_that_dies(eisenmp: Command, folder: Path) -> None:
    (folder / "rows").write_text("a\n")
    outcome = eisenmp("run", "workers.py:dies", "--lines", "rows", "--retries", 0, "--procs-max", 1)
    assert outcome.code == FAILED
    said = [line for line in outcome.err.splitlines() if line.startswith("eisenmp: ")]
    assert len(said) == 1
    assert "exit code 7" in said[0] and "ticket 0" in said[0]


MISTAKES = {
    # worker: what is said of it
    "missing.py:same": "missing.py: there is no such file",
    "workers.py:smae": "workers.py: there is no 'smae' in it; did you mean 'same'?",
    "workers.py": "'workers.py' does not say which function",
    "no_such_package.module:name": "there is no module 'no_such_package'",
    "syntax.py:worker": "syntax.py:2: SyntaxError: ",
    "raises.py:worker": "raises.py:1: ZeroDivisionError: division by zero",
    "http://127.0.0.1/find.py:name#sha256=00": "http://127.0.0.1/find.py",
}


@pytest.mark.parametrize("worker", MISTAKES)
def test_a_worker_that_cannot_be_loaded(eisenmp: Command, folder: Path, worker: str) -> None:
    (folder / "rows").write_text("a\n")
    (folder / "syntax.py").write_text("\ndef worker(:\n")
    (folder / "raises.py").write_text("1 / 0\n")
    outcome = eisenmp("run", worker, "--lines", "rows")
    assert outcome.code == USAGE
    assert MISTAKES[worker] in outcome.error


def test_the_traceback_of_an_import_when_asked_for(eisenmp: Command, folder: Path) -> None:
    (folder / "rows").write_text("a\n")
    (folder / "raises.py").write_text("def divide():\n    return 1 / 0\n\ndivide()\n")
    outcome = eisenmp("run", "raises.py:worker", "--lines", "rows", "-v")
    assert outcome.code == USAGE
    assert "in divide" in outcome.err


def read_whole(path: Path) -> int:
    """How many results somebody else sees in the file now."""
    if not path.exists():
        return 0
    if path.suffix == ".db":
        try:
            with closing(sqlite3.connect(path)) as database:
                return int(database.execute("SELECT count(*) FROM results").fetchone()[0])
        except sqlite3.OperationalError:
            return 0  # no table yet
    return path.read_text().count("\n") - (path.suffix == ".csv")


def complete(path: Path, results: int) -> bool:
    return read_whole(path) == results


def wait_until(ready: Callable[[], bool], process: subprocess.Popen[str]) -> None:
    """Look again and again, until it is so or the process has ended."""
    ended = os.pidfd_open(process.pid)
    try:
        while not ready():
            assert not select.select([ended], [], [], 0.01)[0], process.communicate()[1]
    finally:
        os.close(ended)


@pytest.mark.parametrize("suffix", [".jsonl", ".csv", ".db"])
def test_a_result_is_in_the_file_before_the_last_row_is_given(folder: Path, suffix: str) -> None:
    out = folder / f"out{suffix}"
    with running("run", "workers.py:same", "--lines", "-", *RUN, "-o", out) as process:
        assert process.stdin is not None
        for number in range(1, 4):
            process.stdin.write(f"row {number}\n")
            process.stdin.flush()
            wait_until(partial(complete, out, number), process)
        _, err = process.communicate("the last\n")
    assert (process.returncode, err) == (DONE, "")
    assert read_whole(out) == 4


def test_a_result_is_on_stdout_before_the_last_row_is_given(folder: Path) -> None:
    os.mkfifo("rows")
    with running("run", "workers.py:one", "--jsonl", "rows", *RUN) as process, open("rows", "w") as rows:
        assert process.stdout is not None
        for number in range(3):
            rows.write(f"{number}\n")
            rows.flush()
            assert json.loads(process.stdout.readline())["value"] == number
    assert process.returncode == DONE


@contextmanager
def running(*arguments: object) -> Iterator[subprocess.Popen[str]]:
    """The command as a program in a session of its own, killed if the test does not see its end."""
    process = program(*arguments, start_new_session=True)
    try:
        with process:
            yield process
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()


def test_a_reader_that_has_seen_enough(folder: Path) -> None:
    (folder / "feeds.py").write_text("import itertools\nendless = itertools.count()\n")
    with running("run", "workers.py:one", "--feed", "feeds.py:endless", *RUN) as process:
        assert process.stdout is not None and process.stderr is not None
        assert "value" in process.stdout.readline()
        process.stdout.close()
        err = process.stderr.read()
    assert process.returncode == FAILED
    assert err.startswith("eisenmp: stdout: closed by its reader after ") and err.count("\n") == 1


def test_a_reader_that_has_seen_enough_does_not_wait_for_a_long_chunk(folder: Path) -> None:
    os.mkfifo("pids")
    os.mkfifo("never")
    (folder / "mixed.py").write_text(
        "import eisenmp, os, workers\n\n"
        "@eisenmp.worker\n"
        "def mixed(toolbox, rows):\n"
        "    return rows[0] if rows[0] else workers.waits(toolbox, rows)\n"
    )
    # The second worker is in its chunk before the reader of the first one's results leaves.
    with running("run", "mixed.py:mixed", "--jsonl", "-", *RUN, "--grace", 3600) as process:
        assert process.stdin is not None and process.stdout is not None and process.stderr is not None
        process.stdin.write("0\n")
        process.stdin.flush()
        (pid,) = pids_of(1)
        process.stdin.write("1\n")
        process.stdin.flush()
        process.stdout.readline()
        process.stdout.close()
        process.stdin.write("2\n")
        process.stdin.flush()
        err = process.stderr.read()
    assert process.returncode == FAILED
    assert err == "eisenmp: stdout: closed by its reader after 1 result\n"
    assert wait_gone(pid)


def pids_of(workers: int) -> list[int]:
    """The pids that the worker `waits` tells, when so many are in their chunk."""
    # Opened for both: there is no end of the file between two writers.
    with open(os.open("pids", os.O_RDWR), encoding="ascii") as pids:
        return [int(pids.readline()) for _ in range(workers)]


def interrupt(process: subprocess.Popen[str]) -> tuple[str, str]:
    """Ctrl-C: SIGINT to the whole group, as a terminal sends it; what was written."""
    os.killpg(process.pid, signal.SIGINT)
    return process.communicate()


@pytest.mark.parametrize("options", [["-o", "out.jsonl"], ["-o", "out.db"], ["--ordered"]])
def test_ctrl_c_while_workers_work(folder: Path, options: list[str]) -> None:
    os.mkfifo("pids")
    os.mkfifo("never")
    (folder / "rows").write_text("a\nb\n")
    with running("run", "workers.py:waits", "--lines", "rows", *RUN, "--grace", 3600, *options) as process:
        busy = pids_of(2)
        os.killpg(process.pid, signal.SIGINT)
        assert process.stderr is not None
        said = process.stderr.readline()
        out, err = interrupt(process)
    assert said == "eisenmp: interrupted; waiting for 2 running chunks: Ctrl-C again kills\n"
    assert (process.returncode, out, err) == (INTERRUPTED, "", "")
    assert all(wait_gone(pid) for pid in busy)


STUCK = """
import os

def stuck():
    yield 1
    with open("pids", "w") as pids:
        pids.write(f"{os.getpid()}\\n")
    open("never").read()
"""


def test_ctrl_c_twice(folder: Path) -> None:
    os.mkfifo("pids")
    os.mkfifo("never")
    (folder / "feeds.py").write_text(STUCK)
    with running("run", "workers.py:waits", "--feed", "feeds.py:stuck", *RUN) as process:
        pids = pids_of(2)  # the worker is in its chunk, and the generator does not come back
        os.killpg(process.pid, signal.SIGINT)
        pids.remove(process.pid)
        assert process.stderr is not None
        assert "waiting for 1 running chunk:" in process.stderr.readline()
        assert not is_gone(pids[0])
        out, err = interrupt(process)
        assert wait_gone(pids[0])
    assert (process.returncode, out) == (INTERRUPTED, "")
    assert err.startswith("eisenmp: the generator of queue 'mp_input_q (default)' does not return from next")
    assert err.count("\n") == 1


def test_ctrl_c_while_stdin_gives_nothing(folder: Path) -> None:
    with running("run", "workers.py:one", "--lines", "-", *RUN) as process:
        assert process.stdin is not None and process.stdout is not None
        process.stdin.write("a\n")
        process.stdin.flush()
        assert json.loads(process.stdout.readline())["value"] == "a"
        out, err = interrupt(process)
    assert (process.returncode, out, err) == (INTERRUPTED, "", "")


def test_a_worker_that_fails_while_stdin_gives_nothing(folder: Path) -> None:
    with running("run", "workers.py:fails_on_c", "--lines", "-", *RUN) as process:
        assert process.stdin is not None and process.stderr is not None
        process.stdin.write("c\n")
        process.stdin.flush()
        assert "there is a c on ticket 0" in process.stderr.readline()
        process.wait()
        assert process.stderr.read() == ""
    assert process.returncode == FAILED
