"""500 distinct arrays of 1 MiB to a worker that adds them up."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from benchmarks import ours, peers
from benchmarks.figure import Figure
from benchmarks.pairs import contest
from benchmarks.scale import Scale
from benchmarks.side import Side, tally
from benchmarks.works import arrays

ROWS = 500
TARGET = 0.25


def rows(count: int) -> Iterator[Any]:
    """Arrays, no two alike."""
    return map(arrays.made, range(count))


def run(scale: Scale) -> Iterator[Figure]:
    """From a generator, the sums as they come; against the fastest of Pool, mpire and joblib."""
    count = scale.rows(ROWS)
    expected = {"results": count, "total": sum(range(count))}

    def peer(name: str, work: peers.Map) -> Side:
        return Side(name, lambda: tally(work(arrays.total, rows(count), 1)), **expected)

    with (
        ours.manager("totals", "benchmarks.works.arrays") as emp,
        peers.POOL.open() as pool,
        peers.MPIRE.open() as mpire,
        peers.JOBLIB_GENERATOR.open() as joblib,
    ):
        mine = Side("eisenmp", lambda: tally(ours.answers(emp, rows(count), 1)), **expected)
        others = [
            peer(known.name, work)
            for known, work in ((peers.POOL, pool), (peers.MPIRE, mpire), (peers.JOBLIB_GENERATOR, joblib))
        ]
        yield contest("sum", mine, others, scale, target=TARGET)
