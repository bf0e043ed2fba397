"""The CPU time of a manager that waits with two workers: `python -m benchmarks.programs.idle SIDE SECONDS`.

Prints one line of JSON: the seconds of CPU of the manager and of its children while nothing is to do.
"""

from __future__ import annotations

import json
import sys
from time import process_time, sleep

import psutil

from benchmarks import ours, peers
from benchmarks.cpu import cpu_of
from benchmarks.rows import numbers
from benchmarks.side import WARM_RUNS_MAX, WORKERS, Wrong, tally
from benchmarks.works import plain

ROWS = 1_000
SETTLED = 0.5  #: seconds for what still runs after the last result


def main(side: str, seconds: float) -> None:
    """Have both workers work, wait, and ask for the CPU time that waiting took."""
    if side == "eisenmp":
        with ours.manager("total") as emp:
            wait(ours.warm(emp), seconds)
        return
    with peers.pool() as pool:
        for _ in range(WARM_RUNS_MAX):
            pids = tally(pool(plain.item, numbers(ROWS), 1)).pids
            if len(pids) == WORKERS:
                break
        wait(pids, seconds)


def wait(workers: frozenset[int], seconds: float) -> None:
    """Do nothing for so many seconds, and print what that took."""
    children = {child.pid for child in psutil.Process().children(recursive=True)}
    if len(workers) != WORKERS or not workers <= children:
        raise Wrong(f"{len(workers)} workers have worked, the children are {len(children)}")
    sleep(SETTLED)
    before, manager = cpu_of(children), process_time()
    sleep(seconds)
    manager_used = process_time() - manager
    used = {pid: after - before[pid] for pid, after in cpu_of(children).items()}
    print(json.dumps({"manager": manager_used, "children": sum(used.values()), "processes": len(used)}))


if __name__ == "__main__":
    main(sys.argv[1], float(sys.argv[2]))
