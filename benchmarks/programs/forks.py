"""Two more workers from a zygote that runs, or a Pool of two by fork: `… forks SIDE`.

Prints the seconds from the wish for them until each has given its first result.
"""

from __future__ import annotations

import multiprocessing
import sys
from collections.abc import Iterator
from os import path
from time import perf_counter

import eisenmp

HERE = path.dirname(__file__)
sys.path.insert(0, HERE)


def rows(seen: set[int], wanted: int) -> Iterator[int]:
    while len(seen) < wanted:
        yield len(seen)


def forked() -> float:
    """Of a manager that has one worker already."""
    settings = {"procs_max": 1, "rows_max": 1, "start_method": "forkserver"}
    with eisenmp.Mp(path.join(HERE, "start_worker.py:answer"), **settings) as emp:
        seen = {pid for _, pid in emp.feed([0])}
        started = perf_counter()
        emp.resize(3)
        for _, pid in emp.feed(rows(seen, 3)):
            seen.add(pid)
            if len(seen) == 3:
                return perf_counter() - started
    raise AssertionError("two workers should have been added")


def pool() -> float:
    from start_work import who

    seen: set[int] = set()
    started = perf_counter()
    with multiprocessing.get_context("fork").Pool(2) as opened:
        for pid in opened.imap_unordered(who, rows(seen, 2)):
            seen.add(pid)
            if len(seen) == 2:
                return perf_counter() - started
    raise AssertionError("two workers should have answered")


if __name__ == "__main__":
    print({"eisenmp": forked, "Pool": pool}[sys.argv[1]]())
