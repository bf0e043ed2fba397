"""One run: a program with feeds and consumers over a simulated engine, driven from a seed to its end."""

from __future__ import annotations

from contextlib import suppress

from ..core.ledger import Ledger
from ..manager import lifetime
from .draws import Draws
from .engine import SimEngine
from .faults import AT
from .manager import SimMp
from .plan import Plan
from .program import Program
from .rules import Rules
from .schedule import Schedule
from .trace import Trace
from .violation import Violation, check

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from ..child.channel import Item
    from ..manager.feed import Feed
    from .plan import FeedPlan
    from .process import Process
    from .schedule import Steps, Task

STEPS_MAX = 60_000  #: a run takes some hundreds


class Simulation:
    """`run()` raises Violation when a rule is broken; with `traced`, `trace.lines` tell what happened."""

    def __init__(self, seed: int, *, ledger: Callable[..., Ledger] = Ledger, traced: bool = False) -> None:
        self.seed = seed
        self.draws = Draws(seed)
        self.plan = Plan(self.draws)
        self.schedule = Schedule()
        self.names: dict[int, str] = {}
        self.trace = Trace(self.names) if traced else None
        self.rules = Rules(self)
        self.engine = SimEngine(self)
        self.program = Program(self)
        self.feeds: dict[int, Feed] = {}
        self.processes: list[Process] = []  #: all that there were
        self.stepping = False
        self.touched = False  #: the manager was, in this step
        self.violation: Violation | None = None  #: the first one
        self.faults_left = self.plan.faults
        self.objects_left = self.plan.puts_of_workers
        self.plans: dict[int, FeedPlan] = {}
        self.opening: FeedPlan | None = None  #: the feed that is being opened
        self.cancelled: set[tuple[int, int]] = set()  #: feed and number of tickets
        self._loop_at: float | None = None
        self.emp = SimMp(self, ledger, **self.plan.settings())

    # for the parts

    def latency(self) -> float:
        return self.draws.about(self.plan.latency)

    def notice_time(self) -> float:
        """Until somebody notices that a worker hangs."""
        return self.draws.about(20 * self.plan.chunk_seconds + 0.01)

    def log(self, who: str, what: str) -> None:
        if self.trace is not None:
            self.trace.add(self.schedule.now, who, what)

    def feed_plan(self, feed: Feed) -> FeedPlan:
        assert self.opening is not None
        planned = self.opening
        self.names[feed.number] = planned.name
        self.plans[feed.number] = planned
        return planned

    def feed_name(self, number: int) -> str:
        return self.names.get(number, "no feed")

    def rows_max(self, number: int) -> int:
        return self.plans[number].rows_max

    def start(self, name: str, steps: Steps, seconds: float) -> Task:
        """A task of the program."""
        return self.program.start(name, steps, seconds)

    # faults

    def spawn_is_refused(self) -> bool:
        # at the start of the manager it ends the run, which is worth a few only
        share = self.plan.refusals if self.feeds else self.plan.refusals / 20
        if self.faults_left > 0 and self.draws.chance(share):
            self.faults_left -= 1
            return True
        return False

    def fault_at(self, where: str, item: Item | None, rows: Iterable[int]) -> str | None:
        """The fault that strikes here, if one does."""
        if item is not None and item.feed and where == "taken":
            poisons = self.plans[item.feed].poisons
            if poisons:
                poison = next((poisons[row] for row in rows if row in poisons), None)
                if poison is not None:
                    return poison
        if self.faults_left > 0 and self.draws.chance(self.plan.fault_share):
            self.faults_left -= 1
            return self.draws.pick(AT[where])
        return None

    def strikes(self, fault: str, process: Process, item: Item | None) -> None:
        self.log(process.name, fault + (f" ({self.rules.name(item)})" if item is not None else ""))

    # the loop of the manager

    def manager_soon(self) -> None:
        """The manager's loop takes a turn when it comes to it."""
        self._loop_by(self.schedule.now + self.latency())

    def _loop_by(self, time: float) -> None:
        if self._loop_at is None or time < self._loop_at:
            self._loop_at = time
            self.schedule.at(time, self._loop, time)

    def _loop(self, time: float) -> None:
        if time != self._loop_at:
            return
        self._loop_at = None
        self.touched = True
        self.emp.dispatcher.step()
        wait = self.engine.wait
        if wait is not None:
            self._loop_by(self.schedule.now + wait)

    def step(self, until: float | None = None) -> bool:
        """The next step of anybody, and the rules after it; False when there is none before `until`."""
        schedule = self.schedule
        if self.violation is not None:
            raise self.violation  # what comes after the first one says nothing
        check(schedule.taken < STEPS_MAX, "a run comes to its end", f"not within {STEPS_MAX} steps")
        self.stepping = True
        try:
            moved = schedule.step(until)
            self.program.look()
            if self.touched:
                self.touched = False
                self.rules.check()
        except Violation as violation:
            self.violation = violation
            raise
        finally:
            self.stepping = False
        return moved

    # from the start to the end

    def run(self) -> None:
        """From the start of the manager to its end; raises Violation."""
        emp = self.emp
        try:
            self.program.run()
        except BaseException as error:
            lifetime.unregister(emp)
            raise self.violation or error from None
        finally:
            self._put_away()

    def _put_away(self) -> None:
        """What is left of a run that has failed must not go on when it is swept up."""
        for process in self.processes:
            process.alive = False
        for task in [*self.program.tasks, *(task for process in self.processes for task in process.tasks)]:
            with suppress(BaseException):  # the run has failed already, or there is nothing left
                task.close()
        self.processes.clear()
