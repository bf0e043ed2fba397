"""The worker's end of the wire: inboxes by queue, what goes out, and the cycle that leases belong to."""

from __future__ import annotations

import os
import threading
from collections import deque
from time import monotonic

from ..core import messages as m
from ..core.messages import Message
from ..core.record import NamedTuple
from ..core.span import Span
from ..core.ticket import TICKET_ID_PREFIX, Ticket
from ..errors import Stopped
from ..wire import batch
from ..wire.frames import FrameReader, encode
from ..wire.pickles import dumps, loads
from ..wire.pump import Pump
from .stocks import Stocks
from .tools import Tools

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any

    from ..core.queues import QueueName
    from ..wire.link import Link
    from .loans import Loans

OUT_MAX = 32  #: messages that may wait for a common system call
OUT_DELAY = 0.001  #: seconds that they may wait
TICK = 0.001
REGION_WAIT = 10.0  #: seconds for memory that was sent before, and is on its way
LARGE = 1 << 16  #: bytes of a result that may be worth shared memory
MICROSECONDS_MAX = (1 << 32) - 1


class Item(NamedTuple):
    """What an inbox holds: a chunk, an object, or the token that says that the feeders have ended."""

    kind: int
    queue: int
    lease: int
    number: int
    feed: int
    flags: int
    body: bytes


class Inbox:
    """What the manager has sent from one queue, and how much the threads here have asked for."""

    __slots__ = ("items", "taken", "waiting", "wanted")

    def __init__(self) -> None:
        self.items: deque[Item] = deque()
        self.taken = 0
        self.waiting = 0
        self.wanted = 0


