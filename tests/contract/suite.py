"""A behaviour is a function of an engine; those that need no manager of their own share one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import eisenmp
from eisenmp.testing import eventually

from .engines import Contestant
from .workers import lump

GATE, TOLD = "gate", "told"  #: queues of the shared manager: what workers wait for, what they tell


class Shared:
    """A manager with two workers that behaviours use one after the other; all that they start, they end."""

    def __init__(self, engine: Contestant) -> None:
        self.engine = engine
        self.start()

    def start(self) -> None:
        self.emp = self.engine.mp(rows_max=1)
        for name in (GATE, TOLD):
            setattr(self, name, self.emp.queue(name, maxsize=1000))
        self.emp.start()
        # all threads that come with the first use are there: none of them is a leak of a behaviour
        large = [("wait_with", GATE, TOLD, lump(0, 70_000)) for _ in range(2)]
        with_both = self.emp.feed([*large, ("checksum", lump(0, 70_000)), ("nothing",)])
        for _ in range(2):
            self.told.get(timeout=60)
        self.emp.mp_print_q.put("the shared manager is up")
        for _ in range(2):
            self.gate.put(None)
        with_both.wait(60)
        lender = self.emp.dispatcher.lender
        eventually(lambda: lender is None or not lender.opening)

    gate: eisenmp.Queue
    told: eisenmp.Queue

    def feed(self, rows: Any, **settings: Any) -> eisenmp.Feed:
        return self.emp.feed(rows, **settings)

    def values(self, rows: Any, **settings: Any) -> list[Any]:
        """The values of all rows, in order."""
        return [value for result in self.feed(rows, **settings).in_order() for value in result.value]

    def run(self, behaviour: Behaviour) -> None:
        """A behaviour must not hinder the next one; one that fails gets its successors a new manager."""
        try:
            behaviour.run(self)
            assert self.values([1, 2, 3]) == [1, 2, 3]
            assert (self.gate.qsize(), self.told.qsize()) == (0, 0)
        except BaseException:
            self.emp.stop(grace=0.0)
            self.start()
            raise


class Behaviour(NamedTuple):
    """One line of the contract."""

    name: str
    run: Callable[[Any], None]  #: of the Shared, or of the Contestant
    shares: bool
    processes: bool  #: only for engines whose workers are processes


BEHAVIOURS: list[Behaviour] = []


def shared(run: Callable[[Shared], None]) -> Callable[[Shared], None]:
    """A behaviour of the shared manager."""
    BEHAVIOURS.append(Behaviour(run.__name__, run, True, False))
    return run


def own(run: Callable[[Contestant], None]) -> Callable[[Contestant], None]:
    """A behaviour with managers of its own."""
    BEHAVIOURS.append(Behaviour(run.__name__, run, False, False))
    return run


def own_process(run: Callable[[Contestant], None]) -> Callable[[Contestant], None]:
    """A behaviour with managers of its own, of engines whose workers are processes."""
    BEHAVIOURS.append(Behaviour(run.__name__, run, False, True))
    return run


@contextmanager
def sharing(engine: Contestant) -> Iterator[Shared]:
    """The shared manager of an engine."""
    with engine.chosen():
        shared = Shared(engine)
        try:
            yield shared
        finally:
            shared.emp.stop(grace=5.0)
