"""From nothing to the first result of each of two workers: eisenmp, forked from a zygote that is cold."""

from __future__ import annotations

from collections.abc import Iterator
from os import path

import eisenmp

seen: set[int] = set()


def rows() -> Iterator[int]:
    while len(seen) < 2:
        yield len(seen)


worker = path.join(path.dirname(__file__), "start_worker.py:answer")
with eisenmp.Mp(worker, procs_max=2, rows_max=1, start_method="forkserver") as emp:
    for _, pid in emp.feed(rows()):
        seen.add(pid)
        if len(seen) == 2:
            print("first", *seen, flush=True)
            break
