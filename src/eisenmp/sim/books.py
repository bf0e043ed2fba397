"""The books of the manager: one place for everything, right counts, nothing for the dead, bounded."""

from __future__ import annotations

from ..core.credit import CREDIT_MAX
from ..manager.feeder import BATCH_MAX
from .violation import check

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from ..core.ledger import Parcel, Queue
    from ..manager.feed import Feed
    from .simulation import Simulation


class Books:
    """Looks into ledger, dispatcher and feeds after each step that may have changed them."""

    def __init__(self, simulation: Simulation) -> None:
        self._simulation = simulation

    def check(self, given: Mapping[int, dict[int, Parcel]], reminders: Mapping[int, int]) -> None:
        """`given`: what each worker was given and has not answered for, by lease."""
        emp = self._simulation.emp
        ledger, crew = emp._ledger, emp._crew
        for wid, worker in ledger.workers.items():
            check(crew.find(wid) is not None, "leases only with the living", f"worker {wid}")
            check(worker.leases == given.get(wid), "each lease is written down", f"worker {wid}")
        check(len(crew._by_wid) == len(ledger.workers), "each process is written down", list(crew._by_wid))
        for wid in emp.dispatcher._pending:
            check(wid in ledger.workers, "nothing waits for the dead", f"worker {wid}")
        for index, queue in ledger.queues.items():
            if queue.lines or queue.waiting:
                for wid in queue.lines:
                    check(wid in ledger.workers, "leases only with the living", f"worker {wid}")
                self._check_queue(queue)
                check(not queue.reminding or reminders[index] > 0, "a reminder is on its way", index)
        for feed in emp.dispatcher.feeds.values():
            self._check_feed(feed)

    def _check_queue(self, queue: Queue) -> None:
        held = waits = credit = surplus = 0
        for line in queue.lines.values():
            count = len(line.open)
            held += count
            surplus += count - 1 if count else 0
            if line.sent < line.wanted and not line.worker.paused:
                waits += 1
                check(line.in_demand, "no get is forgotten", f"worker {line.worker.wid}")
            if line.known:
                credit += line.credit.ahead
        index = queue.index
        check(queue.in_flight == held, "count of leases", index)
        check(queue.surplus == surplus, "count of surplus", index)
        check(queue.credit == credit, "count of credit", index)
        check(not queue.puts or queue.full, "no put waits while there is room", index)
        if queue.waiting:
            check(not waits, "nobody waits while parcels do", index)
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
        check(len(feed.inflow) <= BATCH_MAX, "memory is bounded", f"{len(feed.inflow)} chunks flow in")
        results = feed._results
        if results.kept:
            waiting = len(results._ready) + len(results._early)
            bound = (CREDIT_MAX + 2) * len(feed._dispatcher.crew.slots) + 1
            check(waiting <= bound, "memory is bounded", f"{waiting} results wait")
