"""The way to an end on Ctrl-C: no source is pulled, what waits is dropped, what runs ends and counts."""

from __future__ import annotations

from ..errors import Stopped

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from ..core.lines import Worker
    from .dispatcher import Dispatcher

PUSH = 1.0  #: seconds that the program has to come back to us by itself, before it is interrupted where it is


class Drain:
    """One for each interruption of a manager. It is settled when no chunk runs any more, or time is over.

    The chunks that were dropped stay missing. Everything here is called from the loop, under its lock.
    """

    def __init__(self, dispatcher: Dispatcher, *, whole: bool) -> None:
        self.settled = False
        self.hurried = False  #: the second signal has come
        self._dispatcher = dispatcher
        self._whole = whole  # results in order end at the first gap: their ticket is not told
        self._told: set[int] = set()

    def begin(self, grace: float, push: Callable[[], bool]) -> None:
        """Let running chunks end, for `grace` seconds; `push()` every second, until it is false."""
        dispatcher = self._dispatcher
        dispatcher.flush()
        ledger = dispatcher.ledger
        for feed in list(dispatcher.feeds.values()):
            feed.cut_short()
        dispatcher.execute(ledger.recalled())
        busy = sum(map(_runs, ledger.workers.values()))
        if busy and dispatcher.emit is not None:
            dispatcher.emit("Draining", (busy,))
        dispatcher.after(grace, self.settle)
        self._push(push)
        self.look()

    def _push(self, push: Callable[[], bool]) -> None:
        def again() -> None:
            if push():
                self._push(push)

        self._dispatcher.after(PUSH, again)

    def look(self) -> None:
        """Something has happened: perhaps the last chunk has ended."""
        if self.settled:
            return
        busy = [worker for worker in self._dispatcher.ledger.workers.values() if _runs(worker)]
        for worker in busy:
            if worker.wid not in self._told and _waits_for_more(worker):
                # within its cycle, for a chunk that will not come: it ends the cycle when it is told so
                self._told.add(worker.wid)
                slot = self._dispatcher.crew.find(worker.wid)
                if slot is not None:
                    self._dispatcher.crew.order_stop(slot)
        if not busy:
            self.settle()

    def settle(self) -> None:
        """Wait no longer: the feeds are over."""
        if self.settled:
            return
        self.settled = True
        for feed in list(self._dispatcher.feeds.values()):
            feed.interrupted(Stopped("the program was interrupted"), whole=self._whole)
            self._dispatcher.feed_over(feed)

    def hurry(self) -> None:
        """SIGKILL for all workers."""
        self.hurried = True
        self._dispatcher.supervisor.stop_workers()
        for slot in list(self._dispatcher.crew.alive()):
            self._dispatcher.engine.kill(slot.wid)
        self.settle()


def _runs(worker: Worker) -> bool:
    """Whether it has a chunk that will end: one that took its first through 1.0's door may be a server."""
    return any(parcel.feed and not worker.lines[parcel.queue].trial for parcel in worker.leases.values())


def _waits_for_more(worker: Worker) -> bool:
    """Whether it waits for a chunk, and nothing is on its way back from it that it may take first."""
    lines = worker.lines.values()
    return any(line.waits and line.queue.fed for line in lines) and not any(line.recalls for line in lines)
