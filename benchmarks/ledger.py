"""20,000 chunks of one int through a ledger on disk, until the last result is recorded."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from time import perf_counter

import eisenmp
from benchmarks import ours
from benchmarks.figure import Figure
from benchmarks.rows import numbers
from benchmarks.scale import Scale
from benchmarks.side import WORKERS, Wrong, tally
from eisenmp.manager.archive import Archive

ROWS = 20_000
TARGET = 200.0  #: 5,000 tickets a second
RUNS = 5


def run(scale: Scale) -> Iterator[Figure]:
    """By itself, with a new file in each run; the same without a ledger beside it."""
    count = scale.rows(ROWS)
    recorded = [recorded_seconds(count) for _ in range(RUNS)]
    plain = [plain_seconds(count) for _ in range(RUNS)]
    each = [seconds / count * 1e6 for seconds in recorded]
    yield Figure(
        name="rows_max=1",
        value=median(each),
        unit="µs a ticket",
        low=min(each),
        high=max(each),
        target=TARGET,
        peers={"without a ledger": f"{median(plain) / count * 1e6:.1f} µs a ticket, {RUNS} runs"},
        note=f"{count / median(recorded):,.0f} tickets a second, each with its rows and its result on disk",
    )


def recorded_seconds(count: int) -> float:
    """The whole of a feed, and of closing the manager behind it; the workers are up before."""
    with TemporaryDirectory() as folder:
        file = str(Path(folder, "job.db"))
        with eisenmp.Mp("benchmarks.works.chunks:total", procs_max=WORKERS, ledger=file) as emp:
            ours.warm(emp)
            gc.collect()
            started = perf_counter()
            check(emp, count)
        seconds = perf_counter() - started
        with Archive(file) as archive:
            sent, done, failed = archive.counts()
            last = archive.feeds()[-1]
        if last.tickets != count or sent != done or failed:
            raise Wrong(f"the ledger has {done} of {sent} tickets, and {last.tickets} in the last feed")
    return seconds


def plain_seconds(count: int) -> float:
    """The same without a ledger."""
    with ours.manager("total") as emp:
        ours.warm(emp)
        gc.collect()
        started = perf_counter()
        check(emp, count)
    return perf_counter() - started


def check(emp: eisenmp.Mp, count: int) -> None:
    """All results, and the right ones."""
    found = tally(ours.answers(emp, numbers(count), 1))
    if found[:2] != (count, count * (count - 1) // 2):
        raise Wrong(f"(results, total) are {found[:2]}")
