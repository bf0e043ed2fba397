"""A manager of `acts.py` whose clock stands still until it is set: limits of time, without waiting for them."""

from __future__ import annotations

import threading
from pathlib import Path
from types import TracebackType
from typing import Any

import eisenmp
from eisenmp.manager import events
from eisenmp.testing import eventually

ACTS = Path(__file__).with_name("acts.py")
PATIENCE = 60.0


class Clock:
    """Seconds since the start of the test, as far as the manager knows."""

    def __init__(self, emp: eisenmp.Mp) -> None:
        self._emp = emp
        self._now = 1000.0
        emp.dispatcher.clock = self

    def __call__(self) -> float:
        return self._now

    def advance(self, seconds: float) -> None:
        """Let so much time pass, and what is due by then happen."""
        dispatcher = self._emp.dispatcher
        with dispatcher.lock:
            self._now += seconds
        dispatcher.pump.interrupt()
        self._emp.engine.wake()

        def done() -> bool:
            with dispatcher.lock:
                return not dispatcher._timers or dispatcher._timers[0][0] > self._now

        eventually(done, PATIENCE)


class Stage:
    """Two workers, unless something else is said; what they tell and what happens is written down."""

    def __init__(self, method: str, *modules: str, frozen: bool = True, **settings: Any) -> None:
        ways = {"forkserver": {"start_method": "forkserver"}, "inline": {"engine": "inline"}}
        given = {"procs_max": 2, "rows_max": 1, **ways.get(method, {})}
        names = [f"{ACTS}:{name}" for name in modules or ("act",)]
        self.emp = eisenmp.Mp(*names, **{**given, **settings})
        self.events: list[Any] = []
        self.emp.on(events.Event, self.events.append)
        self.told = self.emp.queue("told", maxsize=100)
        self.gate = self.emp.queue("gate", maxsize=100)
        self.clock = Clock(self.emp) if frozen else None

    def __enter__(self) -> Stage:
        self.emp.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is not None:
            self.emp.stop(grace=0.0)
        else:
            self.emp.__exit__(None, None, None)

    def advance(self, seconds: float) -> None:
        assert self.clock is not None
        self.clock.advance(seconds)

    def feed(self, *rows: Any, **settings: Any) -> eisenmp.Feed:
        return self.emp.feed(list(rows), **settings)

    def hear(self) -> Any:
        """The next thing that a worker tells."""
        return self.told.get(timeout=PATIENCE)

    def let_through(self, count: int = 1) -> None:
        for _ in range(count):
            self.gate.put(None, timeout=PATIENCE)

    def warm_up(self) -> set[int]:
        """All workers have taken a chunk; their pids."""
        count = len(self.emp.proc_list)
        feed = self.feed(*[("gate",)] * count)
        pids = {self.hear() for _ in range(count)}
        self.let_through(count)
        assert feed.wait(PATIENCE)
        return pids

    def of(self, kind: type[Any]) -> list[Any]:
        return [event for event in list(self.events) if isinstance(event, kind)]

    def until(self, kind: type[Any], count: int) -> list[Any]:
        """Wait until so many of these have happened."""
        eventually(lambda: len(self.of(kind)) >= count, PATIENCE)
        return self.of(kind)

    def sent(self, count: int) -> None:
        self.until(events.ChunkSent, count)

    def tick(self, feed: eisenmp.Feed, step: float = 0.1) -> None:
        """Let the time go on, in steps, until the feed is over: what is put off is tried again."""
        pause = threading.Event()

        def over() -> bool:
            if not feed.is_over:
                self.advance(step)
                pause.wait(0.01)
            return feed.is_over

        eventually(over, PATIENCE)


def failures(feed: eisenmp.Feed) -> list[tuple[int, Any, str]]:
    return [(failure.ticket.number, failure.rows, type(failure.error).__name__) for failure in feed.failed]
