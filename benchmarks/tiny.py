"""20,000 chunks of one int."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import chain

from benchmarks import ours, peers
from benchmarks.figure import Figure
from benchmarks.pairs import contest, with_context
from benchmarks.rows import numbers
from benchmarks.scale import Scale
from benchmarks.side import Side, Tally, tally
from benchmarks.works import plain

ROWS = 20_000
TARGET = 0.4
TARGET_AUTO = 0.8


def run(scale: Scale) -> Iterator[Figure]:
    """Each chunk by itself; and the same rows with chunks by measured time, as joblib makes them."""
    count = scale.rows(ROWS)
    with ours.manager("total") as emp, peers.POOL.open() as pool:
        single = of_rows("eisenmp", lambda: tally(ours.answers(emp, numbers(count), 1)), count)
        figure = contest("rows_max=1", single, [mapped(peers.POOL.name, pool, count)], scale, target=TARGET)
    yield with_context(figure, lambda name, work: mapped(name, work, count), scale)
    with (
        ours.manager("items") as emp,
        peers.JOBLIB.open() as plain_list,
        peers.JOBLIB_GENERATOR.open() as generator,
    ):

        def auto() -> Tally:
            return tally(chain.from_iterable(ours.answers(emp, numbers(count), "auto")))

        ways = [
            mapped(peers.JOBLIB.name, plain_list, count),
            mapped(peers.JOBLIB_GENERATOR.name, generator, count),
        ]
        yield contest(
            'rows_max="auto"', of_rows("eisenmp, auto", auto, count), ways, scale, target=TARGET_AUTO
        )


def of_rows(name: str, work: Callable[[], Tally], count: int) -> Side:
    """A side with one answer for each row."""
    return Side(name, work, results=count, total=count * (count - 1) // 2)


def mapped(name: str, work: peers.Map, count: int) -> Side:
    """A peer whose function takes the row."""
    return of_rows(name, lambda: tally(work(plain.item, numbers(count), 1)), count)