class Channel:
    """All that a worker says and hears. Threads of the worker may use it at the same time.

    The thread that calls the worker ('main') owns the cycle: what it takes is leased until the cycle ends.
    What another thread takes is done when it is taken, a chunk when its rows are.
    """

    clock: Callable[[], float] = staticmethod(monotonic)

    def __init__(
        self,
        link: Link,
        names: Iterable[QueueName],
        *,
        on_eof: Callable[[], None],
        tools: Tools | None = None,
    ) -> None:
        self.names: list[QueueName] = list(names)
        self.stopping = False
        self.paused = False
        self.ended = False  #: the manager is gone
        self.leaving = False  #: the worker is not called again; only its threads may take something
        self.posting = b""  #: the slot that a spare is to take
        self.sockets: list[int] = []  #: descriptors that came for it
        self.cancelled: set[int] = set()
        self.taken_elsewhere = False  #: a thread that does not call the worker has taken chunks
        self.chunks_max = 0  #: how many chunks the worker may have; 0 for no limit
        self.chunks = 0  #: that were taken in cycles that have ended; counted where there is a limit
        self.reports_rows = False  #: each row that is done is reported
        self.tools = Tools() if tools is None else tools
        self.stocks = Stocks(self)
        self.on_queue: Callable[[QueueName], None] = lambda name: None
        self.on_stop: Callable[[], None] = lambda: None
        self.on_drain: Callable[[float], None] = lambda seconds: None
        self.on_check: Callable[[int], None] = lambda number: None
        self._link = link
        self._on_eof = on_eof
        self._reader = FrameReader()
        self._inboxes: dict[int, Inbox] = {}
        self._out: deque[Message] = deque()
        self._out_since = 0.0
        self._write_lock = threading.RLock()
        self._writing = False
        self._get_lock = threading.Lock()
        self._answers: dict[int, Any] = {}
        self._request = 0
        self._main = threading.get_ident()
        self._cycle: list[Item] = []
        self._cycle_start = 0.0
        self._held: Message | None = None
        self._loans: Loans | None = None  # once the manager shares memory
        self._lends: Loans | None = None  # the same, once there is some for results
        self._asked = False  # for such memory
        self.pump = self._make_pump()
        self.tools.wait = lambda ready: self.pump.wait_until(
            lambda: ready() or self.stopping or self.ended, REGION_WAIT
        )
        self.pump.start()

    def _make_pump(self) -> Pump:
        return Pump(
            self._step,
            self._nudge,
            tick=TICK,
            name="eisenmp-channel",
            before_background=self._flush_before_waiting,
        )

    # taking

    def inbox(self, queue: int) -> Inbox:
        inbox = self._inboxes.get(queue)
        if inbox is None:
            inbox = self._inboxes.setdefault(queue, Inbox())
        return inbox

    def get(self, queue: int, timeout: float | None = None) -> Item | None:
        """The next item of the queue; None when `timeout` seconds passed. Raises Stopped."""
        while True:
            item = self._next(queue, timeout)
            if item is None or item.lease not in self.cancelled:
                return item
            self.pass_over(item)
            if item.kind == m.CHUNK and not self.is_main:
                self._done(item)

    def rows(self, item: Item, *, lazily: bool = False) -> Any:
        """The rows of a chunk; None when it has none, as it lies behind the end of its source.

        `lazily`: perhaps while they are read; only in the thread that calls the worker. The chunk of another
        thread is reported as done here: before its rows were read, its feed could have ended.
        """
        read = True
        try:
            rows = loads(item.body)
            return self.stocks.rows(item, rows, lazily) if rows.__class__ is Span else rows
        except Stopped:
            read = False  # and is given back with the worker
            raise
        finally:
            if read and not (lazily or self.is_main):
                self._done(item)

    def _done(self, item: Item) -> None:
        if item.lease:
            self.post(Message(m.DONE, body=item.lease.to_bytes(8, "little")))

    @property
    def is_main(self) -> bool:
        """Whether this is the thread that calls the worker."""
        return threading.get_ident() == self._main

    def pass_over(self, item: Item) -> None:
        """It was cancelled before it was taken, or has no rows: done with nothing, and outside the cycle."""
        self.cancelled.discard(item.lease)
        if self._cycle and self._cycle[-1] is item:
            self._cycle.pop()
            self.post(Message(m.DONE, body=_leases([item])))
            self.flush()

    def _next(self, queue: int, timeout: float | None) -> Item | None:
        inbox = self._inboxes.get(queue) or self.inbox(queue)
        try:
            item = inbox.items.popleft()
        except IndexError:
            waited = self._wait_for(queue, inbox, timeout)
            if waited is None:
                return None
            item = waited
        else:
            with self._get_lock:
                inbox.taken += 1
                if inbox.waiting:
                    # it may have been meant for another thread, which waits on
                    self._want(queue, inbox, inbox.taken + inbox.waiting)
        if threading.get_ident() != self._main:
            if self._loans is not None:
                # it is done now, and its blocks are not ours any more
                item = self._loans.own(item)
            if item.kind == m.CHUNK:
                self.taken_elsewhere = True
            else:
                self._done(item)
        elif item.kind != m.TOKEN:
            if item.flags & m.CAREFUL:
                self.flush()
            if not self._cycle:
                self._cycle_start = self.clock()
            self._cycle.append(item)
        return item

    def _wait_for(self, queue: int, inbox: Inbox, timeout: float | None) -> Item | None:
        deadline = None if timeout is None else self.clock() + timeout
        with self._get_lock:
            inbox.waiting += 1
        try:
            while True:
                with self._get_lock:
                    self._want(queue, inbox, inbox.taken + inbox.waiting)
                self.flush()
                remaining = None if deadline is None else max(0.0, deadline - self.clock())
                self.pump.wait_until(lambda: bool(inbox.items) or self.stopping, remaining)
                with self._get_lock:
                    if inbox.items:
                        inbox.taken += 1
                        return inbox.items.popleft()
                if self.stopping:
                    raise Stopped("the worker is told to stop")
                if deadline is not None and self.clock() >= deadline:
                    return None
        finally:
            with self._get_lock:
                inbox.waiting -= 1
                if inbox.wanted > inbox.taken + inbox.waiting + len(inbox.items):
                    # nobody waits here any more: what is not on its way yet may go to others
                    inbox.wanted = inbox.taken + inbox.waiting + len(inbox.items)
                    self.post(Message(m.WANT, queue, b=inbox.wanted))

    def _want(self, queue: int, inbox: Inbox, wanted: int) -> None:
        if wanted > inbox.wanted:
            inbox.wanted = wanted
            self.post(Message(m.WANT, queue, b=wanted))

    def get_now(self, queue: int) -> Item | None:
        """An item if there is one here or in the manager at this moment."""
        inbox = self.inbox(queue)
        if not inbox.items and not self.ask(m.ASK_NOW, queue):
            return None
        return self.get(queue, 0.0)

    def empty(self, queue: int, moment: float) -> bool:
        """Whether a get would have to wait. A true answer takes `moment` seconds, for those who poll."""
        inbox = self.inbox(queue)
        if inbox.items:
            return False
        if inbox.wanted <= inbox.taken:
            answer = self.ask(m.ASK_EMPTY, queue)
            if answer is not None:
                if answer:
                    self.flush()
                    if self.pump.wait_until(lambda: self.stopping, moment):
                        raise Stopped("the worker is told to stop")
                return bool(answer)
            # a queue that feeders fill: one chunk is on its way as soon as there is one
            with self._get_lock:
                self._want(queue, inbox, inbox.taken + 1)
        self.flush()
        self.pump.wait_until(lambda: bool(inbox.items) or self.stopping, moment)
        if self.stopping and not inbox.items:
            raise Stopped("the worker is told to stop")
        return not inbox.items

    # sending

    def post(self, message: Message) -> None:
        """Send soon: with others in one system call, but not later than a millisecond of worker time."""
        if not self._out:
            self._out_since = self.clock()
        self._out.append(message)
        # whoever leads waits in a read, perhaps for ever
        if self.pump.somebody_leads or len(self._out) >= OUT_MAX or len(message.body) > OUT_MAX * 4096:
            self.flush()

    def flush(self) -> None:
        out = self._out
        if not out:
            return
        with self._write_lock:
            if self._writing:
                return  # the collector of garbage has come in between, and something prints as it goes
            self._writing = True
            try:
                while out:
                    going: list[Message] = []
                    while out:
                        going.append(out.popleft())
                    self._link.write(encode(batch.results(going) if len(going) > 1 else going))
            except OSError:
                self._end()
                raise Stopped("the manager is gone") from None
            finally:
                self._writing = False

    def ask(self, question: int, queue: int, body: bytes = b"", timeout: float | None = None) -> Any:
        """Put a question to the manager and wait for the answer. Raises Stopped when the manager is gone."""
        with self._get_lock:
            self._request += 1
            request = self._request
        self.post(Message(m.ASK, queue, request, question, body=body))
        return self._answer(request, timeout)

    def put(self, queue: int, obj: Any, *, block: bool = True, timeout: float | None = None) -> bool:
        """Put into a bounded queue; False when it stayed full. Raises Stopped."""
        body = dumps(obj)
        with self._get_lock:
            self._request += 1
            request = self._request
        self.post(Message(m.PUT, queue, request, flags=0 if block else m.NOWAIT, body=body))
        try:
            return bool(self._answer(request, timeout, until_stop=block))
        except TimeoutError:
            # the manager withdraws it, or says that it went in at the last moment
            self.post(Message(m.ASK, queue, request, m.ASK_WITHDRAW))
            accepted = bool(self._answer(request, None))
        if self.stopping and not accepted:
            raise Stopped("the worker is told to stop")
        return accepted

    def _answer(self, request: int, timeout: float | None, *, until_stop: bool = False) -> Any:
        """The answer; TimeoutError when it takes too long, or with `until_stop` when the worker must stop."""
        self.flush()
        answers = self._answers
        self.pump.wait_until(
            lambda: request in answers or self.ended or (until_stop and self.stopping), timeout
        )
        if request in answers:
            return answers.pop(request)
        if self.ended:
            raise Stopped("the manager is gone")
        raise TimeoutError

    def note(self, queue: int, obj: Any) -> None:
        """Put into a queue that the manager itself reads."""
        self.post(Message(m.NOTE, queue, body=dumps(obj)))

    def log(self, stream: int, text: str) -> None:
        """Whole lines for the manager's stdout (1) or stderr (2)."""
        self.post(Message(m.LOG, a=stream, body=text.encode("utf-8", "backslashreplace")))

    def report_rows(self, rows: int) -> None:
        """So many more rows of the running chunk are done; said at once, as a time limit may hang on it."""
        self.post(Message(m.PROGRESS, b=rows))
        self.flush()

    def request(self, order: int, reason: str = "") -> None:
        """Ask the manager to pause, resume, stop or restart this worker."""
        if order == m.ORDER_PAUSE:
            self.paused = True
            self.give_back_waiting()
        elif order == m.ORDER_RESUME:
            self.paused = False
        elif order == m.ORDER_STOP:
            self.stopping = True
        self.post(Message(m.REQUEST, a=order, body=reason.encode("utf-8", "backslashreplace")))
        self.flush()
        self.pump.interrupt()

    # the cycle

    @property
    def current(self) -> Item | None:
        """What the main thread took last in the running cycle."""
        return self._cycle[-1] if self._cycle else None

    @property
    def is_full(self) -> bool:
        """Whether the worker has had as many chunks as it may, with those of the running cycle."""
        return self.chunks + _chunks(self._cycle) >= self.chunks_max > 0

    def ticket(self, item: Item) -> Ticket:
        return Ticket(self.names[item.queue].name, item.number, item.feed)

    def lease_of(self, ticket: Ticket) -> int:
        """The lease of a chunk taken in this cycle; 0 when it was not."""
        for item in reversed(self._cycle):
            if item.number == ticket.number and self.names[item.queue].name == ticket.queue:
                return item.lease
        return 0

    def lease_of_header(self, text: str) -> int:
        """The lease that a header text of 1.0 speaks of; a worker may have put text before it.

        A worker may also put a text of its own in place of the queue's name: then the number decides.
        """
        chunks = [item for item in reversed(self._cycle) if item.kind == m.CHUNK]
        for item in chunks:
            if text.endswith(self.ticket(item).header):
                return item.lease
        for item in chunks:
            if f";{TICKET_ID_PREFIX}{item.number};" in text:
                return item.lease
        return 0

    def output(self, lease: int, value: Any, flags: int = 0) -> None:
        """Send an output of the running cycle. The last one is held: it can carry the end of the cycle."""
        kind = m.OUTPUT
        if self._lends is None:
            body = dumps(value, "result")
            if len(body) >= LARGE and not self._asked:
                self._asked = True
                self.post(Message(m.ARENA))
        else:
            body = self._lends.pack(value)
            if body.__class__ is not bytes:
                kind = m.LENT
        message = tuple.__new__(Message, (kind, 0, lease, 0, 0, flags, body))
        if threading.get_ident() != self._main:
            # what is held is the other thread's: it may be sending it at this moment, as the end of its cycle
            self.post(message)
            return
        held, self._held = self._held, message if lease else None
        if held is not None:
            self.post(held)
        if not lease:
            self.post(message)

    def end_cycle(self, leaving: bool = False) -> None:
        """The worker has returned: what it took is done.

        `leaving`: it will not be called again. This says so too, lest something is sent ahead in between.
        """
        cycle, held = self._cycle, self._held
        flags = m.LEAVING if leaving else 0
        if self._loans is not None:
            self._loans.report()
        if not cycle:
            self._drop_held()  # of a cycle that was given back: it must not end the next one
            return
        if self.stocks.open:
            self.stocks.settle()
        now = self.clock()
        took = min(MICROSECONDS_MAX, int((now - self._cycle_start) * 1e6))
        if held is not None and len(cycle) == 1:
            self._held = None
            final = (held.kind, 0, held.a, 0, took, held.flags | m.FINAL | flags, held.body)
            self.post(tuple.__new__(Message, final))
        else:
            if held is not None:
                self._held = None
                self.post(held)
            self.post(Message(m.DONE, c=took, flags=flags, body=_leases(cycle)))
        self._cycle = []
        if self.chunks_max:
            self.chunks += _chunks(cycle)
        if self.cancelled:
            self.cancelled.difference_update(item.lease for item in cycle)
        self.pump.touch()
        if now - self._out_since > OUT_DELAY:
            self.flush()

    def fail_cycle(self, error: bytes | None, text: str, traceback_text: str) -> None:
        """The worker has raised: what it took is not done, what it sent in this cycle does not count."""
        self._drop_held()
        self.stocks.let_go()
        leases = tuple(item.lease for item in self._cycle)
        self.chunks += _chunks(self._cycle)
        self.cancelled.difference_update(leases)
        self._cycle = []
        self.post(Message(m.RAISED, body=dumps((leases, error, text, traceback_text))))
        self.flush()

    def give_back(self) -> None:
        """Return everything that is not done: what a cut cycle has taken, and what was sent ahead."""
        self._drop_held()
        cut, self._cycle = self._cycle, []
        for queue in {item.queue for item in cut}:
            self.post(Message(m.BACK, queue, body=_leases([item for item in cut if item.queue == queue])))
        self.give_back_waiting()

    def _drop_held(self) -> None:
        """The output that is held will not be sent; before the leases end, say what is still read of them."""
        held, self._held = self._held, None
        if self._loans is not None:
            self._loans.withdraw(held)
            self._loans.report()

    def give_back_waiting(self) -> None:
        """Return what was sent ahead; the running cycle goes on."""
        for queue, inbox in self._inboxes.copy().items():
            self._recalled(queue, inbox, len(inbox.items))

    def check_cancelled(self) -> bool:
        """Whether the running chunk is not wanted any more; looks at the socket."""
        self.pump.glance()
        return self.stopping or any(item.lease in self.cancelled for item in self._cycle)

    def is_cancelled(self, lease: int) -> bool:
        """Whether this one is not wanted any more; looks at the socket. Raises Stopped."""
        self.pump.glance()
        if self.stopping:
            raise Stopped("the worker is told to stop")
        return lease in self.cancelled

    def last_words(self) -> None:
        """Send what there is, and wait for another thread that sends some of it."""
        self.flush()
        with self._write_lock:
            pass

    def close(self) -> None:
        """End the connection from here; afterwards no thread of the channel runs."""
        self.ended = self.stopping = True
        self._link.cut()
        self.pump.close()
        self._link.close()

    def forget(self) -> None:
        """In a copy of this process made by os.fork(): the connection is not ours, nothing goes out."""
        self.ended = self.stopping = True
        self._on_eof = lambda: None
        self._out.clear()
        self._write_lock = threading.RLock()
        self._writing = False
        self._get_lock = threading.Lock()
        self.pump = Pump(self._step, self._nudge, tick=TICK, name="eisenmp-channel")
        self.pump.close(join=False)
        self._link.close()

    def _nudge(self) -> None:
        """Have the manager answer: nothing else ends the read that another thread waits in."""
        if not self.ended:
            self.post(Message(m.ASK, b=m.ASK_NOTHING))
            self.flush()

    def _end(self) -> None:
        self.ended = self.stopping = True
        if self._loans is not None:
            self._loans.orphaned()
        self._on_eof()
        self.pump.close(join=False)

    # what comes in; called by whoever leads

    def _step(self, timeout: float | None) -> None:
        if self._out:
            self._flush_before_waiting()
        try:
            data = self._link.read(timeout)
        except OSError:
            data = b""
        if data is None:
            return
        if not data:
            self._end()
            return
        try:
            for message in self._reader.feed(data):
                self._handle(message)
        except Stopped:
            return  # the manager went while it was answered

    def _flush_before_waiting(self) -> None:
        try:
            self.flush()
        except Stopped:
            return  # whoever reads next sees the end

    def _handle(self, message: Message) -> None:
        kind, queue, a, b, c, flags, body = message
        if kind == m.CHUNK or kind == m.ITEM:
            inbox = self._inboxes.get(queue) or self.inbox(queue)
            # NamedTuple's own __new__ costs three times as much, and this runs for every chunk
            inbox.items.append(tuple.__new__(Item, (kind, queue, a, b, c, flags, body)))
            if self.leaving:
                self._recalled(queue, inbox, len(inbox.items))
                self.flush()
        elif kind == m.CHUNKS:
            inbox = self._inboxes.get(queue) or self.inbox(queue)
            new = tuple.__new__
            inbox.items.extend(
                [
                    new(Item, (m.CHUNK, queue, lease, number, c, flags, chunk))
                    for lease, number, chunk in batch.opened(message)
                ]
            )
            if self.leaving:
                self._recalled(queue, inbox, len(inbox.items))
                self.flush()
        elif kind == m.TOKEN:
            self.inbox(queue).items.append(Item(kind, queue, 0, 0, 0, 0, b""))
        elif kind == m.ANSWER:
            self._answers[a] = loads(body)
        elif kind == m.TOOLS:
            self.tools.arrived(body)
        elif kind == m.STOCK:
            self.stocks.arrived(a, body)
        elif kind == m.QUEUE:
            name = loads(body)
            self.names.append(name)
            self.on_queue(name)
        elif kind == m.CONTROL:
            self._ordered(a, b, c, queue)
        elif kind == m.REGION:
            self._region(a, b, c, body)
        elif kind == m.SOCKET:
            self.sockets.append(self._link.descriptor())
        elif kind == m.POST:
            self.posting = body

    def _region(self, number: int, size: int, use: int, path: bytes) -> None:
        if self._loans is None:
            from .loans import Loans

            self._loans = Loans(self)
        if not size:
            self._loans.dropped(number)
            return
        if path:
            self._loans.named(number, os.fsdecode(path), size, use)
        else:
            self._loans.came(number, self._link.descriptor(), size, use)
        if self._loans.lends:
            self._lends = self._loans

    def _ordered(self, order: int, lease: int, count: int, queue: int) -> None:
        if order == m.ORDER_STOP:
            self.stopping = True
            self.on_stop()
        elif order == m.ORDER_DRAIN:
            self.on_drain(lease / 1000)
        elif order == m.ORDER_CHECK:
            self.on_check(lease)
        elif order == m.ORDER_RECALL:
            self._recalled(queue, self.inbox(queue), count)
            self.flush()
        elif order == m.ORDER_CANCEL:
            self.cancelled.add(lease)
        elif order == m.ORDER_PAUSE:
            self.paused = True
        elif order == m.ORDER_RESUME:
            self.paused = False

    def _recalled(self, queue: int, inbox: Inbox, count: int) -> None:
        back: list[Item] = []
        # a thread here that waits for an item has it as good as taken
        count = min(count, len(inbox.items) - inbox.waiting)
        tokens: list[Item] = []
        while len(back) < count:
            try:
                item = inbox.items.pop()
            except IndexError:
                break
            (tokens if item.kind == m.TOKEN else back).append(item)
        back.reverse()
        inbox.items.extend(tokens)
        self.post(Message(m.BACK, queue, body=_leases(back)))


def _chunks(items: Iterable[Item]) -> int:
    return sum(item.kind == m.CHUNK for item in items)


def _leases(items: Iterable[Item]) -> bytes:
    return b"".join([item.lease.to_bytes(8, "little") for item in items])
