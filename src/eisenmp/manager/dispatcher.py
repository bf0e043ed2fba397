"""The one loop: waits on the engine, tells the ledger what happened, does what the ledger says.

    feeder ── offered ──▶ ledger ── Send ──▶ engine ──▶ worker
    feed  ◀── Finish ──── ledger ◀── done ── engine ◀── worker

Whoever waits for something drives the loop (see `wire.pump`). All state is changed under one lock.
"""

from __future__ import annotations

import sys
import threading
from heapq import heappop, heappush
from itertools import count
from time import monotonic

from ..core import messages as m
from ..core.ledger import Accept, Finish, GiveUp, Ledger, Parcel, Recall, Send, Token
from ..core.messages import Message
from ..engine.base import Arrived, Log, Lost
from ..errors import LoadError
from ..wire.pickles import dumps, loads
from ..wire.pump import Pump
from .cause import Blame, death_cause

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any

    from ..core.ledger import Command
    from ..engine.base import Engine, Exit
    from .collector import Collector
    from .crew import Crew, Slot
    from .feed import Feed

TICK = 0.005  #: seconds without a leader before the background thread drives the loop
BATCH = 16  #: chunks for a busy worker that may wait for a common system call
START_FAILURES_MAX = 3
_TRUE, _FALSE, _NONE = dumps(True), dumps(False), dumps(None)


