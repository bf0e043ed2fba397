"""Processes come and go: started, overdue, lost, replaced, told to leave. Under the lock of the loop."""

from __future__ import annotations

import sys
from functools import partial

from ..core.failing import TIMED_OUT
from ..engine.base import Exit
from ..errors import EisenmpError
from .cause import Blame, Coroner

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from ..engine.base import Event
    from .crew import Slot
    from .dispatcher import Dispatcher
    from .fleet import Fleet

START_FAILURES_MAX = 3
LAST_WORDS = 0.2  #: seconds for a process that hangs to write where it does
START_DELAY = 0.5  #: seconds to the next attempt when the system has no room for a process


class Supervisor:
    """Keeps a process in every slot that should have one."""

    def __init__(self, dispatcher: Dispatcher) -> None:
        self._dispatcher = dispatcher
        self._sys_path: tuple[str, ...] = ()
        self._coroner = Coroner(dispatcher.crew)
        self.start_timeout = 60.0
        self.heir_after = 0  #: chunks of a worker after which its successor is started
        self.fleet: Fleet | None = None  #: the server slots, which have machines of their own
        self.stopping = False  #: all workers were told to leave
        self.error: BaseException | None = None  #: why the manager as a whole has failed
        self.on_all_gone: Callable[[], None] = lambda: None

    def start_slot(self, slot: Slot) -> None:
        """Start a process in the slot. Under the lock."""
        wid = self._dispatcher.crew.reserve(slot)
        self._dispatcher.ledger.worker_started(wid, slot.number)
        slot.tail.clear()
        slot.dumps_quietly = False
        slot.renewed = slot.handed_over = False
        slot.chunks = 0
        try:
            self._dispatcher.crew.spawn(slot, self._sys_path, len(self._dispatcher.crew.slots))
        except BaseException:
            slot.retired = True
            self._dispatcher.crew.gone(wid, Exit(None, 0))
            # it held nothing; what is kept for the slot stays there, since it may be tried again
            self._dispatcher.execute(self._dispatcher.ledger.lost(wid, None))
            raise
        self._coroner.begin()
        self._dispatcher.after(self.start_timeout, lambda: self._start_overdue(wid))
        if slot.pid:
            self.started(wid, slot.pid)

    def started(self, wid: int, pid: int) -> None:
        """The pid of the process in a slot is known."""
        slot = self._dispatcher.crew.find(wid)
        if slot is None:
            return
        slot.pid = pid
        if self._dispatcher.emit is not None:
            self._dispatcher.emit("WorkerStarted", (slot.number, slot.name, slot.pid))

    def _start_overdue(self, wid: int) -> None:
        slot = self._dispatcher.crew.find(wid)
        if slot is not None and not slot.ready and slot.server is None:
            slot.restart_reason = f"it was not ready after start_timeout = {self.start_timeout} s"
            slot.dumps_quietly = True
            self._dispatcher.engine.dump(wid)
            self._dispatcher.after(LAST_WORDS, partial(self._end_start, wid))

    def _end_start(self, wid: int) -> None:
        if self._dispatcher.crew.find(wid) is not None:
            self._dispatcher.engine.kill(wid)

    def lost(self, wid: int, exit: Exit, events: Iterable[Event] = ()) -> None:
        """A process has ended: settle its books, and replace it if nobody wanted that."""
        slot = self._dispatcher.crew.find(wid)
        if slot is None:
            return
        self._dispatcher.crew.gone(wid, exit)
        blame = self._coroner.examine(slot, exit, events)
        expected = slot.left or self.stopping or slot.retired or slot.handed_over
        followed = slot.handed_over and not (slot.left or slot.retired or slot.dismissed or self.stopping)
        self._last_words(wid, slot, blame)
        self._dispatcher.execute(
            self._dispatcher.ledger.left(wid, followed=followed)
            if expected
            else self._dispatcher.ledger.lost(wid, blame)
        )
        if slot.server is not None and self.fleet is not None:
            self.fleet.lost(slot, blame)
        elif slot.group and self.fleet is not None:
            self.fleet.spares.lost(slot, blame)
        elif self._dispatcher.crew.is_spare(slot):
            self._spare_lost(slot, blame, expected=expected)
        elif followed:
            self._start_again(slot)
        elif expected:
            slot.retired = True
        else:
            self._replace(slot, blame)
        if slot.retired and slot in self._dispatcher.crew.slots:
            self._dispatcher.crew.dismiss_heir(slot)
            self._dispatcher.execute(self._dispatcher.ledger.slot_closed(slot.number))
        if self._dispatcher.crew.over:
            self._all_gone()

    def _last_words(self, wid: int, slot: Slot, blame: Blame) -> None:
        """A chunk that had taken too long or was cancelled failed so, however the process has ended then."""
        worker = self._dispatcher.ledger.workers.get(wid)
        for expiry in worker.expired.values() if worker is not None else ():
            stack = slot.stack if expiry.kind == TIMED_OUT else ""
            expiry.error = expiry.error._replace(
                tail=blame.tail, pid=blame.pid, exitcode=blame.exitcode, stack=stack
            )

    def _replace(self, slot: Slot, blame: Blame) -> None:
        if self._dispatcher.emit is not None:
            self._dispatcher.emit(
                "WorkerDied", (slot.number, slot.name, blame.pid, blame.exitcode, blame.cause)
            )
        if not slot.ready and not slot.dismissed:
            slot.start_failures += 1
            if slot.start_failures >= START_FAILURES_MAX:
                slot.retired = True
                self.fail(blame.died(None, f"worker {slot.name} cannot start: {blame.cause}"))
                return
        if self.error is not None or slot.dismissed:
            slot.retired = True
            return
        self._start_again(slot)

    def _start_again(self, slot: Slot) -> None:
        """A new process for the slot; where the system has no room for one, later, and not for ever."""
        if slot.alive or self.stopping:
            return
        if slot.retired or slot.dismissed:
            self._close(slot)
            return
        if self._promote_heir(slot):
            return
        try:
            self.start_slot(slot)
        except OSError as error:
            slot.start_failures += 1
            if slot.start_failures < START_FAILURES_MAX:
                slot.retired = False
                self._dispatcher.after(START_DELAY * slot.start_failures, partial(self._start_again, slot))
                return
            failure = EisenmpError(f"worker {slot.name} cannot be started: {error}")
            failure.__cause__ = error
            self.fail(failure)
            self._close(slot)

    def _close(self, slot: Slot) -> None:
        """The slot was empty and waited for its next process; there will be none."""
        slot.retired = True
        self._dispatcher.execute(self._dispatcher.ledger.slot_closed(slot.number))
        if self._dispatcher.crew.over:
            self._all_gone()

    def _all_gone(self) -> None:
        self._dispatcher.abandon_feeds()
        self.on_all_gone()
        if self._dispatcher.emit is not None:
            self._dispatcher.emit("ManagerStopped", ())

    def fail(self, error: BaseException) -> None:
        """Nothing can go on: end every feed with the error and stop the workers. Under the lock."""
        if self.error is None:
            self.error = error
            for feed in list(self._dispatcher.feeds.values()):
                feed.fail(error)
                self._dispatcher.feed_over(feed)
            self._dispatcher.collector.failed(error)
            self.stop_workers()

    def stop_workers(self) -> None:
        """Tell all workers to leave after their running cycle. Under the lock."""
        self.stopping = True
        if self.fleet is not None:
            self.fleet.stopping = True
        for slot in self._dispatcher.crew.everyone():
            if slot.alive:
                self._dispatcher.crew.order_stop(slot)
            else:
                slot.retired = True

    # replacing without dead time

    def end(self, slot: Slot, reason: str) -> None:
        """End the process of the slot now; the reason becomes the cause of its death. Under the lock."""
        if slot.server is not None and self.fleet is not None:
            self.fleet.replace(slot, reason)
        elif slot.alive:
            slot.restart_reason = reason
            self._dispatcher.engine.kill(slot.wid)

    def recycle(self, slot: Slot, reason: str) -> None:
        """Have the process of the slot leave after its running chunk, once its successor is ready."""
        if slot.server is not None and self.fleet is not None:
            self.fleet.replace(slot, reason)
        elif self._may_succeed(slot) and not slot.renewed:
            slot.renewed = True
            if self._dispatcher.emit is not None:
                self._dispatcher.emit("WorkerRecycled", (slot.number, slot.name, slot.pid, reason))
            if not self._start_heir(slot) or self._dispatcher.crew.heir_is_ready(slot):
                self._dispatcher.crew.order_stop(slot)

    def sent(self, wid: int) -> None:
        """A chunk goes to the worker: near its last one, its successor is started."""
        slot = self._dispatcher.crew.find(wid)
        if slot is not None:
            slot.chunks += 1
            if slot.chunks == self.heir_after and self._may_succeed(slot):
                self._start_heir(slot)

    def heir_ready(self, slot: Slot) -> None:
        """A process has loaded: if it follows another one, that one may go now."""
        crew = self._dispatcher.crew
        if crew.is_heir(slot):
            before = crew.slots[slot.number]
            if before.renewed:
                crew.order_stop(before)

    def hand_over(self, slot: Slot) -> bool:
        """The worker of the slot is not called again: its successor takes its place. False without one."""
        if not self._may_succeed(slot):
            return False
        slot.renewed = slot.handed_over = True
        self._dispatcher.crew.order_stop(slot)  # its threads may wait in a get
        if not self._promote_heir(slot):
            self._relieve(slot)
        return True

    def _relieve(self, slot: Slot) -> None:
        """Nobody follows a worker that is not called again: its threads may keep its process up for long."""
        # by now another process may be in it, or it may be nobody's
        if not (slot.alive and slot.handed_over and slot in self._dispatcher.crew.slots):
            return
        if not self._may_succeed(slot):
            return
        if self._start_heir(slot):
            self._promote_heir(slot)
        else:
            self._dispatcher.after(START_DELAY, partial(self._relieve, slot))

    def _promote_heir(self, slot: Slot) -> bool:
        heir = self._dispatcher.crew.promote(slot)
        if heir is not None:
            self._dispatcher.execute(self._dispatcher.ledger.paused(heir.wid, False))
        return heir is not None

    def _may_succeed(self, slot: Slot) -> bool:
        wanted = not (self.stopping or slot.left or slot.retired or slot.dismissed)
        return wanted and self.error is None and not self._dispatcher.closing

    def _start_heir(self, slot: Slot) -> bool:
        """A second process for the slot, which gets nothing before the first one has left."""
        heir = self._dispatcher.crew.make_heir(slot)
        if heir is None:
            return True
        try:
            self.start_slot(heir)
        except OSError:
            self._dispatcher.crew.drop_spare(heir)
            return False
        self._dispatcher.execute(self._dispatcher.ledger.paused(heir.wid, True))
        return True

    def _spare_lost(self, slot: Slot, blame: Blame, *, expected: bool) -> None:
        """Who has handed over its place is gone, or who was to take one."""
        crew = self._dispatcher.crew
        was_heir = crew.is_heir(slot)
        crew.drop_spare(slot)
        slot.retired = True
        if expected:
            return
        if self._dispatcher.emit is not None:
            self._dispatcher.emit(
                "WorkerDied", (slot.number, slot.name, blame.pid, blame.exitcode, blame.cause)
            )
        if was_heir:
            before = crew.slots[slot.number]
            before.start_failures += 1
            if before.start_failures >= START_FAILURES_MAX:
                self.fail(blame.died(None, f"worker {slot.name} cannot start: {blame.cause}"))
            elif before.renewed and before.alive:
                crew.order_stop(before)

    def freeze_path(self) -> None:
        """Workers import from where the manager imports; relative entries are made absolute now."""
        from os import getcwd
        from os.path import abspath

        self._sys_path = tuple(getcwd() if entry == "" else abspath(entry) for entry in sys.path)
