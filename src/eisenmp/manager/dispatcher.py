"""The one loop: waits on the engine, tells the ledger what happened, does what the ledger says.

    feeder ── offered ──▶ ledger ── Send ──▶ engine ──▶ worker
    feed  ◀── Finish ──── ledger ◀── done ── engine ◀── worker

Whoever waits for something drives the loop (see `wire.pump`). All state is changed under one lock.
"""

from __future__ import annotations

import threading
from collections import deque
from functools import partial
from heapq import heappop, heappush
from itertools import count
from time import monotonic

from ..core import messages as m
from ..core.failing import TIMED_OUT
from ..core.ledger import (
    Accept,
    Cut,
    Finish,
    FinishAll,
    GiveUp,
    Later,
    Ledger,
    Parcel,
    Recall,
    Remind,
    Send,
    SendAll,
    Token,
)
from ..core.messages import Message
from ..engine.base import Arrived, Log, Lost, Notice, Started
from ..wire import batch
from ..wire.pump import Pump
from .cause import Blame
from .cutting import Cutter
from .enforcer import Enforcer
from .puts import YES, LocalPut, WorkerPut
from .reception import Reception
from .signals import is_main, signals
from .stocks import Stocks
from .supervisor import Supervisor

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from typing import Any

    from ..core.ledger import Command
    from ..core.lines import Worker
    from ..engine.base import Engine
    from .collector import Collector
    from .crew import Crew
    from .drain import Drain
    from .feed import Feed
    from .lender import Lender

TICK = 0.005  #: seconds without a leader before the background thread drives the loop
BATCH = 16  #: chunks for a busy worker that may wait for a common system call
LAST_PULL = 1.0  #: seconds for a source to say that it is at its end, when all workers have left


class Pending:
    """Messages for one worker that wait for a common system call."""

    __slots__ = ("chunks", "messages")

    def __init__(self) -> None:
        self.messages: list[Message] = []
        self.chunks = 0  #: in them; any other message counts as one

    def asked_for(self, worker: Worker) -> bool:
        """Whether a get waits for them: its worker may hold any number of leases, all of them taken."""
        line = worker.lines.get(self.messages[0].queue)
        return line is not None and line.sent - self.chunks < line.wanted


