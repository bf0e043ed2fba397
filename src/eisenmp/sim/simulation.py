"""One run: a program with feeds and consumers over a simulated engine, driven from a seed to its end."""

from __future__ import annotations

from contextlib import suppress

from ..core.ledger import Ledger
from ..core.ticket import Ticket
from ..errors import EisenmpError
from ..manager import lifetime
from ..wire.platform import SIGKILL
from .draws import Draws
from .engine import SimEngine
from .faults import AT
from .manager import SimMp
from .plan import Plan
from .rules import Rules
from .schedule import Place, Schedule
from .trace import Trace
from .violation import Violation, check

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from typing import Any

    from ..child.channel import Item
    from ..core.results import Result
    from ..manager.feed import Feed
    from .plan import FeedPlan
    from .process import Process
    from .schedule import Steps, Task

STEPS_MAX = 60_000  #: a run takes some hundreds


class SourceError(Exception):
    """What simulated generators raise."""


class Program(Place):
    """The process of the manager: whatever runs in it may change the books."""

    def __init__(self, simulation: Simulation) -> None:
        super().__init__(simulation.schedule, simulation.latency)
        self._simulation = simulation

    def lets_run(self, call: Callable[..., None], *arguments: Any) -> bool:
        self._simulation.touched = True
        return True


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
        self._plans: dict[int, FeedPlan] = {}
        self._opening: FeedPlan | None = None
        self._consumers: list[Task] = []
        self._using = 0  # consumers that have not come to their end
        self._taken: dict[int, list[tuple[int, int]]] = {}  # by feed: ticket and part
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
        assert self._opening is not None
        planned = self._opening
        self.names[feed.number] = planned.name
        self._plans[feed.number] = planned
        return planned

    def feed_name(self, number: int) -> str:
        return self.names.get(number, "no feed")

    def rows_max(self, number: int) -> int:
        return self._plans[number].rows_max

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
            poisons = self._plans[item.feed].poisons
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

    # the program

    def run(self) -> None:
        """From the start of the manager to its end; raises Violation."""
        emp = self.emp
        try:
            self._run()
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

    def _run(self) -> None:
        emp, plan = self.emp, self.plan
        if plan.objects or plan.has_mates:
            emp.queue("objects", maxsize=plan.object_maxsize)
        self.log("program", f"starts {plan.procs} workers of the kind {plan.kind}, {plan.end} at the end")
        try:
            emp.start()
        except OSError:
            self.log("program", "could not start")
            check(emp._ended, "a manager that cannot start is ended")
            return
        self.rules.check()
        for planned in plan.feeds:
            self._consumers.append(self.start(planned.name + " user", self._user(planned), planned.start))
            self._using += 1
        for seconds in plan.resizes:
            self.start("program", self._resize(), seconds)
        for seconds in plan.kills:
            self.schedule.after(seconds, self._kill)
        for seconds in plan.dismissals:
            self.start("program", self._dismiss(), seconds)
        for _ in range(plan.objects_put):
            self.start("program", self._put(), self.draws.about(8 * plan.chunk_seconds))
        pump = emp.dispatcher.pump
        try:
            if plan.end == "stop":
                pump.wait_until(self._is_used, plan.stop_at)
            else:
                pump.wait_until(self._is_used)
                self.log("program", plan.end)
                if plan.end == "leave":
                    emp.__exit__(None, None, None)
                else:
                    emp.join()
        except (EisenmpError, SourceError) as error:
            self.log("program", f"was told: {error}")
            check(emp.dispatcher.error is not None or self._some_feed_failed(), "errors have a reason", error)
        self.log("program", "stops the manager")
        emp.stop()
        self._finish()

    def _is_used(self) -> bool:
        return not self._using

    def _some_feed_failed(self) -> bool:
        return any(feed._error or feed._source_error for feed in self.feeds.values())

    def _user(self, planned: FeedPlan) -> Steps:
        yield from self._use(planned)
        self._using -= 1

    def _use(self, planned: FeedPlan) -> Steps:
        """Open a feed and take its results."""
        emp = self.emp
        self._opening = planned
        try:
            if self.plan.kind == "chunks":
                feed = emp.feed(self._rows(planned), rows_max=planned.rows_max)
            else:
                feed = emp.run_q_feeder(generator=self._rows(planned), ROWS_MAX=planned.rows_max)
        except EisenmpError as error:
            self.log("program", f"cannot open {planned.name}: {error}")
            return
        self.feeds[feed.number] = feed
        self._taken[feed.number] = []
        self.log("program", f"opens {planned.name}")
        if planned.cancel_at >= 0:
            self.start("program", self._cancel(feed), planned.cancel_at)
        for _ in range(planned.tickets_cancelled):
            self.start("program", self._cancel_ticket(feed), self.draws.about(4 * self.plan.chunk_seconds))
        consumer = planned.consumer
        if consumer == "never":
            return
        if consumer == "waits":
            feed.open_window()
            yield lambda: feed.is_over
            return
        results: Any = feed.in_order() if consumer == "in order" else iter(feed)
        try:
            yield from self._iterate(feed, planned, results)
        finally:
            results.close()

    def _iterate(self, feed: Feed, planned: FeedPlan, results: Iterator[Result]) -> Steps:
        ordered = planned.consumer == "in order"
        taken = self._taken[feed.number]
        while planned.consumer != "drops out" or len(taken) < planned.takes:
            yield lambda: feed._results.ready or feed.is_over
            try:
                result = next(results, None)
            except (EisenmpError, SourceError) as error:
                self.log(planned.name + " user", f"is told: {error}")
                return
            if result is None:
                return
            number, part = result.ticket.number, result.ticket.part
            self.log(planned.name + " user", f"takes ticket {number}{f' part {part}' if part else ''}")
            check((number, part) not in taken, "each ticket is done once", f"{number} is given out again")
            check(not ordered or not taken or (number, part) > taken[-1], "order is kept", (number, taken))
            check(result.value is None or result.value[0] == number, "a result is that of its ticket", number)
            taken.append((number, part))
            if planned.consumer == "slow":
                yield self.draws.about(3 * self.plan.chunk_seconds)
        self.log(planned.name + " user", "drops out")

    def _rows(self, planned: FeedPlan) -> Iterator[Any]:
        for number in range(planned.rows):
            if number == planned.raises_at:
                raise SourceError(f"no row {number}")
            yield (lambda: None) if number == planned.unsendable_at else number
        if planned.raises_at == planned.rows:
            raise SourceError("no end")

    def _cancel(self, feed: Feed) -> Steps:
        self.log("program", f"cancels {self.feed_name(feed.number)}")
        feed.cancel()
        yield from ()

    def _cancel_ticket(self, feed: Feed) -> Steps:
        number = self.draws.below(feed.next_number + 2)
        self.log("program", f"cancels ticket {number} of {self.feed_name(feed.number)}")
        self.cancelled.add((feed.number, number))
        self.emp.cancel(Ticket("", number, feed.number))
        yield from ()

    def _resize(self) -> Steps:
        procs = self.draws.between(1, 6)
        emp = self.emp
        if not emp.ended:
            self.log("program", f"wants {procs} workers")
            try:
                emp.resize(procs)
            except OSError:
                self.log("program", "could not have them")
        yield from ()

    def _kill(self) -> None:
        """Somebody from outside kills one of the processes."""
        alive = [process for process in self.engine.processes.values() if process.alive]
        if alive:
            self.draws.pick(alive).signal(SIGKILL)

    def _dismiss(self) -> Steps:
        """The program ends one of the processes for good."""
        process = self.draws.pick(self.emp.proc_list)
        if not self.emp.ended:
            self.log("program", f"ends slot {process._slot.number} for good")
            (process.kill if self.draws.chance(0.5) else process.terminate)()
        yield from ()

    def _put(self) -> Steps:
        from queue import Full

        emp = self.emp
        yield from ()
        if emp.ended:
            return
        try:
            emp._queues[self.plan.object_queue].put_nowait(0)
        except Full:
            return
        self.log("program", "puts an object")

    # the end

    def _finish(self) -> None:
        """Nothing is left, everybody was told, every ticket is accounted for."""
        emp = self.emp
        limit = self.schedule.taken + 1000
        while not self._is_used() and self.schedule.taken < limit and self.step():
            pass
        check(self._is_used(), "what is waited for comes", "a consumer waits for ever")
        check(emp._crew.over, "nothing keeps running", emp._crew.slots)
        check(not emp._feeders, "nothing keeps running", "a feeder")
        check(not emp._ledger.workers, "leases only with the living", emp._ledger.workers)
        check(not emp.dispatcher._pending, "nothing waits for the dead", emp.dispatcher._pending)
        check(not emp.dispatcher._reception._puts, "nothing waits for the dead", "a put")
        for number, feed in self.feeds.items():
            self._check_feed(number, feed)

    def _check_feed(self, number: int, feed: Feed) -> None:
        planned = self._plans[number]
        check(feed.is_over, "every feed comes to its end", planned.name)
        ended = feed._error is None and not feed._cancelled
        if ended and self.plan.kind == "chunks" and feed._source_error is None:
            unsent = {lost.number for lost in feed._failed if lost.body is None}
            for ticket in range(feed.next_number):
                rows = min(planned.rows_max, planned.rows - ticket * planned.rows_max)
                unknown = ticket in feed.unwanted and self.rules.is_unknown(number, ticket)
                if ticket not in unsent and not unknown:
                    self.rules.check_rows_of(number, ticket, rows)
        if ended:
            check(not feed.missing, "every ticket is accounted for", (planned.name, feed.missing))
        failed = [(lost.number, lost.start) for lost in feed._failed if lost.body is not None]
        check(len(set(failed)) == len(failed), "each ticket is done once", failed)
        if ended and feed._source_error is None and planned.consumer in ("as they come", "in order", "slow"):
            given = {ticket for ticket, _ in self._taken[number]}.union(feed._results.failed)
            check(given == set(range(feed.next_number)), "every ticket is accounted for", sorted(given))
            check(feed.rows_cut == planned.rows, "every row is fed", (planned.name, feed.rows_cut))
