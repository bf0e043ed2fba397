"""1,000,000 ints in chunks of 1,000 to a summing worker."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Iterator

from benchmarks import ours, peers
from benchmarks.cpu import at_work, cpu_of
from benchmarks.figure import Figure
from benchmarks.pairs import contest, with_context
from benchmarks.rows import lists, numbers
from benchmarks.scale import Scale
from benchmarks.side import Side, Tally, tally
from benchmarks.works import plain

ROWS = 1_000_000
SIZE = 1_000
TARGET = 0.6
TARGET_PIPES = 1.5
TARGET_RANGE = 0.3


def run(scale: Scale) -> Iterator[Figure]:
    """From a generator function, and from a range, which travels as slices."""
    count = scale.rows(ROWS)
    with ours.manager("total") as emp, peers.POOL.open() as pool:
        ways = [of_lists(peers.POOL.name, pool, count), row_by_row(pool, count)]
        generator = of_chunks("eisenmp", lambda: tally(ours.answers(emp, numbers(count), SIZE)), count)
        figure = contest("generator", generator, ways, scale, target=TARGET)
        sliced = of_chunks("eisenmp, range", lambda: tally(ours.answers(emp, range(count), SIZE)), count)
        figure_range = contest("range", sliced, ways, scale, target=TARGET_RANGE)
        with peers.PIPES.open() as raw:
            least = [of_lists(peers.PIPES.name, raw, count)]
            figure_pipes = contest("generator, and the least", generator, least, scale, target=TARGET_PIPES)
    yield with_context(figure, lambda name, work: of_lists(name, work, count), scale)
    yield figure_range
    yield figure_pipes


def of_chunks(name: str, work: Callable[[], Tally], count: int) -> Side:
    """A side with one answer for each chunk."""
    return Side(name, work, results=count // SIZE, total=count * (count - 1) // 2)


def of_lists(name: str, work: peers.Map, count: int) -> Side:
    """A peer whose function takes a list that was made for it."""
    return of_chunks(name, lambda: tally(work(plain.total, lists(numbers(count), SIZE), 1)), count)


def row_by_row(pool: peers.Map, count: int) -> Side:
    """Pool's own chunks. Its function takes a row: to name the process each time would cost it too much."""
    pids = [child.pid for child in multiprocessing.active_children() if child.pid]

    def work() -> Tally:
        before = cpu_of(pids)
        values = list(pool(plain.itself, numbers(count), SIZE))
        return Tally(len(values), sum(values), at_work(before))

    name = f"{peers.POOL.name}, chunksize={SIZE}"
    return Side(name, work, results=count, total=count * (count - 1) // 2)
