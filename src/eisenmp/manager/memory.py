"""`memory_max`: looks at the memory of all workers, and has those replaced that take too much."""

from __future__ import annotations

from time import monotonic

from ..core.limit import ENDS, GOES, INTERVAL, Size, exceeded, judge, mebibytes, pause
from ..engine.memory import Meter, load_psutil

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .crew import Slot
    from .dispatcher import Dispatcher

IN_A_ROW = 3  #: processes of a slot that are over the limit once loaded: then the limit is the mistake


class Watch:
    """What is known of one process."""

    def __init__(self, meter: Meter) -> None:
        self.meter = meter
        self.size: Size | None = None
        self.loaded = False  #: what it takes by itself was seen
        self.fat = False  #: that was over the limit
        self.goes = False  #: it was told to leave


class MemoryGuard:
    """Driven by the timer of the loop, under its lock.

    A worker over the limit is replaced after its chunk; one that is far over, at once. Raises SettingsError
    where psutil is missing.
    """

    def __init__(self, dispatcher: Dispatcher, limit: int) -> None:
        load_psutil()
        self._dispatcher = dispatcher
        self._limit = limit
        self._watches: dict[int, Watch] = {}
        self._fat: dict[int, int] = {}  # by slot: how many of its processes in a row were over from the start
        self.looks = 0

    def start(self) -> None:
        """Look from now on, until no process is there and none will be."""
        self._dispatcher.after(INTERVAL, self._look)

    def _look(self) -> None:
        crew = self._dispatcher.crew
        if crew.slots and crew.over:
            return
        self.looks += 1
        soonest = INTERVAL
        seen: dict[int, Watch] = {}
        for slot in list(crew.alive()):
            # a process that was asked for may have no pid yet
            if slot.pid:
                watch = self._watches.get(slot.wid) or Watch(Meter(slot.pid, forked=crew.forked))
                seen[slot.wid] = watch
                soonest = min(soonest, self._look_at(slot, watch))
        self._watches = seen
        self._dispatcher.after(soonest, self._look)

    def _look_at(self, slot: Slot, watch: Watch) -> float:
        number = watch.meter.read(self._limit)
        if number is None:
            return INTERVAL  # it has ended, and the loop will hear of it
        before, watch.size = watch.size, Size(number, monotonic())
        verdict = judge(number, self._limit)
        if not watch.loaded and (slot.ready or number > self._limit):
            # one that is still loading may be small yet
            watch.loaded = True
            watch.fat = number > self._limit
            self._loaded(slot, number)
        supervisor = self._dispatcher.supervisor
        if verdict == ENDS:
            supervisor.end(slot, exceeded(self._limit, number))
        elif verdict == GOES and self._may_go(slot, watch):
            watch.goes = True
            supervisor.recycle(slot, exceeded(self._limit, number))
        return pause(self._limit, before, watch.size)

    def _may_go(self, slot: Slot, watch: Watch) -> bool:
        """Whether another process in its place would be of use."""
        if watch.goes or slot.left or not slot.ready or self._dispatcher.crew.is_spare(slot):
            return False
        worker = self._dispatcher.ledger.workers.get(slot.wid)
        # one that is too big without a chunk would be followed by another such, and so on
        return not watch.fat or (worker is not None and bool(worker.leases))

    def _loaded(self, slot: Slot, number: int) -> None:
        if number <= self._limit:
            self._fat.pop(slot.number, None)
            return
        self._fat[slot.number] = self._fat.get(slot.number, 0) + 1
        if self._fat[slot.number] == IN_A_ROW:
            self._dispatcher.collector.warned(
                f"{IN_A_ROW} processes of {slot.name} in a row took more than "
                f"memory_max = {mebibytes(self._limit)} from the start, the last one {mebibytes(number)}: "
                "each is replaced after its first chunks"
            )


def guard(dispatcher: Dispatcher, limit: int) -> MemoryGuard | None:
    """The guard of a manager's workers; None, and a warning, where there is no process to be measured."""
    if not getattr(dispatcher.engine, "measurable", False):
        import warnings

        name = type(dispatcher.engine).__name__
        warnings.warn(
            f"memory_max has no effect: {name} starts no processes here", RuntimeWarning, stacklevel=4
        )
        return None
    return MemoryGuard(dispatcher, limit)
