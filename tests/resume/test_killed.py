"""The manager is SIGKILLed again and again: what was recorded stays, and the results are complete and exact."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from random import Random

import pytest

from .jobs import Jobs
from .program import ROWS, TICKETS

ROOT = Path(__file__).parents[2]
KILLS = 50
SEED = 4711
NEW_MAX = 25  #: results of a life before it is killed


class Lives:
    """The process that has one manager after the other."""

    def __init__(self, folder: Path) -> None:
        # a hundred workers start: they need not compile everything anew
        cached = {"PYTHONDONTWRITEBYTECODE": "", "PYTHONPYCACHEPREFIX": str(folder / "cache")}
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.resume.program", str(folder)],
            cwd=ROOT, env={**os.environ, **cached}, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1,
        )  # fmt: skip

    def begin(self, engine: str, stop: int, known: int) -> int:
        """A new life; returns its process."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{engine} {stop} {known}\n")
        return int(self.said("pid"))

    def said(self, word: str) -> str:
        """What stands behind that word in the next line."""
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        assert line.startswith(word), line
        return line.removeprefix(word).strip()

    def close(self) -> None:
        self._process.communicate()


@pytest.fixture
def lives(tmp_path: Path) -> Iterator[Lives]:
    process = Lives(tmp_path)
    yield process
    process.close()


def test_killed_again_and_again(lives: Lives, local: Jobs) -> None:
    dice = Random(SEED)
    settled: set[tuple[int, int]] = set()
    for _ in range(KILLS):
        stop = dice.randint(1, NEW_MAX)
        # what runs the workers is no part of the job; threads come cheaper than processes
        pid = lives.begin("local" if dice.random() < 0.2 else "inline", stop, len(settled))
        # some die while results of earlier lives are given out and the workers start
        for word in ("started",) if dice.random() < 0.2 else ("started", "here"):
            lives.said(word)
        os.kill(pid, signal.SIGKILL)
        assert lives.said("gone") == str(-signal.SIGKILL)
        done = local.done() if os.path.exists(local.ledger) else set()
        assert settled <= done
        settled = done
    assert 0 < len(settled) < TICKETS
    before = local.ran()
    lives.begin("local", 0, len(settled))
    lives.said("started")
    answer = [
        ([row**2 for row in range(ROWS * number, ROWS * number + ROWS)], rng(number))
        for number in range(TICKETS)
    ]
    assert lives.said("digest") == sha256(repr(answer).encode()).hexdigest()
    assert lives.said("gone") == "0"
    # nothing that was recorded was run again
    assert (local.ran() - before).keys() == {(1, number) for number in range(TICKETS)} - settled


def rng(number: int) -> float:
    """The first random number of a ticket."""
    return Random(repr(("mp_input_q (default)", number, 1, 0))).random()
