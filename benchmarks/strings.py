"""2,000 chunks of 1,000 short strings to a worker that counts their characters."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from benchmarks import ours, peers
from benchmarks.figure import Figure
from benchmarks.pairs import contest, with_context
from benchmarks.rows import WORD_LENGTH, lists, words
from benchmarks.scale import Scale
from benchmarks.side import Side, Tally, tally
from benchmarks.works import plain

ROWS = 2_000_000
SIZE = 1_000
TARGET = 0.8


def run(scale: Scale) -> Iterator[Figure]:
    """From a generator function."""
    count = scale.rows(ROWS)
    with ours.manager("lengths") as emp, peers.POOL.open() as pool:
        generator = of_chunks("eisenmp", lambda: tally(ours.answers(emp, words(count), SIZE)), count)
        figure = contest("generator", generator, [mapped(peers.POOL.name, pool, count)], scale, target=TARGET)
        with peers.JOBLIB.open() as plain_list, peers.JOBLIB_GENERATOR.open() as unordered:
            ways = [
                mapped(peers.JOBLIB.name, plain_list, count),
                mapped(peers.JOBLIB_GENERATOR.name, unordered, count),
            ]
            figure_joblib = contest("generator, and joblib", generator, ways, scale, target=TARGET)
    yield with_context(figure, lambda name, work: mapped(name, work, count), scale)
    yield figure_joblib


def of_chunks(name: str, work: Callable[[], Tally], count: int) -> Side:
    """A side with one answer for each chunk."""
    return Side(name, work, results=count // SIZE, total=count * WORD_LENGTH)


def mapped(name: str, work: peers.Map, count: int) -> Side:
    """A peer whose function takes a list that was made for it."""
    return of_chunks(name, lambda: tally(work(plain.lengths, lists(words(count), SIZE), 1)), count)
