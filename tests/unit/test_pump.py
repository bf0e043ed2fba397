"""Whoever waits drives the loop; somebody always does; nobody waits for ever."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from functools import partial
from queue import Empty, SimpleQueue
from typing import Any

import pytest

from eisenmp.testing import eventually
from eisenmp.wire.pump import Pump

LONG = 30.0  # seconds; only a defect lets anything here wait so long
BACKGROUND = "pump-under-test"
WAKE = "wake"


class Wire:
    """What a pump is driven over: words that come in."""

    def __init__(self) -> None:
        self.inbox: SimpleQueue[str] = SimpleQueue()
        self.words: list[str] = []
        self.leaders: list[str] = []
        self.inside = 0
        self.waiting = threading.Event()
        self.prepared = 0
        self.defect: BaseException | None = None

    def step(self, timeout: float | None) -> None:
        self.inside += 1
        assert self.inside == 1, "two threads lead"
        self.leaders.append(threading.current_thread().name)
        self.waiting.set()
        try:
            word = self.inbox.get(timeout=timeout)
        except Empty:
            return
        finally:
            self.inside -= 1
        if self.defect is not None:
            raise self.defect
        if word != WAKE:
            self.words.append(word)

    def wake(self) -> None:
        self.inbox.put(WAKE)

    def prepare(self) -> None:
        self.prepared += 1

    def has(self, word: str) -> Callable[[], bool]:
        return lambda: word in self.words


@pytest.fixture
def wire() -> Wire:
    return Wire()


@pytest.fixture
def pump(wire: Wire) -> Iterator[Pump]:
    """Its background thread comes after a long time only."""
    pump = Pump(wire.step, wire.wake, tick=LONG, name=BACKGROUND)
    yield pump
    pump.close()


@pytest.fixture
def quick(wire: Wire) -> Iterator[Pump]:
    """Its background thread runs, and leads at once when nobody does."""
    pump = Pump(wire.step, wire.wake, tick=0.001, name=BACKGROUND, before_background=wire.prepare)
    pump.start()
    yield pump
    pump.close()


class Waiter(threading.Thread):
    """A thread that waits for a word; `result` is what wait_until gave, or the error that it raised."""

    def __init__(self, pump: Pump, ready: Callable[[], bool], **options: Any) -> None:
        super().__init__(name="waiter")
        self._wait = partial(pump.wait_until, ready, **options)
        self.result: object = None
        self.start()

    def run(self) -> None:
        try:
            self.result = self._wait()
        except RuntimeError as error:
            self.result = error

    def end(self) -> object:
        self.join(LONG)
        assert not self.is_alive()
        return self.result


def test_who_waits_leads(wire: Wire, pump: Pump) -> None:
    wire.inbox.put("first")
    wire.inbox.put("second")
    assert pump.wait_until(wire.has("second"))
    assert wire.words == ["first", "second"]
    assert set(wire.leaders) == {threading.current_thread().name}


def test_what_is_true_already_takes_no_step(wire: Wire, pump: Pump) -> None:
    assert pump.wait_until(lambda: True)
    assert wire.leaders == []


def test_a_leader_waits_no_longer_than_its_timeout(wire: Wire, pump: Pump) -> None:
    assert pump.wait_until(wire.has("never"), 0.01) is False
    assert pump.wait_until(wire.has("never"), 0) is False


def test_a_leader_serves_the_followers(wire: Wire, pump: Pump) -> None:
    leader = Waiter(pump, wire.has("last"))
    assert wire.waiting.wait(LONG)
    followers = [Waiter(pump, wire.has(word)) for word in ("one", "two")]
    late = Waiter(pump, wire.has("never"), timeout=0.01)
    assert late.end() is False
    eventually(lambda: len(pump._followers) == 2)
    for word in ("two", "one"):
        wire.inbox.put(word)
    assert [follower.end() for follower in followers] == [True, True]
    assert set(wire.leaders) == {"waiter"}
    wire.inbox.put("last")
    assert leader.end() is True


def test_a_follower_leads_when_the_leader_has_gone(wire: Wire, pump: Pump) -> None:
    leader = Waiter(pump, wire.has("one"))
    assert wire.waiting.wait(LONG)
    follower = Waiter(pump, wire.has("two"))
    eventually(lambda: pump._followers)
    wire.inbox.put("one")
    assert leader.end() is True
    wire.inbox.put("two")
    assert follower.end() is True


def test_who_may_not_lead_never_does(wire: Wire, quick: Pump) -> None:
    follower = Waiter(quick, wire.has("word"), may_lead=False)
    wire.inbox.put("word")
    assert follower.end() is True
    assert set(wire.leaders) == {BACKGROUND}
    assert Waiter(quick, wire.has("never"), may_lead=False, timeout=0.01).end() is False


def test_the_background_leads_when_nobody_waits(wire: Wire, quick: Pump) -> None:
    wire.inbox.put("word")
    eventually(wire.has("word"))
    assert set(wire.leaders) == {BACKGROUND}
    eventually(lambda: quick.background_leads)
    assert wire.prepared == 1


def test_the_background_steps_down_for_a_follower(wire: Wire, quick: Pump) -> None:
    """The next wait of that thread leads itself, without a hand-over."""
    eventually(lambda: quick.background_leads)
    follower = Waiter(quick, wire.has("one"))
    eventually(lambda: quick._followers)
    wire.inbox.put("one")
    assert follower.end() is True
    eventually(lambda: wire.prepared == 2)


def test_the_background_sleeps_while_another_leads(wire: Wire) -> None:
    """It is not woken at every tick to see that there is nothing for it to do."""
    pump = Pump(wire.step, wire.wake, tick=0.001, name=BACKGROUND)
    leader = Waiter(pump, wire.has("end"))
    assert wire.waiting.wait(LONG)
    pump.start()
    eventually(lambda: pump._parked)
    assert not pump.background_leads
    wire.inbox.put("end")
    assert leader.end() is True
    eventually(lambda: pump.background_leads)
    pump.close()


def test_a_glance_handles_what_has_come(wire: Wire, pump: Pump) -> None:
    pump.glance()
    assert wire.words == []
    wire.inbox.put("word")
    pump.glance()
    assert wire.words == ["word"]
    assert wire.leaders == [threading.current_thread().name] * 2


def test_a_glance_leaves_it_to_the_leader(wire: Wire, pump: Pump) -> None:
    leader = Waiter(pump, wire.has("word"))
    assert wire.waiting.wait(LONG)
    pump.glance()
    assert wire.leaders == ["waiter"]
    wire.inbox.put("word")
    assert leader.end() is True


def test_what_another_thread_made_true_is_noticed(wire: Wire, pump: Pump) -> None:
    done: list[str] = []
    leader = Waiter(pump, lambda: "leader" in done)
    assert wire.waiting.wait(LONG)
    follower = Waiter(pump, lambda: "follower" in done)
    eventually(lambda: pump._followers)
    done.append("follower")
    pump.poke()
    assert follower.end() is True
    done.append("leader")
    pump.interrupt()
    assert leader.end() is True


# the end


def test_closing_ends_all_waits(wire: Wire, quick: Pump) -> None:
    waiters = [Waiter(quick, wire.has("never")) for _ in range(3)]
    waiters.append(Waiter(quick, wire.has("never"), may_lead=False))
    eventually(lambda: quick._leading and len(quick._followers) >= 3)
    quick.close()
    assert wire.inside == 0, "somebody is left in the loop"
    assert [waiter.end() for waiter in waiters] == [False] * 4
    assert quick.wait_until(wire.has("never")) is False
    assert quick.wait_until(lambda: True) is True
    quick.glance()
    quick.close()


def test_closing_waits_for_a_leader_that_is_not_the_background(wire: Wire, pump: Pump) -> None:
    leader = Waiter(pump, wire.has("never"))
    assert wire.waiting.wait(LONG)
    pump.close()
    assert wire.inside == 0
    assert leader.end() is False


def test_the_leader_may_close_the_pump(wire: Wire) -> None:
    own = Pump(lambda timeout: own.close(join=False), wire.wake, tick=LONG, name=BACKGROUND)
    assert own.wait_until(wire.has("never")) is False
    own.close()


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_defect_in_the_background_is_raised_where_somebody_waits(wire: Wire, quick: Pump) -> None:
    eventually(lambda: quick.background_leads)
    follower = Waiter(quick, wire.has("never"), may_lead=False)
    eventually(lambda: quick._followers)
    wire.defect = RuntimeError("a defect")
    wire.wake()
    assert follower.end() is wire.defect
    with pytest.raises(RuntimeError, match="a defect"):
        quick.wait_until(wire.has("never"))


def test_a_defect_that_another_thread_met_is_raised_where_somebody_waits(wire: Wire, pump: Pump) -> None:
    leader = Waiter(pump, wire.has("never"))
    assert wire.waiting.wait(LONG)
    follower = Waiter(pump, wire.has("never"))
    eventually(lambda: pump._followers)
    defect = RuntimeError("a defect")
    pump.fail(defect)
    assert leader.end() is defect
    assert follower.end() is defect


def test_an_error_of_a_leader_gives_the_lead_away(wire: Wire, pump: Pump) -> None:
    wire.defect = RuntimeError("interrupted")
    leader = Waiter(pump, wire.has("one"))
    assert wire.waiting.wait(LONG)
    follower = Waiter(pump, wire.has("one"))
    eventually(lambda: pump._followers)
    wire.wake()
    assert leader.end() is wire.defect
    wire.defect = None
    wire.inbox.put("one")
    # whether it took the lead before the defect was gone or after it
    assert follower.end() in (True, leader.result)


def test_many_threads_wait_for_many_words(wire: Wire, quick: Pump) -> None:
    """Every wait ends, and there is never more than one in the loop (Wire.step asserts it)."""
    missed: list[str] = []

    def wait(mark: str) -> None:
        for number in range(100):
            word = f"{mark}{number}"
            wire.inbox.put(word)
            if not quick.wait_until(wire.has(word), LONG, may_lead=mark != "d"):
                missed.append(word)

    threads = [threading.Thread(target=wait, args=(mark,)) for mark in "abcd"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(LONG)
    assert missed == []
    assert sorted(wire.words) == sorted(f"{mark}{number}" for mark in "abcd" for number in range(100))
