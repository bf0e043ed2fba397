"""The program of the user: it opens feeds, takes results, cancels, resizes, puts, and leaves."""

from __future__ import annotations

from ..core.ticket import Ticket
from ..errors import EisenmpError
from ..wire.platform import SIGKILL
from .schedule import Place
from .violation import check

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any

    from ..core.results import Result
    from ..manager.feed import Feed
    from .plan import FeedPlan
    from .schedule import Steps
    from .simulation import Simulation


class SourceError(Exception):
    """What simulated generators raise."""


class Program(Place):
    """The process of the manager: whatever runs in it may change the books."""

    def __init__(self, simulation: Simulation) -> None:
        super().__init__(simulation.schedule, simulation.latency)
        self._simulation = simulation
        self._plan, self._draws, self._log = simulation.plan, simulation.draws, simulation.log
        self._using = 0  # consumers that have not come to their end
        self._taken: dict[int, list[tuple[int, int]]] = {}  # by feed: ticket and part

    def lets_run(self, call: Callable[..., None], *arguments: Any) -> bool:
        self._simulation.touched = True
        return True

    def run(self) -> None:
        emp, plan = self._simulation.emp, self._plan
        if plan.objects or plan.has_mates:
            emp.queue("objects", maxsize=plan.object_maxsize)
        self._log("program", f"starts {plan.procs} workers of the kind {plan.kind}, {plan.end} at the end")
        try:
            emp.start()
        except OSError:
            self._log("program", "could not start")
            check(emp._ended, "a manager that cannot start is ended")
            return
        self._simulation.rules.check()
        for planned in plan.feeds:
            self.start(planned.name + " user", self._user(planned), planned.start)
            self._using += 1
        for seconds in plan.resizes:
            self.start("program", self._resize(), seconds)
        for seconds in plan.kills:
            self.schedule.after(seconds, self._kill)
        for seconds in plan.dismissals:
            self.start("program", self._dismiss(), seconds)
        for _ in range(plan.objects_put):
            self.start("program", self._put(), self._draws.about(8 * plan.chunk_seconds))
        pump = emp.dispatcher.pump
        try:
            if plan.end == "stop":
                pump.wait_until(self._is_used, plan.stop_at)
            else:
                pump.wait_until(self._is_used)
                self._log("program", plan.end)
                if plan.end == "leave":
                    emp.__exit__(None, None, None)
                else:
                    emp.join()
        except (EisenmpError, SourceError) as error:
            self._log("program", f"was told: {error}")
            check(emp.dispatcher.error is not None or self._some_feed_failed(), "errors have a reason", error)
        self._log("program", "stops the manager")
        emp.stop()
        self._finish()

    def _is_used(self) -> bool:
        return not self._using

    def _some_feed_failed(self) -> bool:
        return any(feed._error or feed._source_error for feed in self._simulation.feeds.values())

    def _user(self, planned: FeedPlan) -> Steps:
        yield from self._use(planned)
        self._using -= 1

    def _use(self, planned: FeedPlan) -> Steps:
        """Open a feed and take its results."""
        emp = self._simulation.emp
        self._simulation.opening = planned
        try:
            if self._plan.kind == "chunks":
                feed = emp.feed(self._rows(planned), rows_max=planned.rows_max)
            else:
                feed = emp.run_q_feeder(generator=self._rows(planned), ROWS_MAX=planned.rows_max)
        except EisenmpError as error:
            self._log("program", f"cannot open {planned.name}: {error}")
            return
        self._simulation.feeds[feed.number] = feed
        self._taken[feed.number] = []
        self._log("program", f"opens {planned.name}")
        if planned.cancel_at >= 0:
            self.start("program", self._cancel(feed), planned.cancel_at)
        for _ in range(planned.tickets_cancelled):
            self.start(
                "program",
                self._cancel_ticket(feed),
                self._draws.about(4 * self._plan.chunk_seconds),
            )
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
                self._log(planned.name + " user", f"is told: {error}")
                return
            if result is None:
                return
            number, part = result.ticket.number, result.ticket.part
            self._log(planned.name + " user", f"takes ticket {number}{f' part {part}' if part else ''}")
            check((number, part) not in taken, "each ticket is done once", f"{number} is given out again")
            check(not ordered or not taken or (number, part) > taken[-1], "order is kept", (number, taken))
            check(result.value is None or result.value[0] == number, "a result is that of its ticket", number)
            taken.append((number, part))
            if planned.consumer == "slow":
                yield self._draws.about(3 * self._plan.chunk_seconds)
        self._log(planned.name + " user", "drops out")

    def _rows(self, planned: FeedPlan) -> Iterator[Any]:
        for number in range(planned.rows):
            if number == planned.raises_at:
                raise SourceError(f"no row {number}")
            yield (lambda: None) if number == planned.unsendable_at else number
        if planned.raises_at == planned.rows:
            raise SourceError("no end")

    def _cancel(self, feed: Feed) -> Steps:
        self._log("program", f"cancels {self._simulation.feed_name(feed.number)}")
        feed.cancel()
        yield from ()

    def _cancel_ticket(self, feed: Feed) -> Steps:
        number = self._draws.below(feed.next_number + 2)
        self._log("program", f"cancels ticket {number} of {self._simulation.feed_name(feed.number)}")
        self._simulation.cancelled.add((feed.number, number))
        self._simulation.emp.cancel(Ticket("", number, feed.number))
        yield from ()

    def _resize(self) -> Steps:
        procs = self._draws.between(1, 6)
        emp = self._simulation.emp
        if not emp.ended:
            self._log("program", f"wants {procs} workers")
            try:
                emp.resize(procs)
            except OSError:
                self._log("program", "could not have them")
        yield from ()

    def _kill(self) -> None:
        """Somebody from outside kills one of the processes."""
        alive = [process for process in self._simulation.engine.processes.values() if process.alive]
        if alive:
            self._draws.pick(alive).signal(SIGKILL)

    def _dismiss(self) -> Steps:
        """The program ends one of the processes for good."""
        process = self._draws.pick(self._simulation.emp.proc_list)
        if not self._simulation.emp.ended:
            self._log("program", f"ends slot {process._slot.number} for good")
            (process.kill if self._draws.chance(0.5) else process.terminate)()
        yield from ()

    def _put(self) -> Steps:
        from queue import Full

        emp = self._simulation.emp
        yield from ()
        if emp.ended:
            return
        try:
            emp._queues[self._plan.object_queue].put_nowait(0)
        except Full:
            return
        self._log("program", "puts an object")

    # the end

    def _finish(self) -> None:
        """Nothing is left, everybody was told, every ticket is accounted for."""
        emp = self._simulation.emp
        limit = self.schedule.taken + 1000
        while not self._is_used() and self.schedule.taken < limit and self._simulation.step():
            pass
        check(self._is_used(), "what is waited for comes", "a consumer waits for ever")
        check(emp._crew.over, "nothing keeps running", emp._crew.slots)
        check(not emp._feeders, "nothing keeps running", "a feeder")
        check(not emp._ledger.workers, "leases only with the living", emp._ledger.workers)
        check(not emp.dispatcher._pending, "nothing waits for the dead", emp.dispatcher._pending)
        check(not emp.dispatcher._reception._puts, "nothing waits for the dead", "a put")
        for number, feed in self._simulation.feeds.items():
            self._check_feed(number, feed)

    def _check_feed(self, number: int, feed: Feed) -> None:
        planned = self._simulation.plans[number]
        check(feed.is_over, "every feed comes to its end", planned.name)
        ended = feed._error is None and not feed._cancelled
        if ended and self._plan.kind == "chunks" and feed._source_error is None:
            unsent = {lost.number for lost in feed._failed if lost.body is None}
            for ticket in range(feed.next_number):
                rows = min(planned.rows_max, planned.rows - ticket * planned.rows_max)
                unknown = ticket in feed.unwanted and self._simulation.rules.is_unknown(number, ticket)
                if ticket not in unsent and not unknown:
                    self._simulation.rules.check_rows_of(number, ticket, rows)
        if ended:
            check(not feed.missing, "every ticket is accounted for", (planned.name, feed.missing))
        failed = [(lost.number, lost.start) for lost in feed._failed if lost.body is not None]
        check(len(set(failed)) == len(failed), "each ticket is done once", failed)
        if ended and feed._source_error is None and planned.consumer in ("as they come", "in order", "slow"):
            given = {ticket for ticket, _ in self._taken[number]}.union(feed._results.failed)
            check(given == set(range(feed.next_number)), "every ticket is accounted for", sorted(given))
            check(feed.rows_cut == planned.rows, "every row is fed", (planned.name, feed.rows_cut))
