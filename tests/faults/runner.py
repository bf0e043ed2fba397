"""Runs the job of one row of the table, and tells what came of it."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import eisenmp
from eisenmp.manager import events
from eisenmp.testing import eventually
from tests.faults.striker import RUNS, SPARED, STRIKES, VARIABLE, Fault, Guilty, Tool, noted
from tests.faults.table import BEFORE_READY, GUILTY, ROWS, ROWS_MAX, STANDS_STILL, Row

HERE = Path(__file__).parent
ROOT = HERE.parents[1]

TIMEOUT = 2.5  #: seconds for a chunk of microseconds, where one may stand still
MEMORY_TIMEOUT = (
    5.0  #: seconds: for those who open rows and are no workers, so that nobody looks at their memory
)
START_TIMEOUT = {True: 3.0, False: 1.0}  #: by `once`: a healthy start follows, or all are struck
MEMORY_MAX = 96 << 20
PATIENCE = 100.0  #: seconds for what must come
IMPATIENCE = 0.5  #: seconds for what must not come


class Outcome(NamedTuple):
    """What came of it."""

    error: str
    kept: list[int]
    tickets: list[tuple[int, int]]  #: number and part, in the order of the results
    given_up: list[tuple[int, ...]]
    failures: list[eisenmp.Failure]
    missing: int
    deaths: list[tuple[int, str]]  #: pid and cause, as told
    strikes: list[int]  #: pids
    spared: list[str]  #: where a process came by that is none to be struck
    runs: Counter[int]  #: how often the worker began with each row
    exit_codes: list[int | None]


def settings(row: Row, folder: str) -> dict[str, Any]:
    """Budgets by rules 4 and 5, limits by rule 9."""
    chosen: dict[str, Any] = {
        "procs_max": 2,
        "rows_max": ROWS_MAX,
        "start_method": row.method,
        "on_error": "raise" if row.once else "skip",
        "retries": {"raise": 1, "death": 1, "timeout": 1}
        if row.once
        else {"raise": 0, "death": 0, "timeout": 0},
        "variables": {"folder": folder, "first": row.where == "first chunk"},
    }
    if row.place in BEFORE_READY and (row.how in STANDS_STILL or (row.how == "memory" and row.in_zygote)):
        chosen["start_timeout"] = START_TIMEOUT[row.once]
    if row.how in STANDS_STILL:
        chosen["timeout"] = TIMEOUT
    if row.how == "memory":
        chosen["memory_max"] = MEMORY_MAX
        chosen["timeout"] = MEMORY_TIMEOUT
    return chosen


def environment(row: Row, folder: str) -> Mapping[str, str]:
    """By which the workers know what strikes them, and find the hook that strikes before anything else."""
    fault = Fault(row.where, row.how, once=row.once, folder=folder, manager=os.getpid())
    hooks = [str(HERE / "hooks")] if row.where == "start" else []
    return {VARIABLE: fault.text, "PYTHONPATH": os.pathsep.join([*hooks, str(ROOT)])}


def run(row: Row, folder: str) -> Outcome:
    """The job, from the first process to the last, in the environment of the row."""
    emp = eisenmp.Mp(f"{HERE}/workers.py:perform", f"{HERE}/workers.py:mate", **settings(row, folder))
    deaths: list[tuple[int, str]] = []
    emp.on(events.WorkerDied, lambda event: deaths.append((event.pid, event.cause)))
    results: list[eisenmp.Result] = []
    error = ""
    feed: eisenmp.Feed | None = None
    try:
        emp.broadcast(tool=Tool())
        emp.start()
        feed = emp.feed([Guilty(number) if number == GUILTY[row.where] else number for number in ROWS])
        for result in feed.in_order() if row.order == "ordered" else feed:
            results.append(result)
        emp.join(IMPATIENCE if row.where == "exit" and row.how in STANDS_STILL else PATIENCE)
    except (eisenmp.EisenmpError, TimeoutError, SystemExit) as struck:
        error = type(struck).__name__
    finally:
        if row.where == "exit" and row.how in STANDS_STILL:
            # who is not struck has the time that it needs to leave; it may still be importing
            eventually(lambda: _alive(emp) <= max(1, len(noted(folder, STRIKES))), PATIENCE)
        emp.stop(grace=IMPATIENCE)
    spared = noted(folder, SPARED)  # before the rows that were given up are opened here
    failures = [] if feed is None else feed.failed
    return Outcome(
        error=error,
        kept=[number for result in results for number in result.value],
        tickets=[(result.ticket.number, result.ticket.part) for result in results],
        given_up=[tuple(_number(entry) for entry in failure.rows) for failure in failures],
        failures=failures,
        missing=0 if feed is None else len(feed.missing),
        deaths=deaths,
        strikes=[int(pid) for pid in noted(folder, STRIKES)],
        spared=spared,
        runs=Counter(map(int, noted(folder, RUNS))),
        exit_codes=[slot.exitcode for slot in emp.proc_list],
    )


def _alive(emp: eisenmp.Mp) -> int:
    return sum(slot.is_alive() for slot in emp.proc_list)


def _number(row: object) -> int:
    return row.number if isinstance(row, Guilty) else int(row)  # type: ignore[call-overload]
