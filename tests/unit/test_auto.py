"""rows_max="auto" through a whole manager, on clocks that go only when they are told to."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from functools import partial
from itertools import chain, repeat
from pathlib import Path

import pytest

import eisenmp
from eisenmp.child.channel import Channel
from eisenmp.core.pace import Pace
from eisenmp.manager.gathering import PATIENCE, Gathering
from eisenmp.testing import eventually

LEAST, MOST = 0.02, 0.1  # seconds of work that a chunk should have

WORKER = """
import threading
import eisenmp

here = threading.local()

def clock():
    return getattr(here, "now", 0.0)

@eisenmp.worker
def work(toolbox, rows):
    seconds = sum(rows)
    here.now = clock() + seconds
    return len(rows), seconds

@eisenmp.worker
def nothing(toolbox, rows):
    here.now = clock() + sum(rows)
"""


class Clock:
    """The manager's, which stands still."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    # by a name of its own: a module is imported here once
    (tmp_path / f"auto_{tmp_path.name}.py").write_text(WORKER)
    return tmp_path


@pytest.fixture
def clock() -> Clock:
    return Clock()


def manager(
    folder: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch, name: str = "work", procs_max: int = 2
) -> eisenmp.Mp:
    emp = eisenmp.Mp(
        f"{folder}/auto_{folder.name}.py:{name}", engine="inline", procs_max=procs_max, rows_max="auto"
    )
    emp.dispatcher.clock = clock

    def worked() -> float:
        module = sys.modules.get(f"auto_{folder.name}")
        return 0.0 if module is None else module.clock()

    monkeypatch.setattr(Channel, "clock", staticmethod(worked))
    return emp


def in_measure(results: list[tuple[int, float]]) -> bool:
    return all(LEAST <= seconds <= MOST for _, seconds in results)


@pytest.fixture
def paces(monkeypatch: pytest.MonkeyPatch) -> list[Pace]:
    """Of the feeds that are begun, in their order."""
    begun: list[Pace] = []

    def begin() -> Pace:
        begun.append(Pace())
        return begun[-1]

    monkeypatch.setattr("eisenmp.manager.feeder.Pace", begin)
    return begun


def steady(cost: float, paces: list[Pace], feed: int = 0) -> Iterator[float]:
    """Rows of one cost, until the feed has known it for a dozen chunks.

    How many chunks are cut before the first of them is measured is up to the threads, and so is when the last
    ones of another cost come in: they may mislead it once more.
    """
    known, enough = 0, int(12 * MOST / cost)
    for _ in range(5_000_000):
        yield cost
        known = known + 1 if LEAST <= paces[feed].rows * cost <= MOST else 0
        if known == enough:
            return


@pytest.mark.parametrize("cost", [1e-6, 1e-4, 1e-2])
def test_chunks_take_the_time_that_they_should(
    folder: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch, paces: list[Pace], cost: float
) -> None:
    with manager(folder, clock, monkeypatch) as emp:
        feed = emp.feed(steady(cost, paces))
        done = [value for _, value in feed.in_order()]
    assert sum(count for count, _ in done) == feed.rows_cut
    assert len(done) > 12
    assert in_measure(done[-8:-1])


def test_a_slice_is_measured_as_well(folder: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    with manager(folder, clock, monkeypatch) as emp:
        done = [value for _, value in emp.feed([1e-3] * 8_000).in_order()]
    assert in_measure(done[-8:-1])


def test_a_worker_that_returns_nothing_is_measured_too(
    folder: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    with manager(folder, clock, monkeypatch, "nothing") as emp:
        feed = emp.feed(repeat(1e-3, 8_000))
        feed.wait()
        assert feed.pace is not None
        assert in_measure([(0, feed.pace.rows * 1e-3)])


def test_feeds_at_once_are_measured_apart(
    folder: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch, paces: list[Pace]
) -> None:
    with manager(folder, clock, monkeypatch) as emp:
        feeds = [emp.feed(steady(1e-4, paces)), emp.feed(steady(1e-2, paces, 1)), emp.feed(repeat(1.0, 12))]
        found = [[value for _, value in feed.in_order()] for feed in feeds]
    assert in_measure(found[0][-8:-1])
    assert in_measure(found[1][-8:-1])
    assert {count for count, _ in found[2]} == {1}


def test_chunks_follow_a_change_of_cost(
    folder: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch, paces: list[Pace]
) -> None:
    with manager(folder, clock, monkeypatch) as emp:
        rows = chain.from_iterable(steady(cost, paces) for cost in (1e-4, 1e-2, 1e-4))
        done = [value for _, value in emp.feed(rows).in_order()]
    assert in_measure(done[-8:-1])
    slow = [entry for entry in done if entry[1] / entry[0] > 9e-3]
    assert in_measure(slow[-8:-1])


# -- early ---------------------------------------------------------------------------------------


@pytest.fixture
def large_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if a chunk of 1,000 rows had been measured."""
    known = Pace()
    known.rows = 1_000
    monkeypatch.setattr("eisenmp.manager.feeder.Pace", lambda: known)


def in_hand(gathering: Gathering, rows: int) -> bool:
    """Whether so many rows wait, and not for ever."""
    return gathering._timed and len(gathering._rows) == rows


class Dialogue:
    """A source that gives some rows at once and goes on when there are results of all of them."""

    def __init__(self, bursts: list[int]) -> None:
        self.bursts = bursts
        self.prepared = threading.Event()
        self.answered = threading.Semaphore(0)

    def __iter__(self) -> Iterator[float]:
        self.prepared.wait()
        for burst in self.bursts:
            yield from repeat(0.01, burst)
            for _ in range(burst):
                self.answered.acquire()


def test_what_is_in_hand_goes_out_while_the_source_waits_for_its_results(
    folder: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch, large_chunks: None
) -> None:
    source = Dialogue([3, 2, 1, 4])
    with manager(folder, clock, monkeypatch) as emp:
        feed = emp.feed(source)
        eventually(lambda: feed.starving)
        source.prepared.set()
        results = iter(feed)
        sizes = []
        gathering = feed.gathering
        assert gathering is not None
        for burst in source.bursts:
            eventually(partial(in_hand, gathering, burst))
            before = feed.next_number
            clock.now += 0.9 * PATIENCE
            emp.dispatcher.pump.glance()
            assert feed.next_number == before  # they may have company yet
            clock.now += 0.2 * PATIENCE
            emp.engine.wake()
            count, _ = next(results).value
            sizes.append(count)
            source.answered.release(count)
        assert list(results) == []
    assert sizes == source.bursts
    assert feed.next_number == 4


def test_rows_that_cannot_be_sent_end_the_feed_and_not_the_loop(
    folder: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch, large_chunks: None
) -> None:
    blocked = threading.Event()

    with manager(folder, clock, monkeypatch) as emp:
        first = threading.Event()

        def source() -> Iterator[object]:
            first.wait()
            yield threading.Lock()
            blocked.wait()

        feed = emp.feed(source())
        eventually(lambda: feed.starving)
        first.set()
        eventually(lambda: feed.gathering is not None and feed.gathering._timed)
        clock.now += 2 * PATIENCE
        emp.engine.wake()
        with pytest.raises(eisenmp.FeedError, match="ticket 0 of queue"):
            next(iter(feed))
        blocked.set()
