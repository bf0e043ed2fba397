"""A manager with many workers: `… crowd tiny|start WORKERS CHUNKS`. Prints one line of JSON.

`up`: seconds until each worker has answered; `chunk`: seconds for a tiny chunk; `gone`: seconds to stop;
`private`: bytes that each worker has for itself; `descriptors`: of the manager.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from time import perf_counter
from typing import Any

import psutil

import eisenmp
from benchmarks import ours
from benchmarks.rows import numbers
from benchmarks.side import Wrong

RUNS = 3


def rows(seen: set[int], workers: int) -> Iterator[int]:
    while len(seen) < workers:
        yield 0


def main(what: str, workers: int, chunks: int) -> None:
    method = "forkserver" if what == "tiny" else "spawn"
    found: dict[str, Any] = {"runs": RUNS}
    started = perf_counter()
    worker = "benchmarks.works.crowd:answer"
    with eisenmp.Mp(worker, procs_max=workers, rows_max=1, start_method=method) as emp:
        seen: set[int] = set()
        for pid, _ in ours.answers(emp, rows(seen, workers), 1):
            seen.add(pid)
            if len(seen) == workers:
                break
        found["up"] = perf_counter() - started
        if chunks:
            found["chunk"] = min(seconds(emp, chunks) for _ in range(RUNS)) / chunks
            found["private"] = sum(psutil.Process(pid).memory_full_info().uss for pid in seen) / workers
        found["descriptors"] = psutil.Process().num_fds()
        stopping = perf_counter()
    found["gone"] = perf_counter() - stopping
    if psutil.Process().children():
        raise Wrong("something is left")
    print(json.dumps(found))


def seconds(emp: eisenmp.Mp, chunks: int) -> float:
    started = perf_counter()
    total = sum(value for _, value in ours.answers(emp, numbers(chunks, 1), 1))
    took = perf_counter() - started
    if total != chunks * (chunks + 1) // 2:
        raise Wrong(f"the total is {total}")
    return took


if __name__ == "__main__":
    main(sys.argv[1], *map(int, sys.argv[2:]))