class Dispatcher:
    """Drives the ledger of one manager."""

    def __init__(self, engine: Engine, ledger: Ledger, crew: Crew, collector: Collector) -> None:
        self.engine = engine
        self.ledger = ledger
        self.crew = crew
        self.collector = collector
        self.lock = threading.RLock()
        self.feeds: dict[int, Feed] = {}  #: that are not over
        self.unseen: dict[int, Feed] = {}  #: that failed, and nobody was told
        self.on_all_gone: Callable[[], None] = lambda: None
        self.error: BaseException | None = None  #: why the manager as a whole has failed
        self.stopping = False
        self.closing = False  #: no feed will follow
        self.start_timeout = 60.0
        self.emit: Callable[[str, tuple[Any, ...]], None] | None = None
        self._pending: dict[int, list[Message]] = {}
        self._timers: list[tuple[float, int, Callable[[], None]]] = []
        self._timer_numbers = count()
        self._sys_path: tuple[str, ...] = ()
        self._puts: dict[tuple[int, int], WorkerPut] = {}
        self._raw: dict[int, bytes] = {}  # output past Python that is no whole line yet
        self._handlers: dict[int, Callable[[int, Message], None]] = {
            m.UP: self._on_up,
            m.WANT: self._on_want,
            m.OUTPUT: self._on_output,
            m.DONE: self._on_done,
            m.RAISED: self._on_raised,
            m.PUT: self._on_put,
            m.ASK: self._on_ask,
            m.LOG: self._on_log,
            m.NOTE: self._on_note,
            m.BACK: self._on_back,
            m.LEFT: self._on_left,
            m.FAILED_START: self._on_failed_start,
            m.REQUEST: self._on_request,
            m.PROGRESS: self._on_progress,
        }
        self.pump = Pump(self._step, engine.wake, tick=TICK, name="eisenmp-dispatcher")

    # the loop

    def _step(self, timeout: float | None) -> None:
        if self._timers:
            until = max(0.0, self._timers[0][0] - monotonic())
            timeout = until if timeout is None else min(timeout, until)
        events = self.engine.poll(timeout)
        with self.lock:
            for event in events:
                if isinstance(event, Arrived):
                    self._arrived(event.wid, event.messages)
                elif isinstance(event, Lost):
                    self._lost(event.wid, event.exit)
                elif isinstance(event, Log):
                    self._raw_output(event.wid, event.data)
            while self._timers and self._timers[0][0] <= monotonic():
                heappop(self._timers)[2]()
            if self._pending:
                self.settle()

    def after(self, seconds: float, call: Callable[[], None]) -> None:
        """Call from the loop, under the lock, when the time has come."""
        with self.lock:
            heappush(self._timers, (monotonic() + seconds, next(self._timer_numbers), call))
        self.engine.wake()

    def _arrived(self, wid: int, messages: list[Message]) -> None:
        if self.crew.find(wid) is None:
            return  # a late word of a worker that was replaced
        ledger, handlers = self.ledger, self._handlers
        for message in messages:
            if message.kind == m.OUTPUT and message.flags & m.FINAL:
                lease = message.a
                ledger.output(wid, lease, message)
                self.execute(ledger.done(wid, (lease,), message.c * 1e-6))
            else:
                handler = handlers.get(message.kind)
                if handler is None:
                    self.engine.kill(wid)  # it does not speak our language
                    return
                handler(wid, message)

    # what the ledger says

    def execute(self, commands: Iterable[Command]) -> None:
        """Do it. Under the lock."""
        for command in commands:
            if isinstance(command, Send):
                self._send(command.wid, command.parcel)
            elif isinstance(command, Finish):
                self._finish(command)
            elif isinstance(command, Accept):
                self._accepted(command.put)
            elif isinstance(command, Recall):
                self._order(command.wid, m.ORDER_RECALL, queue=command.queue, c=command.count)
            elif isinstance(command, Token):
                self.send_now(command.wid, Message(m.TOKEN, command.queue))
            elif isinstance(command, GiveUp):
                self._give_up(command)

    def _send(self, wid: int, parcel: Parcel) -> None:
        if not parcel.feed:
            self.send_now(wid, Message(m.ITEM, parcel.queue, parcel.lease, body=parcel.body))
            return
        message = Message(
            m.CHUNK, parcel.queue, parcel.lease, parcel.number, parcel.feed, parcel.flags, parcel.body
        )
        pending = self._pending.get(wid)
        if pending is None:
            self._pending[wid] = [message]
        else:
            pending.append(message)
        if self.emit is not None:
            self.emit("ChunkSent", (self._ticket(parcel), self._slot_number(wid)))

    def send_now(self, wid: int, message: Message) -> None:
        pending = self._pending.setdefault(wid, [])
        pending.append(message)
        self._flush(wid)

    def _flush(self, wid: int) -> None:
        messages = self._pending.pop(wid, None)
        if messages:
            self.engine.send(wid, messages)

    def settle(self) -> None:
        """Send to the workers that need it; one that has plenty waits until a few chunks go in one call."""
        workers = self.ledger.workers
        for wid, messages in list(self._pending.items()):
            worker = workers.get(wid)
            if worker is None or len(messages) >= BATCH or len(worker.leases) - len(messages) < BATCH:
                del self._pending[wid]
                self.engine.send(wid, messages)

    def flush(self) -> None:
        """Send what waits for company. Called when no more comes soon."""
        with self.lock:
            for wid in list(self._pending):
                self._flush(wid)

    def _order(self, wid: int, order: int, *, queue: int = 0, b: int = 0, c: int = 0) -> None:
        self.send_now(wid, Message(m.CONTROL, queue, order, b, c))

    def _finish(self, command: Finish) -> None:
        parcel = command.parcel
        feed = self.feeds.get(parcel.feed)
        if feed is None:
            return
        if feed.finished(parcel.number, command.outputs):
            self.feed_over(feed)
        if self.emit is not None:
            slot = self._slot_number(command.wid)
            self.emit("ChunkDone", (self._ticket(parcel), slot, feed.rows_of(parcel.number)))

    def _give_up(self, command: GiveUp) -> None:
        parcel: Parcel = command.parcel
        feed = self.feeds.get(parcel.feed)
        if feed is None:
            return
        blame: Blame = command.error
        feed.gave_up(parcel, blame)
        if feed.is_over:
            self.feed_over(feed)
        if self.emit is not None:
            self.emit("ChunkFailed", (self._ticket(parcel), self._slot_number(command.wid), blame.cause))

    def _accepted(self, put: object) -> None:
        if isinstance(put, WorkerPut):
            if put.waiting and put.request:
                self._answer(put.wid, put.request, _TRUE)
            put.waiting = False
        elif isinstance(put, LocalPut):
            put.accepted = True

    def _answer(self, wid: int, request: int, body: bytes) -> None:
        self.send_now(wid, Message(m.ANSWER, a=request, body=body))

    # what workers say

    def _on_up(self, wid: int, message: Message) -> None:
        slot = self.crew.find(wid)
        if slot is None:
            return
        slot.ready = True
        slot.start_failures = 0
        slot.is_chunk_worker = bool(message.flags)
        if self.stopping or (self.closing and slot.is_chunk_worker):
            self.crew.order_stop(slot)
        if self.emit is not None:
            self.emit("WorkerReady", (slot.number, slot.name, slot.pid))

    def _on_want(self, wid: int, message: Message) -> None:
        self.execute(self.ledger.wanted(wid, message.queue, message.b))

    def _on_output(self, wid: int, message: Message) -> None:
        if not self.ledger.output(wid, message.a, message) and message.flags & m.HEADED and not message.a:
            self.collector.output(message.body)

    def _on_done(self, wid: int, message: Message) -> None:
        self.execute(self.ledger.done(wid, _leases(message.body), message.c * 1e-6))

    def _on_raised(self, wid: int, message: Message) -> None:
        leases, error, text, traceback_text = loads(message.body)
        slot = self.crew.find(wid)
        tail = "\n".join(slot.tail) if slot is not None else ""
        blame = Blame("raised", text, error, traceback_text, tail)
        if leases:
            self.execute(self.ledger.raised(wid, leases, blame))
        else:
            # it raised before it took anything: there is no ticket to blame, and it will not be called again
            self.fail(blame.failed(None, f"worker {slot.name if slot else wid} raised {text}"))

    def _on_put(self, wid: int, message: Message) -> None:
        queue = self.ledger.queues.get(message.queue)
        if queue is None:
            self.engine.kill(wid)
            return
        if message.flags & m.NOWAIT and queue.full:
            self._answer(wid, message.a, _FALSE)
            return
        put = WorkerPut(wid, message.a)
        self._puts[(wid, message.a)] = put
        self.execute(self.ledger.put(put, Parcel(message.queue, message.body)))
        if not put.waiting:
            del self._puts[(wid, message.a)]

    def _on_ask(self, wid: int, message: Message) -> None:
        index, request = message.queue, message.a
        queue = self.ledger.queues.get(index)
        if queue is None:
            self.engine.kill(wid)
            return
        question = message.b
        if question == m.ASK_EMPTY:
            answer = _NONE if queue.fed else _FALSE if self.ledger.available(wid, index) else _TRUE
        elif question == m.ASK_FULL:
            answer = _TRUE if queue.full else _FALSE
        elif question == m.ASK_SIZE:
            answer = dumps(len(queue.waiting))
        elif question == m.ASK_NOW:
            answer = _FALSE
            if self.ledger.available(wid, index):
                line = self.ledger.workers[wid].lines.get(index)
                self.execute(self.ledger.wanted(wid, index, (line.sent if line else 0) + 1))
                answer = _TRUE
        else:
            put = self._puts.pop((wid, request), None)
            withdrawn = put is not None and self.ledger.put_withdrawn(index, put)
            answer = _FALSE if withdrawn else _TRUE
        self._answer(wid, request, answer)

    def _on_log(self, wid: int, message: Message) -> None:
        slot = self.crew.find(wid)
        if slot is not None:
            self._printed(slot, message.a, message.body.decode("utf-8", "replace"))

    def _raw_output(self, wid: int, data: bytes) -> None:
        slot = self.crew.find(wid)
        if slot is None:
            return
        whole, newline, rest = (self._raw.pop(wid, b"") + data).rpartition(b"\n")
        if rest:
            self._raw[wid] = rest
        if newline:
            self._printed(slot, 2, whole.decode("utf-8", "replace") + "\n")

    def _printed(self, slot: Slot, stream: int, text: str) -> None:
        slot.tail.extend(text.splitlines())
        self.collector.printed(slot.name, stream, text)
        if self.emit is not None:
            self.emit("OutputLine", (slot.number, slot.name, stream, text))

    def _on_note(self, wid: int, message: Message) -> None:
        self.collector.note(message.queue, message.body)

    def _on_back(self, wid: int, message: Message) -> None:
        self.execute(self.ledger.returned(wid, message.queue, _leases(message.body)))

    def _on_left(self, wid: int, message: Message) -> None:
        slot = self.crew.find(wid)
        if slot is None:
            return
        slot.left = True
        self.execute(self.ledger.left(wid))
        self.collector.left(slot.name, slot.worker_id)
        if self.emit is not None:
            self.emit("WorkerLeft", (slot.number, slot.name))

    def _on_failed_start(self, wid: int, message: Message) -> None:
        text, traceback_text = loads(message.body)
        slot = self.crew.find(wid)
        if slot is not None:
            slot.left = True
        error = LoadError(text)
        if traceback_text:
            from ..errors import RemoteTraceback

            error.__cause__ = RemoteTraceback(traceback_text)
        self.fail(error)

    def _on_request(self, wid: int, message: Message) -> None:
        slot = self.crew.find(wid)
        if slot is None:
            return
        if message.a == m.ORDER_RESTART:
            slot.restart_reason = message.body.decode("utf-8", "replace") or "asked for by the worker"
            self.engine.kill(wid)
        elif message.a in (m.ORDER_PAUSE, m.ORDER_RESUME):
            self.execute(self.ledger.paused(wid, message.a == m.ORDER_PAUSE))

    def _on_progress(self, wid: int, message: Message) -> None:
        if self.emit is not None:
            self.emit("RowsDone", (self._slot_number(wid), message.b))

    # processes

    def start_slot(self, slot: Slot) -> None:
        """Start a process in the slot. Under the lock."""
        wid = self.crew.reserve(slot)
        self.ledger.worker_started(wid, slot.number)
        slot.tail.clear()
        self.crew.spawn(slot, self._sys_path, len(self.crew.slots))
        self.after(self.start_timeout, lambda: self._start_overdue(wid))
        if self.emit is not None:
            self.emit("WorkerStarted", (slot.number, slot.name, slot.pid))

    def _start_overdue(self, wid: int) -> None:
        slot = self.crew.find(wid)
        if slot is not None and not slot.ready:
            slot.restart_reason = f"it was not ready after start_timeout = {self.start_timeout} s"
            self.engine.kill(wid)

    def _lost(self, wid: int, exit: Exit) -> None:
        slot = self.crew.find(wid)
        rest = self._raw.pop(wid, b"")
        if slot is None:
            return
        if rest:
            self._printed(slot, 2, rest.decode("utf-8", "replace") + "\n")
        self.crew.gone(wid, exit)
        self._pending.pop(wid, None)
        for key in [key for key in self._puts if key[0] == wid]:
            self._puts.pop(key).waiting = False
        cause = death_cause(exit, slot.restart_reason)
        blame = Blame("died", cause, None, "", "\n".join(slot.tail), exit.pid, exit.code)
        expected = slot.left or self.stopping or slot.retired
        self.execute(self.ledger.left(wid) if expected else self.ledger.lost(wid, blame))
        if expected:
            slot.retired = True
        else:
            self._replace(slot, blame)
        if self.crew.over:
            self._all_gone()

    def _replace(self, slot: Slot, blame: Blame) -> None:
        if self.emit is not None:
            self.emit("WorkerDied", (slot.number, slot.name, blame.pid, blame.exitcode, blame.cause))
        if not slot.ready and not slot.dismissed:
            slot.start_failures += 1
            if slot.start_failures >= START_FAILURES_MAX:
                slot.retired = True
                self.fail(blame.died(None, f"worker {slot.name} cannot start: {blame.cause}"))
                return
        if self.error is not None or slot.dismissed:
            slot.retired = True
            return
        self.start_slot(slot)

    def _all_gone(self) -> None:
        """No worker is left: what was not done stays missing, and is said to be."""
        for feed in list(self.feeds.values()):
            feed.abandoned()
            self.feed_over(feed)
        self.on_all_gone()
        if self.emit is not None:
            self.emit("ManagerStopped", ())

    def fail(self, error: BaseException) -> None:
        """Nothing can go on: end every feed with the error and stop the workers. Under the lock."""
        if self.error is None:
            self.error = error
            for feed in list(self.feeds.values()):
                feed.fail(error)
                self.feed_over(feed)
            self.collector.failed(error)
            self.stop_workers()

    def stop_workers(self) -> None:
        """Tell all workers to leave after their running cycle. Under the lock."""
        self.stopping = True
        for slot in self.crew.slots:
            if slot.alive:
                self.crew.order_stop(slot)
            else:
                slot.retired = True

    def cancel_feed(self, feed: Feed) -> None:
        """Take back what waits, say so to the workers that have chunks of the feed. Under the lock."""
        for parcel in self.ledger.feed_dropped(feed.queue.number, feed.number):
            feed.dropped(parcel.number)
        for wid, parcel in self.ledger.leased(feed.number):
            self._order(wid, m.ORDER_CANCEL, b=parcel.lease)
        if feed.is_over:
            self.feed_over(feed)

    def feed_over(self, feed: Feed) -> None:
        """The feed has all it will get; a feed that nobody iterates leaves the books."""
        self.feeds.pop(feed.number, None)

    def close(self) -> None:
        self.pump.close()

    def _ticket(self, parcel: Parcel) -> Any:
        from ..core.ticket import Ticket

        feed = self.feeds.get(parcel.feed)
        return Ticket(feed.queue.name if feed is not None else "", parcel.number, parcel.feed)

    def _slot_number(self, wid: int) -> int:
        slot = self.crew.find(wid)
        return -1 if slot is None else slot.number

    def freeze_path(self) -> None:
        """Workers import from where the manager imports; relative entries are made absolute now."""
        from os import getcwd
        from os.path import abspath

        self._sys_path = tuple(getcwd() if entry == "" else abspath(entry) for entry in sys.path)


class WorkerPut:
    """A put of a worker that waits for room."""

    def __init__(self, wid: int, request: int) -> None:
        self.wid = wid
        self.request = request
        self.waiting = True


class LocalPut:
    """A put of the manager that waits for room."""

    def __init__(self) -> None:
        self.accepted = False


def _leases(body: bytes) -> list[int]:
    return [int.from_bytes(body[start : start + 8], "little") for start in range(0, len(body), 8)]
