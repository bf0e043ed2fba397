"""A manager to be killed: `python -m benchmarks.programs.orphans START_METHOD WORKER`.

Prints the pids of its workers, and of what they have started, when they are in their chunks.
"""

from __future__ import annotations

import sys
from os import path
from threading import Event

import eisenmp
from benchmarks.side import WORKERS


def main(method: str, name: str) -> None:
    """Wait to be killed."""
    worker = path.join(path.dirname(__file__), f"orphans_worker.py:{name}")
    with eisenmp.Mp(worker, procs_max=WORKERS, rows_max=1, start_method=method) as emp:
        told = emp.queue("there", maxsize=WORKERS)
        emp.feed(range(100 * WORKERS))
        print(*(pid for _ in range(WORKERS) for pid in told.get()), flush=True)
        Event().wait()


if __name__ == "__main__":
    main(*sys.argv[1:])
