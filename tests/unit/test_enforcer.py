"""Who watches the time: asked, told, made to; each of it once, and nobody is ended for another's chunk."""

from __future__ import annotations

from collections.abc import Callable
from heapq import heappop, heappush
from typing import Any

import pytest

from eisenmp.core import messages as m
from eisenmp.core.deadlines import Deadlines
from eisenmp.core.failing import CANCELLED, TIMED_OUT
from eisenmp.core.ledger import Cut, GiveUp, Parcel
from eisenmp.manager.cause import Blame
from eisenmp.manager.crew import Slot
from eisenmp.manager.ending import TERM_GRACE
from eisenmp.manager.enforcer import MARGIN, SOFT_LEAST, SOFT_MOST, Enforcer
from tests.unit.ledgers import FEED, LONG, opened

GRACE = 10.0


class Scene:
    """Stands for the dispatcher: a ledger, a clock that is set by hand, and a diary of what is done."""

    def __init__(
        self, *, timeout: float | None = None, timeout_row: float | None = None, exact: bool = False
    ) -> None:
        self.ledger = opened(workers=2)
        self.now = 100.0
        self.diary: list[tuple[object, ...]] = []
        self.timers: list[tuple[float, int, Callable[[], None]]] = []
        self.slots = {wid: Slot(wid - 1) for wid in (1, 2)}
        for wid, slot in self.slots.items():
            slot.wid, slot.pid = wid, 1000 + wid
        self.crew = self.engine = self
        watched = timeout is not None or timeout_row is not None
        deadlines = Deadlines(timeout, timeout_row, exact=exact) if watched else None
        self.enforcer = Enforcer(self, deadlines, GRACE)  # type: ignore[arg-type]

    # what the enforcer calls

    def clock(self) -> float:
        return self.now

    def find(self, wid: int) -> Slot | None:
        return self.slots.get(wid)

    def order(self, wid: int, order: int, *, b: int = 0) -> None:
        assert order == m.ORDER_CANCEL
        self.diary.append(("asked", wid, b))

    def after(self, seconds: float, call: Callable[[], None]) -> None:
        assert seconds >= 0
        heappush(self.timers, (self.now + seconds, len(self.timers) + len(self.diary), call))

    def dump(self, wid: int) -> None:
        self.diary.append(("dumped", wid))

    def terminate(self, wid: int) -> None:
        self.diary.append(("terminated", wid))

    def kill(self, wid: int) -> None:
        self.diary.append(("killed", wid))

    # what the test does

    def gives(self, wid: int, count: int = 1, rows: int = 10) -> list[Parcel]:
        """Chunks that the worker holds from now on."""
        line = self.ledger.workers[wid].lines.get(0)
        self.ledger.wanted(wid, 0, (line.sent if line else 0) + count)
        parcels = [Parcel(0, b"", feed=FEED, number=n, rows=rows) for n in range(count)]
        self.ledger.offered_all(0, parcels)
        self.enforcer.look(wid)
        return parcels

    def ends(self, wid: int, parcel: Parcel) -> list[Any]:
        commands = self.ledger.finished(wid, parcel.lease, "output", LONG)
        self.enforcer.look(wid)
        return commands

    def dies(self, wid: int) -> list[Any]:
        del self.slots[wid]
        commands = self.ledger.lost(wid, Blame("died", "it died"))
        self.enforcer.look(wid)
        return commands

    def until(self, time: float) -> list[tuple[object, ...]]:
        """What is done until then."""
        before = len(self.diary)
        while self.timers and self.timers[0][0] <= time:
            self.now, _, call = heappop(self.timers)
            call()
        self.now = time
        return self.diary[before:]


def test_asked_then_told_then_made_to() -> None:
    scene = Scene(timeout=5.0)
    (parcel,) = scene.gives(1)
    assert scene.until(105.0) == []
    assert scene.until(105.0 + 2 * MARGIN) == [("dumped", 1), ("asked", 1, parcel.lease)]
    assert scene.slots[1].dumps_quietly
    expiry = scene.ledger.workers[1].expired[parcel.lease]
    assert (expiry.kind, expiry.error.kind, expiry.error.pid) == (TIMED_OUT, "timeout", 1001)
    assert expiry.error.cause == "it took longer than timeout = 5 s"
    assert scene.until(105.0 + SOFT_MOST) == []
    assert scene.until(105.0 + SOFT_MOST + 2 * MARGIN) == [("terminated", 1)]
    assert scene.slots[1].restart_reason == expiry.error.cause
    assert scene.until(105.0 + SOFT_MOST + TERM_GRACE) == []
    assert scene.until(110.0) == [("killed", 1)]
    assert scene.dies(1)[0] == GiveUp(parcel, expiry.error, 1)
    assert scene.until(1000.0) == []


@pytest.mark.parametrize("when", [105.5, 106.5])
def test_who_dies_meanwhile_is_left_alone(when: float) -> None:
    scene = Scene(timeout=5.0)
    scene.gives(1)
    scene.until(when)
    scene.dies(1)
    assert scene.until(1000.0) == []


