"""Our side: a manager with two warm workers, and the values of a feed."""

from __future__ import annotations

from collections.abc import Iterable
from operator import itemgetter
from typing import Any

import eisenmp
from benchmarks.side import WARM_RUNS_MAX, WORKERS, Idle

WARM_ROWS = 20

values = itemgetter(1)


def manager(worker: str, module: str = "benchmarks.works.chunks") -> eisenmp.Mp:
    """A manager of two workers of the module."""
    return eisenmp.Mp(f"{module}:{worker}", procs_max=WORKERS)


def warm(emp: eisenmp.Mp) -> frozenset[int]:
    """Have both workers work on rows that are numbers; returns their processes."""
    for _ in range(WARM_RUNS_MAX):
        pids = set()
        for answer in answers(emp, range(WARM_ROWS), 1):
            # one answer, or a list of one
            pids.add((answer if isinstance(answer, tuple) else answer[0])[0])
        if len(pids) == WORKERS:
            return frozenset(pids)
    raise Idle(f"{len(pids)} of {WORKERS} workers took part in {WARM_RUNS_MAX} feeds")


def answers(emp: eisenmp.Mp, rows: Iterable[Any], rows_max: int | str) -> Iterable[Any]:
    """The values of the results, as they come."""
    return map(values, emp.feed(rows, rows_max=rows_max))
