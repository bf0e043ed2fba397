"""Ends what a worker does when it takes too long or is not wanted any more: asked, told, then made to.

    toolbox.cancelled, and its stacks are written down ── grace ──▶ SIGTERM ── TERM_GRACE ──▶ SIGKILL

Only that worker is replaced. Under the lock of the loop.
"""

from __future__ import annotations

from functools import partial

from ..core import messages as m
from ..core.failing import CANCELLED, TIMED_OUT
from .cause import Blame
from .ending import TERM_GRACE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..core.deadlines import Deadlines
    from .dispatcher import Dispatcher

SOFT_MOST = 1.0  #: seconds for a worker that has timed out to end by itself; no more than its timeout was
SOFT_LEAST = 0.1
LOOK = 0.05  #: seconds between two looks at a worker that is at another chunk; `grace` may be none
MARGIN = 0.001  #: seconds: timers may come a little early


class Enforcer:
    """Watches the deadlines of all workers, and ends single chunks."""

    def __init__(self, dispatcher: Dispatcher, deadlines: Deadlines | None, grace: float) -> None:
        self._dispatcher = dispatcher
        self._deadlines = deadlines
        self._grace = grace
        self._armed = float("inf")
        limits = (deadlines.timeout, deadlines.timeout_row) if deadlines is not None else ()
        shortest = min((limit for limit in limits if limit is not None), default=SOFT_MOST)
        self._soft = min(SOFT_MOST, max(SOFT_LEAST, shortest))

    @property
    def watches(self) -> bool:
        """Whether there are deadlines at all."""
        return self._deadlines is not None

    def look(self, wid: int) -> None:
        """Something was sent to the worker, or came from it: which chunk is it at?"""
        deadlines = self._deadlines
        if deadlines is None:
            return
        lease, rows = self._running(wid)
        if deadlines.at(wid, lease, rows, self._dispatcher.clock()):
            self._arm()

    def _running(self, wid: int) -> tuple[int, int]:
        """The lease and the rows of the chunk that the worker is at, as far as it has said; 0 for none."""
        worker = self._dispatcher.ledger.workers.get(wid)
        for lease, parcel in worker.leases.items() if worker is not None else ():
            if parcel.feed:
                return lease, parcel.rows
        return 0, 0

    def progressed(self, wid: int, rows: int) -> None:
        """The worker has said that it is through with so many rows."""
        if self._deadlines is not None:
            self.look(wid)  # the chunk that these rows are of may be new
            self._deadlines.progressed(wid, rows, self._dispatcher.clock())
            self._arm()

    def cancel(self, wid: int, lease: int) -> None:
        """The chunk is not wanted any more: its outputs do not count."""
        blame = Blame("cancelled", "it was cancelled")
        self._dispatcher.ledger.expire(wid, lease, CANCELLED, blame)
        self.end(wid, lease, blame.cause, self._grace)

    def end(self, wid: int, lease: int, cause: str, grace: float) -> None:
        """Ask the worker to give up the chunk; when it has not done so after `grace` seconds, end it."""
        self._dispatcher.order(wid, m.ORDER_CANCEL, b=lease)
        self._dispatcher.after(grace, partial(self._insist, wid, lease, cause))

    def _arm(self) -> None:
        deadlines, dispatcher = self._deadlines, self._dispatcher
        assert deadlines is not None
        due = deadlines.next
        if due < self._armed:
            self._armed = due
            dispatcher.after(max(0.0, due - dispatcher.clock()) + MARGIN, self._ring)

    def _ring(self) -> None:
        deadlines, dispatcher = self._deadlines, self._dispatcher
        assert deadlines is not None
        self._armed = float("inf")
        for wid, lease, cause, done in deadlines.overdue(dispatcher.clock()):
            slot = dispatcher.crew.find(wid)
            if slot is None:
                continue
            blame = Blame("timeout", cause, pid=slot.pid)
            if dispatcher.ledger.expire(wid, lease, TIMED_OUT, blame, done=done):
                slot.dumps_quietly = True
                dispatcher.engine.dump(wid)
                self.end(wid, lease, cause, self._soft)
        self._arm()

    def _holds(self, wid: int, lease: int) -> bool:
        worker = self._dispatcher.ledger.workers.get(wid)
        return worker is not None and lease in worker.leases

    def _insist(self, wid: int, lease: int, cause: str) -> None:
        slot = self._dispatcher.crew.find(wid)
        if slot is None or not self._holds(wid, lease):
            return
        if self._running(wid)[0] != lease:
            # it is at another one, and passes this one over when it comes to it
            self._dispatcher.after(max(self._grace, LOOK), partial(self._insist, wid, lease, cause))
            return
        slot.restart_reason = cause
        self._dispatcher.ledger.workers[wid].ending = True
        self._dispatcher.engine.terminate(wid)
        self._dispatcher.after(TERM_GRACE, partial(self._make, wid))

    def _make(self, wid: int) -> None:
        if self._dispatcher.crew.find(wid) is not None:
            self._dispatcher.engine.kill(wid)
