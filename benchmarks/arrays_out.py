"""500 numbers to a worker that makes an array of 1 MiB of each."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from benchmarks import ours, peers
from benchmarks.figure import Figure
from benchmarks.pairs import contest
from benchmarks.scale import Scale
from benchmarks.side import Side, Tally, tally
from benchmarks.works import arrays

ROWS = 500
TARGET = 0.25


def looked_at(answers: Iterable[tuple[int, Any]]) -> Tally:
    """The first and the last number of each array count; who iterates keeps none."""
    return tally((pid, (int(array[0]) + int(array[-1])) // 2) for pid, array in answers)


def run(scale: Scale) -> Iterator[Figure]:
    """Arrays as they come; against the fastest of Pool, mpire and joblib."""
    count = scale.rows(ROWS)
    expected = {"results": count, "total": sum(range(count))}

    def peer(name: str, work: peers.Map) -> Side:
        return Side(name, lambda: looked_at(work(arrays.make, range(count), 1)), **expected)

    with (
        ours.manager("makes", "benchmarks.works.arrays") as emp,
        peers.POOL.open() as pool,
        peers.MPIRE.open() as mpire,
        peers.JOBLIB_GENERATOR.open() as joblib,
    ):
        mine = Side("eisenmp", lambda: looked_at(ours.answers(emp, range(count), 1)), **expected)
        others = [
            peer(known.name, work)
            for known, work in ((peers.POOL, pool), (peers.MPIRE, mpire), (peers.JOBLIB_GENERATOR, joblib))
        ]
        yield contest("arrays", mine, others, scale, target=TARGET)