class Dispatcher:
    """Drives the ledger of one manager."""

    clock: Callable[[], float] = staticmethod(monotonic)  #: of the timers
    supervisor_type: type[Supervisor] = Supervisor

    def __init__(self, engine: Engine, ledger: Ledger, crew: Crew, collector: Collector) -> None:
        self.engine = engine
        self.ledger = ledger
        self.crew = crew
        self.collector = collector
        self.lock = threading.RLock()
        self.feeds: dict[int, Feed] = {}  #: that are not over
        self.unseen: dict[int, Feed] = {}  #: that failed, and nobody was told
        self.closing = False  #: no feed will follow
        self.ends_servers = False  #: whoever comes up now is told to leave, also who waits for no chunks
        self.keeps_books = False  #: there is a ledger on disk
        self.renews = False  #: workers are replaced after a number of chunks
        self.enforcer = Enforcer(self, None, 0.0)
        self.cutter = Cutter(self)
        self.stocks = Stocks(self)  #: sources that workers read
        self.drain: Drain | None = None  #: the program was interrupted
        self.iterated: set[int] = set()  #: feeds whose results somebody takes one by one
        self._posted: deque[Callable[[], None]] = deque()
        self._waiting_here = 0  # threads of the program that wait for a queue
        self.emit: Callable[[str, tuple[Any, ...]], None] | None = None
        self._pending: dict[int, Pending] = {}  # by worker
        self._timers: list[tuple[float, int, Callable[[], None]]] = []
        self._timer_numbers = count()
        self._executing = False
        self._following: list[Command] = []  # from commands that are being done
        self.supervisor = self.supervisor_type(self)
        #: whether the workers may map what the manager has
        self.shares_memory: bool = self.passes_descriptors or getattr(engine, "opens_files", False)
        self.shared_memory_max: int | None = None  #: bytes in all; None for a share of what there is
        self._lender: Lender | None = None
        self._reception = Reception(self, self.supervisor)
        self.pump = Pump(self._step, engine.wake, tick=TICK, name="eisenmp-dispatcher")

    @property
    def passes_descriptors(self) -> bool:
        """Whether the engine can send descriptors to its workers."""
        return getattr(self.engine, "passes_descriptors", False)

    # the loop

    def _step(self, timeout: float | None) -> None:
        if self._timers:
            until = max(0.0, self._timers[0][0] - self.clock())
            timeout = until if timeout is None else min(timeout, until)
        events = self.engine.poll(timeout)
        if self.enforcer.watches:
            # a worker writes where it is before it lets go of a chunk that took too long
            events.sort(key=lambda event: not isinstance(event, Log))
        with self.lock:
            for event in events:
                if isinstance(event, Arrived):
                    self._arrived(event.wid, event.messages)
                elif isinstance(event, Lost):
                    self._reception.gone(event.wid)
                    self._pending.pop(event.wid, None)
                    self.supervisor.lost(event.wid, event.exit, events)
                    self.enforcer.look(event.wid)
                elif isinstance(event, Log):
                    self._reception.wrote(event.wid, event.data)
                elif isinstance(event, Started):
                    self.supervisor.started(event.wid, event.pid)
                elif isinstance(event, Notice):
                    self.collector.warned(event.text)
            while self._timers and self._timers[0][0] <= self.clock():
                heappop(self._timers)[2]()
            while self._posted:
                self._posted.popleft()()
            for feed in list(self.feeds.values()):
                if feed.inflow:
                    self.take_in(feed)
                if feed.gathering is not None:
                    feed.gathering.look()
            if self._pending:
                self.settle()
            if self.drain is not None:
                self.drain.look()

    def post(self, call: Callable[[], None]) -> None:
        """Call it from the loop, under the lock; takes no lock itself, for handlers of signals."""
        self._posted.append(call)
        self.engine.wake()

    def after(self, seconds: float, call: Callable[[], None]) -> None:
        """Call from the loop, under the lock, when the time has come."""
        with self.lock:
            heappush(self._timers, (self.clock() + seconds, next(self._timer_numbers), call))
        self.engine.wake()

    def _arrived(self, wid: int, messages: list[Message]) -> None:
        if self.crew.find(wid) is None:
            return  # a late word of a worker that was replaced
        ledger, handlers = self.ledger, self._reception.handlers
        for message in messages:
            if message.kind == m.OUTPUT and message.flags & m.FINAL:
                if message.flags & m.LEAVING:
                    ledger.leaving(wid)
                self.execute(ledger.finished(wid, message.a, message, message.c * 1e-6))
            elif message.kind == m.OUTPUTS:
                self._ended(wid, message)
            else:
                handler = handlers.get(message.kind)
                if handler is None:
                    self.engine.kill(wid)  # it does not speak our language
                    return
                handler(wid, message)
        if self.enforcer.watches:
            self.enforcer.look(wid)

    def _ended(self, wid: int, message: Message) -> None:
        """Cycles under consecutive leases have ended."""
        commands = self.ledger.finished_all(wid, message.a, batch.ends(message), message.c * 1e-6)
        if commands is not None:
            self.execute(commands)
            return
        for end in batch.single(message):
            self.execute(self.ledger.finished(wid, end.a, end, end.c * 1e-6))

    def arrived(self, wid: int, message: Message) -> None:
        """Handle a message in place of one that had to be looked at first."""
        self._arrived(wid, [message])

    # what the ledger says

    def execute(self, commands: Iterable[Command]) -> None:
        """Do it. Under the lock.

        What follows from a command comes behind the others: what the ledger has leased first is sent first.
        """
        if self._executing:
            self._following.extend(commands)
            return
        self._executing = True
        try:
            while True:
                self._do(commands)
                if not self._following:
                    return
                commands, self._following = self._following, []
        finally:
            self._executing = False

    def _do(self, commands: Iterable[Command]) -> None:
        for command in commands:
            if isinstance(command, Send):
                self._send(command.wid, command.parcel)
            elif isinstance(command, SendAll):
                self._send_all(command)
            elif isinstance(command, Finish):
                self._finish(command)
            elif isinstance(command, FinishAll):
                self._finish_all(command)
            elif isinstance(command, Accept):
                self._accepted(command.put)
            elif isinstance(command, Recall):
                self.order(command.wid, m.ORDER_RECALL, queue=command.queue, c=command.count)
            elif isinstance(command, Token):
                self.send_now(command.wid, Message(m.TOKEN, command.queue))
            elif isinstance(command, Later):
                self.after(command.seconds, partial(self._due, command.parcel))
            elif isinstance(command, Cut):
                self.cutter.cut(command)
            elif isinstance(command, GiveUp):
                self._give_up(command)
            elif isinstance(command, Remind):
                self.after(command.seconds, partial(self._remind, command.queue))

    def _remind(self, queue: int) -> None:
        self.execute(self.ledger.reminded(queue))

    def _due(self, parcel: Parcel) -> None:
        self.execute(self.ledger.due(parcel))

    def _send(self, wid: int, parcel: Parcel) -> None:
        if not parcel.feed:
            self.send_now(wid, Message(m.ITEM, parcel.queue, parcel.lease, body=parcel.body))
            return
        self._note(wid, (parcel,))
        message = tuple.__new__(
            Message,
            (m.CHUNK, parcel.queue, parcel.lease, parcel.number, parcel.feed, parcel.flags, parcel.body),
        )
        self._hold(wid, message, 1)

    def _send_all(self, command: SendAll) -> None:
        wid, parcels = command
        self._note(wid, parcels)
        self._hold(wid, batch.chunks(parcels), len(parcels))

    def _note(self, wid: int, parcels: Sequence[Parcel]) -> None:
        """Chunks of one feed are about to be sent: tell those who want to know."""
        if self.stocks:
            self.stocks.before(wid, parcels[0].feed)
        if self.renews:
            for _ in parcels:
                self.supervisor.sent(wid)
        if self.enforcer.watches:
            self.enforcer.look(wid)
        if self.keeps_books:
            for parcel in parcels:
                feed = self.feeds.get(parcel.feed)
                if feed is not None and feed.books is not None:
                    feed.books.attempt(parcel)
        if self.emit is not None:
            for parcel in parcels:
                self.emit("ChunkSent", (self._ticket(parcel), self.slot_number(wid)))

    def _hold(self, wid: int, message: Message, chunks: int) -> None:
        """The message, with so many chunks, may wait for company."""
        pending = self._pending.get(wid)
        if pending is None:
            pending = self._pending[wid] = Pending()
        pending.messages.append(message)
        pending.chunks += chunks

    def send_now(self, wid: int, message: Message) -> None:
        self._hold(wid, message, 1)
        self._flush(wid)

    def flush_to(self, wid: int) -> None:
        """Send what waits for company there: something else is to come behind it."""
        self._flush(wid)

    def _flush(self, wid: int) -> None:
        pending = self._pending.pop(wid, None)
        if pending is not None:
            self.engine.send(wid, pending.messages)

    def take_in(self, feed: Feed) -> None:
        """Offer to the ledger what the feeder has cut."""
        with self.lock:
            taken = feed.inflow.popleft
            parcels = [taken() for _ in range(len(feed.inflow))]
            if parcels and not feed.stopped:
                if feed.unwanted or feed.limit is not None:
                    parcels = feed.sort_out(parcels)
                try:
                    self.execute(self.ledger.offered_all(feed.queue.number, parcels))
                    self.settle()
                except BaseException as error:
                    # the feeder's thread takes what is raised for an error of the user's generator
                    self.pump.fail(error)
                    raise

    def settle(self) -> None:
        """Send to the workers that need it; one that has plenty waits until a few chunks go in one call."""
        workers = self.ledger.workers
        for wid, pending in list(self._pending.items()):
            worker = workers.get(wid)
            if (
                worker is None
                or pending.chunks >= BATCH
                or len(worker.leases) - pending.chunks < BATCH
                or pending.asked_for(worker)
            ):
                del self._pending[wid]
                self.engine.send(wid, pending.messages)

    def wait(self, ready: Callable[[], bool], timeout: float | None = None) -> bool:
        """Wait in the program, which a signal may interrupt; False when `timeout` seconds passed first."""
        if not signals.managers or not is_main():
            return self.pump.wait_until(ready, timeout)
        done = self.pump.wait_until(lambda: ready() or self.interrupted, timeout)
        if self.interrupted:
            signals.deliver()
        return done

    @property
    def interrupted(self) -> bool:
        """Whether the main thread is to be interrupted, and nothing runs any more."""
        return self.drain is not None and self.drain.settled and signals.due

    def wait_here(self, ready: Callable[[], bool], timeout: float | None) -> bool:
        """Wait for a queue, in a thread of the program; False when `timeout` seconds passed first."""
        with self.lock:
            self._waiting_here += 1
        try:
            return self.wait(ready, timeout)
        finally:
            with self.lock:
                self._waiting_here -= 1

    def changed_here(self) -> None:
        """A queue was changed outside the loop: who waits for it here may be the one who leads."""
        if self._waiting_here:
            self.pump.interrupt()
        else:
            self.pump.poke()

    def flush(self) -> None:
        """Send what waits for company. Called when no more comes soon."""
        with self.lock:
            for wid in list(self._pending):
                self._flush(wid)

    def order(self, wid: int, order: int, *, queue: int = 0, b: int = 0, c: int = 0) -> None:
        self.send_now(wid, Message(m.CONTROL, queue, order, b, c))

    def _finish(self, command: Finish) -> None:
        parcel = command.parcel
        feed = self.feeds.get(parcel.feed)
        if feed is None:
            return
        if self.emit is not None and not feed.is_void(parcel):
            slot = self.slot_number(command.wid)
            rows = parcel.rows if parcel.piece else feed.rows_of(parcel.number)
            self.emit("ChunkDone", (self._ticket(parcel), slot, rows))
        if feed.finished(parcel, command.outputs, command.seconds):
            self.feed_over(feed)

    def _finish_all(self, command: FinishAll) -> None:
        parcels, outputs, wid, seconds = command
        feed = self.feeds.get(parcels[0].feed)
        if feed is None:
            return
        if self.emit is not None:
            slot = self.slot_number(wid)
            for parcel in parcels:
                self.emit("ChunkDone", (self._ticket(parcel), slot, feed.rows_of(parcel.number)))
        if feed.finished_all(parcels, outputs, seconds):
            self.feed_over(feed)

    def _give_up(self, command: GiveUp) -> None:
        parcel: Parcel = command.parcel
        blame: Blame = command.error
        if not parcel.feed:
            self.collector.warned(
                f"an object in queue {self.crew.queue_name(parcel.queue)!r} was dropped: "
                f"{parcel.deaths} workers died with it, the last one so: {blame.cause}"
            )
            return
        feed = self.feeds.get(parcel.feed)
        if feed is None or feed.is_void(parcel):
            return
        ticket = self._ticket(parcel)
        slot = self.crew.find(command.wid)
        if blame.kind == TIMED_OUT and slot is not None:
            # it has come to its senses in time: what it wrote meanwhile
            blame = blame._replace(stack=slot.stack, tail="\n".join(slot.tail))
        feed.gave_up(parcel, blame)
        if feed.is_over:
            self.feed_over(feed)
        if self.emit is not None:
            self.emit("ChunkFailed", (ticket, self.slot_number(command.wid), blame.cause))

    def _accepted(self, put: object) -> None:
        if isinstance(put, WorkerPut):
            if put.waiting and put.request:
                self.send_now(put.wid, Message(m.ANSWER, a=put.request, body=YES))
            put.waiting = False
        elif isinstance(put, LocalPut):
            put.accepted = True

    @property
    def error(self) -> BaseException | None:
        """Why the manager as a whole has failed."""
        return self.supervisor.error

    @property
    def stopping(self) -> bool:
        """Whether all workers were told to leave."""
        return self.supervisor.stopping

    # feeds

    def abandon_feeds(self) -> None:
        """Nobody will take chunks any more: what was not done stays missing, and is said to be."""
        for feed in list(self.feeds.values()):
            self.abandon(feed, patient=True)
        if self.feeds:
            # a source that blocks is not waited for longer than this
            self.after(LAST_PULL, self._abandon_late_feeds)
            self.pump.poke()

    def _abandon_late_feeds(self) -> None:
        for feed in list(self.feeds.values()):
            self.abandon(feed)

    def abandon(self, feed: Feed, *, patient: bool = False) -> None:
        """Nobody will take chunks of the feed: it is over, unless it is worth asking its source once more."""
        with self.lock:
            if feed.abandoned(patient=patient):
                self.feed_over(feed)

    def cancel_feed(self, feed: Feed) -> None:
        """Take back what waits, end what runs of the feed. Under the lock."""
        self.ledger.feed_dropped(feed.queue.number, feed.number)
        self.execute(self.ledger.room_made(feed.queue.number))
        for wid, parcel in self.ledger.leased(feed.number):
            self.enforcer.cancel(wid, parcel.lease)
        if feed.is_over:
            self.feed_over(feed)

    def cancel_ticket(self, feed: Feed, number: int) -> bool:
        """Take back what waits of the ticket, end what runs of it; False if it is unknown. Under the lock."""
        blame = Blame("cancelled", "it was cancelled")
        dropped = self.ledger.ticket_dropped(feed.queue.number, feed.number, number)
        for parcel in dropped:
            self._give_up(GiveUp(parcel, blame, 0))
        self.execute(self.ledger.room_made(feed.queue.number))
        held = [(wid, p) for wid, p in self.ledger.leased(feed.number) if p.number == number]
        for wid, parcel in held:
            self.enforcer.cancel(wid, parcel.lease)
        self.settle()
        return bool(dropped or held)

    def feed_over(self, feed: Feed) -> None:
        """The feed has all it will get; a feed that nobody iterates leaves the books."""
        self.feeds.pop(feed.number, None)
        if self._lender is not None and not self.feeds:
            self._lender.rest()
        if self.stocks:
            self.stocks.over(feed.number)

    def close(self) -> None:
        self.cutter.close()
        self.pump.close()
        self.shares_memory = False
        if self._lender is not None:
            self._lender.close()

    @property
    def lender(self) -> Lender | None:
        """The shared memory of this manager, made when it is first asked for; None where there is none."""
        if self._lender is None and self.shares_memory:
            from .lender import Lender

            with self.lock:
                if self._lender is None:
                    self._lender = Lender(self)
        return self._lender

    def worker_gone(self, wid: int) -> None:
        """It reads no shared memory any more."""
        if self._lender is not None:
            self._lender.gone(wid)

    def _ticket(self, parcel: Parcel) -> Any:
        from ..core.ticket import Ticket

        feed = self.feeds.get(parcel.feed)
        return Ticket(feed.queue.name if feed is not None else "", parcel.number, parcel.feed)

    def slot_number(self, wid: int) -> int:
        slot = self.crew.find(wid)
        return -1 if slot is None else slot.number
