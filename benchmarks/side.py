"""One side of a comparison: it does the whole job once, and shows that it did."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterable
from time import perf_counter
from typing import NamedTuple

WORKERS = 2
WARM_RUNS_MAX = 50


class Wrong(AssertionError):
    """A side did not do the job; its time would be worth nothing."""


class Idle(Wrong):
    """Only one of the workers took part."""


class Tally(NamedTuple):
    """What came back: how many results, the sum of their values, the processes that computed them."""

    results: int
    total: int
    pids: frozenset[int]


def tally(answers: Iterable[tuple[int, int]]) -> Tally:
    """Take in answers of (pid, value)."""
    results = total = 0
    pids = set()
    for pid, value in answers:
        results += 1
        total += value
        pids.add(pid)
    return Tally(results, total, frozenset(pids))


class Side:
    """`run` does the job, which has `results` answers whose values add up to `total`."""

    def __init__(self, name: str, run: Callable[[], Tally], *, results: int, total: int) -> None:
        self.name = name
        self._run = run
        self._expected = (results, total)
        self._pids: frozenset[int] = frozenset()

    def warm(self) -> None:
        """Do the job untimed until both workers are up and have worked."""
        for _ in range(WARM_RUNS_MAX):
            tally = self._run()
            self._check(tally)
            if len(tally.pids) == WORKERS:
                self._pids = tally.pids
                return
        raise Idle(f"{self.name}: {len(tally.pids)} of {WORKERS} workers took part in {WARM_RUNS_MAX} runs")

    def seconds(self) -> float:
        """Do the job once. Raises Wrong for wrong results, Idle unless the same two workers took part."""
        gc.collect()
        started = perf_counter()
        tally = self._run()
        seconds = perf_counter() - started
        self._check(tally)
        if tally.pids < self._pids:
            raise Idle(f"{self.name}: {len(tally.pids)} of {WORKERS} workers took part")
        if tally.pids != self._pids:
            raise Wrong(f"{self.name}: the workers are not those that were warmed up")
        return seconds

    def _check(self, tally: Tally) -> None:
        if tally[:2] != self._expected:
            raise Wrong(f"{self.name}: (results, total) are {tally[:2]}, expected {self._expected}")
