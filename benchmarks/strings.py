"""2,000 chunks of 1,000 short strings to a worker that counts their characters."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from benchmarks import ours, peers
from benchmarks.figure import Figure
from benchmarks.pairs import contest, with_context
from benchmarks.rows import WORD_LENGTH, distinct, lists, words
from benchmarks.scale import Scale
from benchmarks.side import Side, Tally, tally
from benchmarks.works import plain
from eisenmp import Mp

ROWS = 2_000_000
SIZE = 1_000
TARGET = 0.8

Source = Callable[[], Iterator[str]]


def run(scale: Scale) -> Iterator[Figure]:
    """From two generator functions: of words that come again and again, and of strings of which no two are
    alike. joblib pickles several chunks at once, and with them each word that comes again only once.
    """
    count = scale.rows(ROWS)
    different = distinct(count)
    sources: dict[str, Source] = {
        "words that come again": lambda: words(count),
        "no two alike": lambda: (string for string in different),
    }
    with ours.manager("lengths") as emp, peers.POOL.open() as pool:
        for name, source in sources.items():
            generator = eisenmp_of(emp, source, count)
            figure = contest(
                name, generator, [mapped(peers.POOL.name, pool, source, count)], scale, target=TARGET
            )
            with peers.JOBLIB.open() as plain_list, peers.JOBLIB_GENERATOR.open() as unordered:
                ways = [
                    mapped(peers.JOBLIB.name, plain_list, source, count),
                    mapped(peers.JOBLIB_GENERATOR.name, unordered, source, count),
                ]
                figure_joblib = contest(f"{name}, and joblib", generator, ways, scale, target=TARGET)
            with peers.PIPES.open() as raw:
                least = [mapped(peers.PIPES.name, raw, source, count)]
                figure_pipes = contest(f"{name}, and the least", generator, least, scale)
            yield with_context(figure, of_source(source, count), scale)
            yield figure_joblib
            yield figure_pipes


def eisenmp_of(emp: Mp, source: Source, count: int) -> Side:
    """Our side."""
    return of_chunks("eisenmp", lambda: tally(ours.answers(emp, source(), SIZE)), count)


def of_chunks(name: str, work: Callable[[], Tally], count: int) -> Side:
    """A side with one answer for each chunk."""
    return Side(name, work, results=count // SIZE, total=count * WORD_LENGTH)


def mapped(name: str, work: peers.Map, source: Source, count: int) -> Side:
    """A peer whose function takes a list that was made for it."""
    return of_chunks(name, lambda: tally(work(plain.lengths, lists(source(), SIZE), 1)), count)


def of_source(source: Source, count: int) -> Callable[[str, peers.Map], Side]:
    """What makes a side of a peer."""
    return lambda name, work: mapped(name, work, source, count)
