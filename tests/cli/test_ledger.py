"""Commands about a ledger: run with one, resume, dlq, replay."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest

import eisenmp as package
from eisenmp.cli.exitcodes import DONE, FAILED, USAGE
from eisenmp.cli.invocation import Invocation, again
from eisenmp.manager.archive import Archive
from eisenmp.testing import eventually
from tests.leaks import snapshot

from .conftest import Command, program

MODULE = """
    import os, sys
    import eisenmp

    @eisenmp.worker
    def lengths(toolbox, rows):
        with open("ran", "a") as ran:
            ran.write(f"{toolbox.ticket.number}\\n")
        if "c" in rows:
            print("just before", flush=True)
            raise ValueError("there is a c")
        return [len(row) for row in rows], {"dice": toolbox.rng.random()}

    @eisenmp.worker
    def random(toolbox, rows):
        return os.urandom(8).hex()

    @eisenmp.worker
    def with_tool(toolbox, rows):
        return [row * toolbox.tools["factor"] + toolbox.step for row in rows]

    @eisenmp.worker
    def waits(toolbox, rows):
        if rows[0] in ("c", "ddd"):
            with open("told", "w") as told:
                told.write(rows[0])
            with open("never") as never:
                never.read()
        return rows[0]
"""
LETTERS = "a\nbb\nc\nddd\n"


@pytest.fixture
def module(folder: Path) -> Path:
    """own.py, and rows.txt with four lines, the third of which fails."""
    file = folder / "own.py"
    file.write_text(dedent(MODULE))
    (folder / "rows.txt").write_text(LETTERS)
    return file


def mend(module: Path) -> None:
    module.write_text(module.read_text().replace('"c" in rows', '"no such row" in rows'))


def job(*more: object, worker: str = "lengths") -> tuple[object, ...]:
    """The arguments of a job with a ledger; its third ticket is a dead letter."""
    options = (
        "--rows-max",
        1,
        "-o",
        "out.jsonl",
        "--ledger",
        "job.db",
        "--on-error",
        "skip",
        "--procs-max",
        2,
    )
    return ("run", f"own.py:{worker}", "--lines", "rows.txt", *options, *more)


def results(folder: Path) -> dict[int, Any]:
    """What the output file has, each ticket once."""
    lines = [json.loads(line) for line in (folder / "out.jsonl").read_text().splitlines()]
    assert len({line["ticket"] for line in lines}) == len(lines)
    return {line["ticket"]: line["value"] for line in lines}


def ran(folder: Path) -> list[int]:
    return sorted(map(int, (folder / "ran").read_text().split()))


# run and resume


def test_a_ledger_is_an_option_of_run(eisenmp: Command, folder: Path, module: Path) -> None:
    outcome = eisenmp(*job())
    assert outcome.code == FAILED
    first = results(folder)
    assert sorted(first) == [0, 1, 3]
    outcome = eisenmp(*job())
    assert outcome.code == USAGE
    assert "resume=True (--resume) goes on with that" in outcome.error
    assert eisenmp(*job("--resume")).code == FAILED
    assert results(folder) == first
    assert ran(folder) == [0, 1, 2, 3]


def test_resume(eisenmp: Command, folder: Path, module: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = eisenmp(*job("--ordered"))
    before = (folder / "out.jsonl").read_text()
    (folder / "out.jsonl").write_text("something else\n" * 100)
    # from anywhere, by the path
    (folder / "elsewhere").mkdir()
    monkeypatch.chdir(folder / "elsewhere")
    outcome = eisenmp("resume", "../job.db")
    assert (outcome.code, outcome.error) == (first.code, first.err.splitlines()[-1].removeprefix("eisenmp: "))
    assert (folder / "out.jsonl").read_text() == before
    assert ran(folder) == [0, 1, 2, 3]


def test_resume_takes_the_settings_of_the_environment_with_it(
    eisenmp: Command, folder: Path, module: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EISENMP_ROWS_MAX", "2")
    monkeypatch.setenv("EISENMP_LEDGER", "job.db")
    assert eisenmp("run", "own.py:random", "--lines", "rows.txt", "-o", "out.jsonl").code == DONE
    before = results(folder)
    monkeypatch.setenv("EISENMP_ROWS_MAX", "7")
    monkeypatch.delenv("EISENMP_LEDGER")
    assert eisenmp("resume", "job.db").code == DONE
    assert results(folder) == before
    monkeypatch.setenv("EISENMP_ROWS_MAX", "7")


def test_resume_after_the_command_was_killed(folder: Path, module: Path) -> None:
    for name in ("told", "never"):
        os.mkfifo(folder / name)
    process = program(*job(worker="waits"))
    with open(folder / "told") as told:
        assert told.read()
    eventually(lambda: len(results(folder)) == 2)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    (folder / "told").unlink()
    (folder / "never").unlink()
    (folder / "never").touch()
    process = program("resume", "job.db")
    out, err = process.communicate()
    assert (process.returncode, out, err) == (DONE, "", "")
    assert results(folder) == {0: "a", 1: "bb", 2: "c", 3: "ddd"}


def test_the_ledger_of_a_program_is_the_programs(eisenmp: Command, folder: Path, module: Path) -> None:
    with package.Mp("own.py:random", engine="inline", ledger="job.db") as emp:
        emp.feed("abc").wait()
    outcome = eisenmp("resume", "job.db")
    assert outcome.code == USAGE
    assert "a Python program began this ledger" in outcome.error
    assert "Mp(…, ledger=…, resume=True)" in outcome.error


@pytest.mark.parametrize(
    ("arguments", "kept"),
    [
        (("run", "a:b", "--lines", "-"), ("run", "a:b", "--lines", "-")),
        (("run", "--ledger", "old", "a:b", "--resume"), ("run", "a:b")),
        (("run", "--ledger=old", "a:b", "--no-resume", "-o", "x"), ("run", "a:b", "-o", "x")),
    ],
)
def test_the_arguments_of_a_call_again(arguments: tuple[str, ...], kept: tuple[str, ...]) -> None:
    assert again(Invocation(arguments, "/", {}), "/job.db") == [*kept, "--ledger", "/job.db", "--resume"]


def test_a_worker_that_was_mended_is_refused_until_it_has_proved_itself(
    eisenmp: Command, folder: Path, module: Path
) -> None:
    eisenmp(*job())
    mend(module)
    outcome = eisenmp("resume", "job.db")
    assert outcome.code == USAGE
    assert "the source of own.py:lengths has changed" in outcome.error
    retried = eisenmp("dlq", "retry", "job.db")
    assert (retried.code, retried.out.splitlines()[-1]) == (DONE, "ticket 2: done")
    assert "own.py:lengths has changed since the ledger was begun" in retried.err
    assert eisenmp("resume", "job.db") == (DONE, "", "")
    assert results(folder)[2][0] == [1]
    assert ran(folder) == [0, 1, 2, 2, 3]
    assert eisenmp("dlq", "list", "job.db").out == "no dead letters; 4 of 4 tickets are done\n"
    assert eisenmp("dlq", "retry", "job.db") == (DONE, "no dead letters\n", "")
    assert json.loads(eisenmp("dlq", "retry", "job.db", "--json").out) == []


# dlq


def test_dead_letters_listed(eisenmp: Command, module: Path) -> None:
    eisenmp(*job())
    code, out, err = eisenmp("dlq", "list", "job.db")
    assert (code, err) == (DONE, "")
    assert out.startswith("ticket 2: 1 row, 1 attempt, ")
    assert out.endswith(": ValueError: there is a c\n")
    (letter,) = json.loads(eisenmp("dlq", "list", "job.db", "--json").out)
    assert 0 < letter.pop("first") <= letter.pop("last")
    assert letter == {
        "feed": 1, "ticket": 2, "queue": "mp_input_q (default)", "start": 0, "rows": 1, "kind": "raised",
        "cause": "ValueError: there is a c", "attempts": 1, "final": True, "pid": None, "exitcode": None,
    }  # fmt: skip


def test_dead_letters_shown(eisenmp: Command, module: Path) -> None:
    eisenmp(*job())
    code, out, err = eisenmp("dlq", "show", "job.db")
    assert (code, err) == (DONE, "")
    for text in (
        "ticket 2 of 'mp_input_q (default)'",
        "1 row: ['c']",
        'raise ValueError("there is a c")',
        "    just before\n",
    ):
        assert text in out
    (letter,) = json.loads(eisenmp("dlq", "show", "job.db", "--ticket", 2, "--json").out)
    assert letter["rows_shown"] == "['c']"
    assert letter["error"] == "ValueError('there is a c')"
    assert letter["output_tail"] == "just before"
    assert "own.py" in letter["traceback"]
    module.with_name("rows.txt").write_text("other\n")
    (letter,) = json.loads(eisenmp("dlq", "show", "job.db", "--json").out)
    assert letter["rows_shown"].endswith("FeedError: rows.txt: the file has changed while it was read")
    outcome = eisenmp("dlq", "show", "job.db", "--ticket", 1)
    assert (outcome.code, outcome.error) == (
        USAGE, "job.db: ticket 1 is no dead letter; eisenmp dlq list shows those there are",
    )  # fmt: skip


@pytest.mark.parametrize("way", ["", "--inline"])
def test_a_dead_letter_tried_again(
    eisenmp: Command, piped: Command, folder: Path, module: Path, way: str
) -> None:
    eisenmp(*job())
    retry = ("dlq", "retry", "job.db", *filter(None, [way]))
    retried = piped("", *retry)
    assert retried.code == FAILED
    assert retried.out.splitlines()[-1] == "ticket 2: failed again: ValueError: there is a c"
    (letter,) = json.loads(eisenmp("dlq", "list", "job.db", "--json").out)
    assert letter["attempts"] == 2
    assert letter["first"] < letter["last"]
    mend(module)
    report = json.loads(piped("", *retry, "--ticket", 2, "--json").out)
    assert report == [{"feed": 1, "ticket": 2, "start": 0, "rows": 1, "done": True, "cause": None}]
    assert ran(folder) == [0, 1, 2, 2, 2, 3]
    with Archive("job.db") as archive:
        assert archive.counts() == (4, 4, 0)


def test_a_dead_letter_under_pdb(piped: Command, module: Path) -> None:
    piped("", *job())
    stopped = piped("p rows\nc\np len(rows)\nq\n", "dlq", "retry", "job.db", "--pdb")
    assert "-> with open(" in stopped.out
    assert "['c']" in stopped.out
    assert 'raise ValueError("there is a c")' in stopped.out
    assert "ticket 2: failed again: ValueError: there is a c" in stopped.out
    assert stopped.code == FAILED
    left = piped("q\n", "dlq", "retry", "job.db", "--pdb")
    assert "the debugger was left: this dead letter is as it was" in left.err
    with Archive("job.db") as archive:
        assert [found.letter.attempts for found in archive.letters()] == [2]


# replay


def test_any_ticket_once_more(eisenmp: Command, folder: Path, module: Path) -> None:
    eisenmp(*job())
    before = (folder / "job.db").read_bytes()
    outcome = eisenmp("replay", "job.db", "--ticket", 3)
    assert outcome.code == DONE
    shown = str((results(folder)[3][0], results(folder)[3][1]))
    assert outcome.out == f"ticket 3: the same result\n  now: {shown}\n"
    (report,) = json.loads(eisenmp("replay", "job.db", "--ticket", 3, "--json", "--inline").out)
    assert report == {
        "feed": 1, "ticket": 3, "start": 0, "rows": 1, "verdict": "the same result", "same": True,
        "before": shown, "now": shown,
    }  # fmt: skip
    failed = eisenmp("replay", "job.db", "--ticket", 2)
    assert failed.code == FAILED
    assert "ticket 2: failed, as before" in failed.out
    assert (folder / "job.db").read_bytes() == before
    mend(module)
    succeeded = eisenmp("replay", "job.db", "--ticket", 2)
    assert succeeded.code == DONE
    assert "ticket 2: done, and was given up before" in succeeded.out


def test_another_result(eisenmp: Command, folder: Path, module: Path) -> None:
    eisenmp(*job(worker="random"))
    outcome = eisenmp("replay", "job.db", "--ticket", 0)
    assert outcome.code == FAILED
    assert outcome.out.startswith("ticket 0: another result\n")
    assert f"  before: {results(folder)[0]!r}\n" in outcome.out


def test_a_ticket_with_its_tools_and_variables(eisenmp: Command, module: Path) -> None:
    with package.Mp(
        "own.py:with_tool", engine="inline", ledger="job.db", rows_max=2, variables={"step": 5}
    ) as emp:
        emp.broadcast(factor=3)
        list(emp.feed([1, 2]))
        emp.broadcast(factor=4)
        list(emp.feed([1, 2, 3]))
    for feed, ticket, value in ((1, 0, [8, 11]), (2, 0, [9, 13]), (2, 1, [17])):
        arguments = ("replay", "job.db", "--feed", feed, "--ticket", ticket, "--json")
        (report,) = json.loads(eisenmp(*arguments).out)
        assert (report["verdict"], report["now"]) == ("the same result", str(value))
    outcome = eisenmp("replay", "job.db", "--ticket", 0)
    assert (outcome.code, outcome.error) == (
        USAGE, "job.db: feeds 1, 2 have a ticket 0 each; --feed N says which",
    )  # fmt: skip
    assert eisenmp("replay", "job.db", "--ticket", 9).error == "job.db: there is no ticket 9"
    assert eisenmp("replay", "job.db", "--ticket", 0, "--feed", 3).error == "job.db: there is no feed 3"


def test_a_ticket_under_pdb(piped: Command, module: Path) -> None:
    piped("", *job())
    outcome = piped("p toolbox.ticket.number, rows\nc\n", "replay", "job.db", "--ticket", 1, "--pdb")
    assert "(1, ['bb'])" in outcome.out
    assert "ticket 1: the same result" in outcome.out
    assert outcome.code == DONE


def test_a_worker_of_1_0_and_a_queue_of_its_own(eisenmp: Command, folder: Path) -> None:
    with package.Mp("workers.py:old_style", engine="inline", ledger="job.db", rows_max=2) as emp:
        emp.queue("more", category="extra", maxsize=3)
        (result,) = emp.feed([1, 2])
    assert result.value == 2
    assert eisenmp("replay", "job.db", "--ticket", 0).code == DONE


# what is no ledger


@pytest.mark.parametrize(
    "command", [("dlq", "list"), ("dlq", "show"), ("dlq", "retry"), ("resume",), ("replay", "--ticket", "1")]
)
@pytest.mark.parametrize(
    ("content", "text"), [(None, "there is no such file"), ("rows", "this is no ledger of eisenmp")]
)
def test_no_ledger(
    eisenmp: Command, folder: Path, command: tuple[str, ...], content: str | None, text: str
) -> None:
    if content is not None:
        (folder / "job.db").write_text(content)
    before = snapshot()
    outcome = eisenmp(*command, "job.db")
    assert outcome.code == USAGE
    assert text in outcome.error
    assert snapshot() == before
    assert (folder / "job.db").exists() is (content is not None)


def test_a_ledger_in_use(eisenmp: Command, folder: Path, module: Path) -> None:
    eisenmp(*job())
    with package.Mp("own.py:lengths", ledger="job.db", resume=True, engine="inline") as emp:
        assert "there is a c" in eisenmp("dlq", "list", "job.db").out
        outcome = eisenmp("dlq", "retry", "job.db")
        assert (outcome.code, outcome.error.partition(": ")[2]) == (
            USAGE, f"the ledger is in use by process {os.getpid()}; one manager at a time writes to it",
        )  # fmt: skip
        emp.stop()


def test_help_of_the_family() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "eisenmp", "dlq", "--help"],
        capture_output=True,
        text=True,
        env={**os.environ, "COLUMNS": "100"},
    )
    for word in ("list", "show", "retry"):
        assert word in done.stdout