def test_who_lets_go_in_time_lives_on() -> None:
    scene = Scene(timeout=5.0)
    late, following = scene.gives(1, 2)
    assert len(scene.until(105.5)) == 2
    (given_up,) = scene.ends(1, late)
    assert isinstance(given_up, GiveUp)
    # the next one has its time from then on
    assert scene.until(110.5) == []
    assert scene.until(110.6) == [("dumped", 1), ("asked", 1, following.lease)]


def test_a_chunk_ahead_has_its_time_from_when_it_is_taken() -> None:
    scene = Scene(timeout=5.0)
    first, second = scene.gives(1, 2)
    scene.until(104.0)
    scene.ends(1, first)
    assert scene.until(108.9) == []
    scene.ends(1, second)
    assert scene.until(1000.0) == []


@pytest.mark.parametrize(
    ("timeout", "soft"), [(0.01, SOFT_LEAST), (0.5, 0.5), (1.0, SOFT_MOST), (60.0, SOFT_MOST)]
)
def test_who_has_little_time_is_asked_for_a_short_time(timeout: float, soft: float) -> None:
    scene = Scene(timeout=timeout)
    scene.gives(1)
    scene.until(100.0 + timeout + 2 * MARGIN)
    assert scene.until(100.0 + timeout + soft) == []
    assert scene.until(100.0 + timeout + soft + 2 * MARGIN) == [("terminated", 1)]


def test_each_worker_has_its_own_time() -> None:
    scene = Scene(timeout=5.0)
    scene.gives(1)
    scene.until(103.0)
    scene.gives(2)
    assert [entry[1] for entry in scene.until(105.1)] == [1, 1]
    scene.dies(1)
    assert [entry[1] for entry in scene.until(108.1)] == [2, 2]


def test_rows_that_are_through_give_time_to_the_others() -> None:
    scene = Scene(timeout_row=1.0)
    (parcel,) = scene.gives(1)
    scene.until(109.0)
    scene.enforcer.progressed(1, 4)
    assert scene.until(115.0) == []
    assert scene.until(115.1) == [("dumped", 1), ("asked", 1, parcel.lease)]


def test_the_row_that_is_late_is_known_where_each_is_reported() -> None:
    scene = Scene(timeout_row=1.0, exact=True)
    scene.ledger.budget.cuts = True
    (parcel,) = scene.gives(1)
    for row in range(3):
        scene.until(100.5 + row / 2)
        scene.enforcer.progressed(1, 1)
    scene.until(102.6)
    (cut,) = scene.ends(1, parcel)
    assert isinstance(cut, Cut)
    assert cut.points == (3, 4)


def test_rows_of_the_next_chunk_do_not_count_for_the_one_before() -> None:
    """The end of a chunk and the first row of the next come with one word of the worker."""
    scene = Scene(timeout_row=1.0, exact=True)
    scene.ledger.budget.cuts = True
    first, second = scene.gives(1, 2)
    for _ in range(10):
        scene.enforcer.progressed(1, 1)
    # as the dispatcher does it: it looks when the whole word was heard
    scene.ledger.finished(1, first.lease, "output", LONG)
    scene.enforcer.progressed(1, 1)
    scene.enforcer.progressed(1, 1)
    scene.enforcer.look(1)
    scene.until(101.1)
    (cut,) = scene.ends(1, second)
    assert cut.points == (2, 3)


def test_without_limits_nobody_is_watched() -> None:
    scene = Scene()
    assert not scene.enforcer.watches
    scene.gives(1)
    scene.enforcer.progressed(1, 1)
    assert scene.timers == []


def test_what_is_cancelled_does_not_count_and_is_ended_after_a_while() -> None:
    scene = Scene()
    (parcel,) = scene.gives(1)
    scene.enforcer.cancel(1, parcel.lease)
    assert scene.diary == [("asked", 1, parcel.lease)]
    assert scene.until(100.0 + GRACE) == [("terminated", 1)]
    assert scene.until(200.0) == [("killed", 1)]
    ((_, blame, _),) = scene.dies(1)
    assert (blame.kind, blame.cause) == (CANCELLED, "it was cancelled")


def test_nobody_is_ended_for_a_chunk_that_it_has_not_begun() -> None:
    """A worker is at a long chunk; one that was sent ahead is cancelled: it passes that over, later."""
    scene = Scene()
    running, ahead = scene.gives(1, 2)
    scene.enforcer.cancel(1, ahead.lease)
    assert scene.until(100.0 + 10 * GRACE) == []
    assert scene.ends(1, running)[0].outputs == ["output"]
    # it did not pass it over: now it has to
    assert scene.until(100.0 + 13 * GRACE)[:1] == [("terminated", 1)]


def test_cancelled_in_time() -> None:
    scene = Scene()
    running, ahead = scene.gives(1, 2)
    scene.enforcer.cancel(1, ahead.lease)
    scene.ends(1, running)
    (given_up,) = scene.ledger.done(1, [ahead.lease], LONG)
    assert isinstance(given_up, GiveUp)
    assert scene.until(1000.0) == []


def test_the_dead_are_forgotten() -> None:
    scene = Scene(timeout=5.0)
    scene.gives(1)
    scene.dies(1)
    assert scene.enforcer._deadlines is not None
    assert not scene.enforcer._deadlines._running
    assert scene.until(1000.0) == []
