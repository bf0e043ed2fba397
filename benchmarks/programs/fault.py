"""Do a job that a fault strikes: SIDE, FUNCTION of `benchmarks.works.faulty`, how many rows, a folder.

A dot for each item that is done, then the name of the first error. The job is written the way the manual of
the side has it; where items can have a timeout, it is four seconds.
"""

from __future__ import annotations

import multiprocessing
import os
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from importlib import import_module
from typing import Any

import eisenmp
from benchmarks.works import faulty

WORKERS = 2
TIMEOUT = 4.0

#: what became of each item: an error, or None
Answers = Iterator[BaseException | None]


def each(values: Iterator[Any]) -> Answers:
    """One after the other, also behind an error where the iterator goes on."""
    while True:
        try:
            next(values)
        except StopIteration:
            return
        except Exception as error:  # whatever the side says
            yield error
        else:
            yield None


def ours(name: str, rows: range, folder: str) -> Answers:
    settings = {"procs_max": WORKERS, "rows_max": 1, "on_error": "skip", "timeout": TIMEOUT}
    variables = {"name": name, "folder": folder}
    with eisenmp.Mp("benchmarks.works.faulty_chunks:rows", variables=variables, **settings) as emp:
        feed = emp.feed(rows)
        yield from each(iter(feed))
        yield from (failure.error for failure in feed.failed)


def pool(name: str, rows: range, folder: str) -> Answers:
    with multiprocessing.get_context("spawn").Pool(WORKERS) as opened:
        yield from each(opened.imap_unordered(faulty.function(name, folder), rows))


def executor(name: str, rows: range, folder: str) -> Answers:
    with ProcessPoolExecutor(WORKERS, mp_context=multiprocessing.get_context("spawn")) as opened:
        function = faulty.function(name, folder)
        for future in as_completed([opened.submit(function, row) for row in rows]):
            yield future.exception()


def mpire(name: str, rows: range, folder: str) -> Answers:
    library = import_module("mpire")
    with library.WorkerPool(WORKERS, start_method="spawn") as opened:
        values = opened.imap_unordered(
            faulty.function(name, folder), ((row,) for row in rows), chunk_size=1, task_timeout=TIMEOUT
        )
        yield from each(values)


def joblib(name: str, rows: range, folder: str) -> Answers:
    library = import_module("joblib")
    parallel = library.Parallel(
        n_jobs=WORKERS, batch_size=1, return_as="generator_unordered", timeout=TIMEOUT
    )
    function = library.delayed(faulty.function(name, folder))
    yield from each(parallel(map(function, rows)))


def pebble(name: str, rows: range, folder: str) -> Answers:
    library = import_module("pebble")
    with library.ProcessPool(WORKERS, context=multiprocessing.get_context("spawn")) as opened:
        future = opened.map(faulty.function(name, folder), rows, chunksize=1, timeout=TIMEOUT)
        yield from each(future.result())


SIDES: dict[str, Callable[[str, range, str], Answers]] = {
    "eisenmp": ours,
    "Pool": pool,
    "ProcessPoolExecutor": executor,
    "mpire": mpire,
    "joblib": joblib,
    "pebble": pebble,
}


def main(side: str, name: str, rows: str, folder: str) -> None:
    first = ""
    for error in SIDES[side](name, range(int(rows)), folder):
        if error is None:
            os.write(1, b".")
        else:
            first = first or type(error).__name__
    print(f"\n{first}")


if __name__ == "__main__":
    main(*sys.argv[1:])
