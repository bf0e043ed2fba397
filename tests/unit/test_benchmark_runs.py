"""Whole programs that benchmarks run: one that hangs is ended, done again and counted."""

from __future__ import annotations

import sys
from contextlib import nullcontext
from pathlib import Path

import pytest

from benchmarks import bruteforce, retried, whole
from benchmarks.scale import FULL, QUICK
from benchmarks.side import Wrong
from tests import leaks

HANGS = """
import os, signal, subprocess, sys
child = subprocess.Popen([sys.executable, "-S", "-c", "import signal; signal.pause()"])
with open(sys.argv[1], "a") as file:
    print(os.getpid(), child.pid, file=file)
signal.pause()
"""


def test_a_program_that_hangs_is_ended_with_its_children(tmp_path: Path) -> None:
    with pytest.raises(whole.Late, match="was ended after 1 s: nothing on stderr"):
        whole.run([sys.executable, "-c", HANGS, tmp_path / "pids"], limit=1.0)
    if (tmp_path / "pids").exists():
        assert all(leaks.wait_gone(int(pid)) for pid in (tmp_path / "pids").read_text().split())


def test_a_program_that_fails_by_itself_is_not_late() -> None:
    with pytest.raises(Wrong, match="ended with 3: so sorry") as raised:
        whole.run([sys.executable, "-S", "-c", "import sys; print('so sorry', file=sys.stderr); sys.exit(3)"])
    assert not isinstance(raised.value, whole.Late)


def test_a_run_that_hangs_is_done_again_and_counted() -> None:
    answers = iter([whole.Late(), 1.5, whole.Late(), whole.Late(), whole.Late(), 2.5])

    def run() -> float:
        answer = next(answers)
        if isinstance(answer, whole.Late):
            raise answer
        return answer

    runs = retried.Retried()
    assert [runs.seconds(run), runs.seconds(run), runs.hangs] == [1.5, 2.5, 4]


def test_a_run_that_always_hangs_is_given_up() -> None:
    runs = retried.Retried()
    tried = []

    def run() -> float:
        tried.append(len(tried))
        raise whole.Late(f"try {tried[-1]}")

    with pytest.raises(whole.Late, match=f"try {retried.TRIES - 1}"):
        runs.seconds(run)
    assert runs.hangs == len(tried) == retried.TRIES


def test_a_run_that_is_wrong_is_not_done_again() -> None:
    def run() -> float:
        raise Wrong("other words")

    runs = retried.Retried()
    with pytest.raises(Wrong, match="other words"):
        runs.seconds(run)
    assert runs.hangs == 0


def test_only_runs_of_the_old_version_are_done_again(monkeypatch: pytest.MonkeyPatch) -> None:
    limits = {"bruteforce_new": whole.LIMIT, "bruteforce_old": bruteforce.OLD_LIMIT}
    hung = []

    def seconds(python: Path, program: str, task: bruteforce.Task, *, limit: float = whole.LIMIT) -> float:
        assert limit == limits[program]
        if program == "bruteforce_old" and len(hung) < 3:
            hung.append(program)
            raise whole.Late("hung")
        return 1.0 if program == "bruteforce_new" else 4.0

    monkeypatch.setattr(bruteforce, "clean_environment", lambda package: nullcontext(Path(package)))
    monkeypatch.setattr(bruteforce, "prepared", lambda salad, file: bruteforce.Task(*salad, file, []))
    monkeypatch.setattr(bruteforce, "seconds", seconds)
    monkeypatch.setattr(bruteforce, "example_seconds", lambda task: 0.5)
    figure, _ = bruteforce.run(FULL._replace(pairs=2))
    assert (figure.value, [side.runs for side in figure.sides]) == (0.25, [2, 2])
    assert (
        figure.note
        == "907,200 arrangements in chunks of 5,000; 3 runs of 1.0 hung, were ended after 60 s and done again"
    )
    (example,) = bruteforce.run(QUICK)  # without 1.0
    assert example.value == 0.5
