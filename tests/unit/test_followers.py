"""Threads of which one leads: who runs what, who leads meanwhile, and that all of them end."""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NamedTuple

import pytest

from eisenmp.servers import followers
from eisenmp.servers.followers import Followers

FOREVER = 60.0  #: seconds that nothing here takes


class Task(NamedTuple):
    """Runs the function."""

    call: Callable[[], object]

    def service(self) -> None:
        self.call()


class Busy:
    """Takes as long as its gate is closed."""

    def __init__(self) -> None:
        self.began, self.gate = threading.Event(), threading.Event()
        self.thread = 0

    def __call__(self) -> None:
        self.thread = threading.get_ident()
        self.began.set()
        self.gate.wait(FOREVER)


class Desk:
    """Hands tasks to the leader, as sockets do."""

    def __init__(self, threads: int) -> None:
        self.orders: queue.SimpleQueue[Callable[[], object] | None] = queue.SimpleQueue()
        self.lookers: list[int] = []
        self.followers = Followers(threads, self.look, "test")

    def look(self, may_wait: bool) -> bool:
        self.lookers.append(threading.get_ident())
        try:
            call = self.orders.get(may_wait)
        except queue.Empty:
            return True
        if call is None:
            return False
        self.followers.add_task(Task(call))
        return True


@contextmanager
def desk(threads: int = 2) -> Iterator[Desk]:
    made = Desk(threads)
    made.followers.start()
    try:
        yield made
        made.orders.put(None)
        made.followers.wait()
    finally:
        made.orders.put(None)
        assert made.followers.close(FOREVER)


def test_the_leader_does_at_once_what_it_is_asked_for() -> None:
    done: queue.SimpleQueue[int] = queue.SimpleQueue()
    with desk() as here:
        # a thread that was not let run for a moment may have lost the lead: not two times in all of these
        for _ in range(50):
            here.orders.put(lambda: done.put(threading.get_ident()))
            if done.get(timeout=FOREVER) == here.lookers[-1]:
                break
        else:
            pytest.fail("another thread has done it each time")


def test_while_one_is_busy_another_one_leads() -> None:
    busy, done = Busy(), threading.Event()
    with desk() as here:
        here.orders.put(busy)
        assert busy.began.wait(FOREVER)
        here.orders.put(done.set)
        assert done.wait(FOREVER)
        assert here.lookers[-1] != busy.thread
        busy.gate.set()


def test_no_more_run_at_once_than_there_are_threads_and_the_others_wait() -> None:
    gate, running, most = threading.Semaphore(0), 0, 0
    began: queue.SimpleQueue[int] = queue.SimpleQueue()
    lock = threading.Lock()

    def wait(number: int) -> None:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        began.put(number)
        gate.acquire(timeout=FOREVER)
        with lock:
            running -= 1

    with desk(threads=3) as here:
        for number in range(9):
            here.orders.put(lambda number=number: wait(number))
        first = {began.get(timeout=FOREVER) for _ in range(3)}
        assert first == {0, 1, 2}
        gate.release(9)
        assert {began.get(timeout=FOREVER) for _ in range(6)} == {3, 4, 5, 6, 7, 8}
    assert most == 3


def test_a_task_may_ask_for_another_one() -> None:
    done: queue.SimpleQueue[str] = queue.SimpleQueue()
    with desk() as here:

        def first() -> None:
            here.followers.add_task(Task(lambda: done.put("second")))
            done.put("first")

        here.orders.put(first)
        assert [done.get(timeout=FOREVER) for _ in range(2)] == ["first", "second"]


def test_where_tasks_take_long_another_one_leads_before_they_begin(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(followers, "USUAL", -1.0)
    monkeypatch.setattr(followers, "PATIENCE", FOREVER)  # no watch would see it
    busy, done = Busy(), threading.Event()
    with desk() as here:
        here.orders.put(busy)
        assert busy.began.wait(FOREVER)
        here.orders.put(done.set)
        assert done.wait(FOREVER)
        busy.gate.set()


def test_a_task_that_raises_is_logged_and_others_go_on(caplog: pytest.LogCaptureFixture) -> None:
    done = threading.Event()

    def fail() -> None:
        raise SystemExit("not the server's")

    with caplog.at_level(logging.ERROR, "eisenmp"), desk() as here:
        here.orders.put(fail)
        here.orders.put(done.set)
        assert done.wait(FOREVER)
    assert "not the server's" in caplog.text


def test_what_looking_raises_is_raised_where_it_is_waited_for() -> None:
    def look(may_wait: bool) -> bool:
        raise OSError("no descriptors left")

    crew = Followers(2, look, "test")
    crew.start()
    try:
        with pytest.raises(OSError, match="no descriptors left"):
            crew.wait()
    finally:
        assert crew.close(FOREVER)


def test_a_task_that_does_not_end_is_told() -> None:
    busy, here = Busy(), Desk(2)
    here.followers.start()
    here.orders.put(busy)
    assert busy.began.wait(FOREVER)
    here.orders.put(None)
    here.followers.wait()
    assert not here.followers.close(0.0)
    busy.gate.set()
    assert here.followers.close(FOREVER)
