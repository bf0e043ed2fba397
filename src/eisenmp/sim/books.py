"""The books of the manager: one place for everything, right counts, nothing for the dead, bounded."""

from __future__ import annotations

from ..core.credit import CREDIT_MAX
from ..manager.feeder import BATCH_MAX
from .violation import Violation, check

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from ..core.ledger import Parcel, Queue, Worker
    from ..manager.feed import Feed
    from .simulation import Simulation


class Books:
    """Looks into ledger, dispatcher and feeds after each step that may have changed them."""

    def __init__(self, simulation: Simulation) -> None:
        self._simulation = simulation

    def check(self, given: Mapping[int, dict[int, Parcel]], reminders: Mapping[int, int]) -> None:
        """`given`: what each worker was given and has not answered for, by lease."""
        # what holds is not worth a call here: this is looked at after every step of every run
        emp = self._simulation.emp
        ledger, by_wid = emp._ledger, emp._crew._by_wid
        workers = ledger.workers
        for wid, worker in workers.items():
            if wid not in by_wid:
                raise Violation("leases only with the living", f"worker {wid}")
            if worker.leases != given.get(wid):
                raise Violation("each lease is written down", f"worker {wid}")
        if len(by_wid) != len(workers):
            raise Violation("each process is written down", list(by_wid))
        for wid in emp.dispatcher._pending:
            check(wid in workers, "nothing waits for the dead", f"worker {wid}")
        for queue in ledger.queues.values():
            if queue.lines or queue.waiting:
                self._check_queue(queue, workers)
                if queue.reminding and not reminders[queue.index] > 0:
                    raise Violation("a reminder is on its way", queue.index)
        for feed in emp.dispatcher.feeds.values():
            self._check_feed(feed)

    def _check_queue(self, queue: Queue, workers: Mapping[int, Worker]) -> None:
        held = waits = credit = surplus = known = 0
        for wid, line in queue.lines.items():
            if wid not in workers:
                raise Violation("leases only with the living", f"worker {wid}")
            if line.open:
                count = len(line.open)
                held += count
                surplus += count - 1
            if line.sent < line.wanted and not line.worker.paused:
                waits += 1
                if not line.in_demand:
                    raise Violation("no get is forgotten", f"worker {wid}")
            if line.known:
                credit += line.credit.ahead
                known += 1
        index = queue.index
        if queue.in_flight != held:
            raise Violation("count of leases", index)
        if queue.surplus != surplus:
            raise Violation("count of surplus", index)
        if queue.credit != credit:
            raise Violation("count of credit", index)
        if queue.known != known:
            raise Violation("count of those who take chunks", index)
        if queue.puts and not queue.full:
            raise Violation("no put waits while there is room", index)
        if queue.waiting:
            few = 0 < queue.few <= queue.busy and queue.brisk and queue.waiting[0].feed > 0
            check(few or not waits, "nobody waits while parcels do", index)
            check(not (few and waits) or queue.reminding, "more are woken soon", index)
            self._check_waiting(queue)

    @staticmethod
    def _check_waiting(queue: Queue) -> None:
        objects = 0
        is_new = False
        for parcel in queue.waiting:
            is_untried = not parcel.lease and not parcel.piece
            check(is_untried or not is_new, "what was tried waits before the others", queue.index)
            is_new = is_new or is_untried
            objects += is_untried and not parcel.feed
        check(not 0 < queue.maxsize < objects, "the bound holds", f"{objects} objects in queue {queue.index}")

    @staticmethod
    def _check_feed(feed: Feed) -> None:
        if len(feed.inflow) > BATCH_MAX:
            raise Violation("memory is bounded", f"{len(feed.inflow)} chunks flow in")
        results = feed._results
        if results.kept:
            waiting = len(results._ready) + len(results._early)
            bound = (CREDIT_MAX + 2) * len(feed._dispatcher.crew.slots) + 1
            if waiting > bound:
                raise Violation("memory is bounded", f"{waiting} results wait")
