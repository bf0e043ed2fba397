"""Chunks of 20 ms of CPU: how much longer one worker takes than two."""

from __future__ import annotations

from collections.abc import Iterator
from statistics import median
from time import perf_counter

import eisenmp
from benchmarks.figure import Figure
from benchmarks.pairs import times
from benchmarks.rows import numbers
from benchmarks.scale import Scale
from benchmarks.side import Wrong
from benchmarks.works.crunch import CHUNK_SECONDS

CHUNKS = 100
TARGET = 1.85
WARM = 4  #: chunks for each worker


def run(scale: Scale) -> Iterator[Figure]:
    """One worker and two in turn, all of them warm. The figure is two over one, so that less is better."""
    chunks = scale.rows(CHUNKS)
    with manager(1) as alone, manager(2) as both:
        seconds(alone, WARM, 1), seconds(both, 2 * WARM, 2)
        pairs = [(seconds(both, chunks, 2), seconds(alone, chunks, 1)) for _ in range(scale.pairs)]
    ratios = [two / one for two, one in pairs]
    yield Figure(
        name="two workers",
        value=median(ratios),
        unit="times one worker",
        low=min(ratios),
        high=max(ratios),
        target=round(1 / TARGET, 4),
        sides=(times("two", [pair[0] for pair in pairs]), times("one", [pair[1] for pair in pairs])),
        note=f"{1 / median(ratios):.2f} times as fast, of {TARGET} at least; {chunks} chunks of "
        f"{CHUNK_SECONDS * 1000:g} ms",
    )


def manager(workers: int) -> eisenmp.Mp:
    return eisenmp.Mp("benchmarks.works.crunch:crunch", procs_max=workers)


def seconds(emp: eisenmp.Mp, chunks: int, workers: int) -> float:
    """One feed, from its start to its last result."""
    started = perf_counter()
    pids = [value[0] for _, value in emp.feed(numbers(chunks), rows_max=1)]
    took = perf_counter() - started
    if len(pids) != chunks or len(set(pids)) != workers:
        raise Wrong(f"{len(pids)} results of {len(set(pids))} workers")
    return took
