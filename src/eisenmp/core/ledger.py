"""Which chunk is where. Events come in as method calls, commands come out as lists; nothing here acts.

A chunk is in exactly one place: waiting in its queue, leased to one worker, or finished. It is written into
a worker's leases before the command to send it is given out, so that whatever happens to that worker
afterwards, the ledger knows what it held. Objects that users put travel the same way, without a ticket.
"""

from __future__ import annotations

from collections import deque

from .credit import Credit
from .record import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

BLAME_NOBODY = -1
RECALL_WORTH = 0.002  #: seconds


class Parcel:
    """What travels: a chunk of a feed (`feed` > 0), or an object that a user put (`feed` == 0)."""

    __slots__ = ("attempts", "body", "deaths", "feed", "flags", "lease", "number", "queue", "raises")

    def __init__(self, queue: int, body: bytes, *, feed: int = 0, number: int = 0, flags: int = 0) -> None:
        self.queue = queue
        self.body = body
        self.feed = feed
        self.number = number
        self.flags = flags
        self.lease = 0
        self.attempts = 0
        self.deaths = 0
        self.raises = 0

    def __repr__(self) -> str:
        return f"<Parcel queue={self.queue} feed={self.feed} number={self.number} lease={self.lease}>"


class Send(NamedTuple):
    """Send the parcel to the worker; it is leased already."""

    wid: int
    parcel: Parcel


class Token(NamedTuple):
    """Tell the worker's getter that all feeders of the queue have ended."""

    wid: int
    queue: int


class Recall(NamedTuple):
    """Ask the worker to give back up to `count` parcels of the queue that it has not taken."""

    wid: int
    queue: int
    count: int


class Accept(NamedTuple):
    """A put that waited for room is in the queue now."""

    put: object


class Finish(NamedTuple):
    """The chunk is done; its outputs in the order sent. Given once per ticket."""

    parcel: Parcel
    outputs: list[Any]
    wid: int


class GiveUp(NamedTuple):
    """The chunk has failed for good."""

    parcel: Parcel
    error: Any
    wid: int


Command = Send | Token | Recall | Accept | Finish | GiveUp if TYPE_CHECKING else object


class Line:
    """One worker at one queue."""

    __slots__ = (
        "asked_back", "credit", "in_demand", "in_roomy", "known", "open", "queue", "refused", "sent",
        "token_due", "wanted", "worker",
    )  # fmt: skip

    def __init__(self, worker: Worker, queue: Queue) -> None:
        self.worker = worker
        self.queue = queue
        self.sent = 0  # items and tokens since the worker's start
        self.wanted = 0  # as many as the worker has asked for since its start
        self.open: dict[int, Parcel] = {}  # leases, oldest first
        self.credit = Credit()
        self.known = False  # has taken from this queue before
        self.in_demand = False
        self.in_roomy = False
        self.asked_back = -1  # `sent` when parcels were recalled last: not twice for the same ones
        self.refused = False  # the last recall was answered
        self.token_due = True


class Worker:
    """One process: its leases over all queues."""

    __slots__ = ("held", "leases", "lines", "outputs", "paused", "slot", "wid")

    def __init__(self, wid: int, slot: int) -> None:
        self.wid = wid
        self.slot = slot
        self.leases: dict[int, Parcel] = {}
        self.outputs: dict[int, list[Any]] = {}
        self.lines: dict[int, Line] = {}
        self.paused = False


class Queue:
    """What waits in the manager, and who wants it."""

    __slots__ = (
        "credit", "demand", "fed", "feeds", "in_flight", "index", "lines", "maxsize", "puts", "roomy",
        "surplus", "waiting",
    )  # fmt: skip

    def __init__(self, index: int, maxsize: int) -> None:
        self.index = index
        self.maxsize = maxsize
        self.waiting: deque[Parcel] = deque()
        self.demand: deque[Line] = deque()
        self.roomy: deque[Line] = deque()
        self.puts: deque[tuple[object, Parcel]] = deque()
        self.feeds: set[int] = set()  # that have not ended
        self.fed = False
        self.lines: dict[int, Line] = {}
        self.in_flight = 0
        self.surplus = 0  # leases beyond the one that each worker is busy with
        self.credit = 0  # of all lines that take from this queue

    @property
    def full(self) -> bool:
        return 0 < self.maxsize <= len(self.waiting)

    @property
    def ended(self) -> bool:
        return self.fed and not self.feeds


class Ledger:
    """The state of all queues and workers. `deaths` and `raises` are how often a chunk may be tried again."""

    def __init__(self, *, deaths: int = 2, raises: int = 0) -> None:
        self.deaths = deaths
        self.raises = raises
        self.queues: dict[int, Queue] = {}
        self.workers: dict[int, Worker] = {}
        self.tokens = True  # False: nobody is told that the feeders have ended
        self._redeliver: dict[tuple[int, int], deque[Parcel]] = {}
        self._lease = 0

    # what is put in

    def queue_made(self, index: int, maxsize: int) -> None:
        self.queues[index] = Queue(index, maxsize)

    def feed_opened(self, index: int, feed: int) -> None:
        queue = self.queues[index]
        queue.fed = True
        queue.feeds.add(feed)
        for line in queue.lines.values():
            line.token_due = True

    def feed_ended(self, index: int, feed: int) -> list[Command]:
        queue = self.queues[index]
        queue.feeds.discard(feed)
        return self._place(queue)

    def offered(self, parcel: Parcel) -> list[Command]:
        """A chunk or an object for the end of its queue; whoever calls has looked for room."""
        queue = self.queues[parcel.queue]
        queue.waiting.append(parcel)
        return self._place(queue)

    def put(self, put: object, parcel: Parcel) -> list[Command]:
        """An object for a bounded queue: `Accept(put)` comes at once or when there is room."""
        queue = self.queues[parcel.queue]
        queue.puts.append((put, parcel))
        return self._place(queue)

    def put_withdrawn(self, index: int, put: object) -> bool:
        """The putter gave up waiting; False when the object is in the queue already."""
        puts = self.queues[index].puts
        for entry in puts:
            if entry[0] is put:
                puts.remove(entry)
                return True
        return False

    def take(self, index: int) -> tuple[Parcel | None, list[Command]]:
        """Something for the manager itself; it is done when it is taken."""
        queue = self.queues[index]
        if not queue.waiting:
            return None, []
        parcel = queue.waiting.popleft()
        commands = self._place(queue)
        if parcel.feed:
            commands.append(Finish(parcel, [], 0))
        return parcel, commands

    # workers

    def worker_started(self, wid: int, slot: int) -> None:
        self.workers[wid] = Worker(wid, slot)

    def wanted(self, wid: int, index: int, count: int) -> list[Command]:
        """The worker wants `count` items of the queue in all since its start."""
        worker = self.workers.get(wid)
        if worker is None:
            return []
        line = self._line(worker, index)
        line.wanted = count
        if line.wanted <= line.sent:
            return []
        queue = line.queue
        if not line.in_demand:
            line.in_demand = True
            queue.demand.append(line)
        return self._place(queue)

    def output(self, wid: int, lease: int, body: Any) -> bool:
        """Keep an output until the cycle ends; False when the worker does not hold that lease."""
        worker = self.workers.get(wid)
        if worker is None or lease not in worker.leases:
            return False
        worker.outputs.setdefault(lease, []).append(body)
        return True

    def done(self, wid: int, leases: Iterable[int], seconds: float) -> list[Command]:
        """A cycle has ended: the leases that were taken in it are finished, with all their outputs."""
        worker = self.workers.get(wid)
        if worker is None:
            return []
        commands: list[Command] = []
        touched: list[Line] = []
        for lease in leases:
            parcel = worker.leases.pop(lease, None)
            if parcel is None:
                continue
            line = self._closed(worker, lease, parcel)
            if line not in touched:
                touched.append(line)
            outputs = worker.outputs.pop(lease, None) if worker.outputs else None
            if parcel.feed:
                commands.append(Finish(parcel, outputs or [], wid))
        for line in touched:
            line.queue.credit += line.credit.measured(seconds)
            self._room(line)
            commands.extend(self._place(line.queue))
        return commands

    def raised(self, wid: int, leases: Iterable[int], error: Any) -> list[Command]:
        """The worker raised: what it took in this cycle is tried again or given up."""
        worker = self.workers.get(wid)
        if worker is None:
            return []
        commands: list[Command] = []
        for lease in leases:
            parcel = worker.leases.pop(lease, None)
            if parcel is None:
                continue
            line = self._closed(worker, lease, parcel)
            worker.outputs.pop(lease, None)
            self._room(line)
            if parcel.feed:
                parcel.attempts += 1
                parcel.raises += 1
                if parcel.raises > self.raises:
                    commands.append(GiveUp(parcel, error, wid))
                else:
                    line.queue.waiting.appendleft(parcel)
            commands.extend(self._place(line.queue))
        return commands

    def returned(self, wid: int, index: int, leases: Iterable[int]) -> list[Command]:
        """What the worker had not taken of the queue goes back to its head, in order: the answer to Recall."""
        worker = self.workers.get(wid)
        if worker is None:
            return []
        line = self._line(worker, index)
        line.refused = True
        for lease in reversed(list(leases)):
            parcel = worker.leases.pop(lease, None)
            if parcel is not None:
                self._closed(worker, lease, parcel)
                line.sent -= 1
                line.asked_back = -1
                line.queue.waiting.appendleft(parcel)
        if line.in_roomy:
            # not at once to the one who gave it back
            line.queue.roomy.remove(line)
            line.in_roomy = False
        return self._place(line.queue)

    def left(self, wid: int) -> list[Command]:
        """The worker returned something false and is not called again; what it holds goes back."""
        return self._gone(wid, blamed=BLAME_NOBODY, error=None)

    def lost(self, wid: int, error: Any) -> list[Command]:
        """The process is gone. The oldest lease at each queue was running: a death counts against it."""
        return self._gone(wid, blamed=0, error=error)

    def paused(self, wid: int, paused: bool) -> list[Command]:
        worker = self.workers.get(wid)
        if worker is None:
            return []
        worker.paused = paused
        commands: list[Command] = []
        if not paused:
            for line in worker.lines.values():
                self._room(line)
                if line.wanted > line.sent and not line.in_demand:
                    line.in_demand = True
                    line.queue.demand.append(line)
                commands.extend(self._place(line.queue))
        return commands

    def feed_dropped(self, index: int, feed: int) -> list[Parcel]:
        """Take the feed's waiting chunks out; those that are leased finish as they like."""
        queue = self.queues[index]
        dropped = [parcel for parcel in queue.waiting if parcel.feed == feed]
        if dropped:
            queue.waiting = deque(parcel for parcel in queue.waiting if parcel.feed != feed)
        return dropped

    def leased(self, feed: int) -> list[tuple[int, Parcel]]:
        """Who holds chunks of the feed: (wid, parcel)."""
        return [
            (worker.wid, parcel)
            for worker in self.workers.values()
            for parcel in worker.leases.values()
            if parcel.feed == feed
        ]

    def available(self, wid: int, index: int) -> bool:
        """Whether a get of the worker would be answered at once."""
        queue = self.queues[index]
        worker = self.workers.get(wid)
        slot = worker.slot if worker is not None else -1
        return bool(queue.waiting) or bool(self._redeliver.get((slot, index)))

    # inside

    def _line(self, worker: Worker, index: int) -> Line:
        line = worker.lines.get(index)
        if line is None:
            queue = self.queues[index]
            line = worker.lines[index] = queue.lines[worker.wid] = Line(worker, queue)
        return line

    def _closed(self, worker: Worker, lease: int, parcel: Parcel) -> Line:
        line = worker.lines[parcel.queue]
        del line.open[lease]
        line.queue.in_flight -= 1
        if line.open:
            line.queue.surplus -= 1
        return line

    def _room(self, line: Line) -> None:
        """Note that the line may be sent something ahead."""
        if line.known and not line.in_roomy and len(line.open) <= line.credit.ahead:
            line.in_roomy = True
            line.queue.roomy.append(line)

    def _next(self, queue: Queue, chunk: bool) -> Line | None:
        """Who gets the next parcel: first who waits for it, then who has room ahead (chunks only)."""
        demand = queue.demand
        while demand:
            line = demand[0]
            if line.sent < line.wanted and not line.worker.paused:
                return line
            demand.popleft()
            line.in_demand = False
        roomy = queue.roomy
        while chunk and roomy:
            line = roomy[0]
            if len(line.open) <= line.credit.ahead and not line.worker.paused:
                return line
            roomy.popleft()
            line.in_roomy = False
        return None

    def _lease_to(self, line: Line, parcel: Parcel) -> Send:
        self._lease += 1
        parcel.lease = lease = self._lease
        worker, queue = line.worker, line.queue
        worker.leases[lease] = parcel
        if line.open:
            queue.surplus += 1
        line.open[lease] = parcel
        queue.in_flight += 1
        line.sent += 1
        if parcel.feed and not line.known:
            line.known = True
            queue.credit += line.credit.ahead
        if line.in_demand and queue.demand[0] is line and line.sent >= line.wanted:
            queue.demand.popleft()
            line.in_demand = False
        if line.in_roomy:
            # the next one goes to the next line; this one stands at the end again if it has room left
            if queue.roomy[0] is line:
                queue.roomy.popleft()
                line.in_roomy = False
                self._room(line)
        else:
            self._room(line)
        return Send(worker.wid, parcel)

    def _place(self, queue: Queue) -> list[Command]:
        """Give out what waits, to those who want it; let waiting puts in."""
        commands: list[Command] = []
        waiting, puts = queue.waiting, queue.puts
        if self._redeliver and queue.demand:
            self._place_again(queue, commands)
        while True:
            while puts and not queue.full:
                put, parcel = puts.popleft()
                waiting.append(parcel)
                commands.append(Accept(put))
            if not waiting:
                break
            line = self._next(queue, waiting[0].feed > 0)
            if line is None:
                break
            commands.append(self._lease_to(line, waiting.popleft()))
        if queue.demand and not waiting:
            self._starving(queue, commands)
        return commands

    def _place_again(self, queue: Queue, commands: list[Command]) -> None:
        """What a dead worker of the slot had taken and not finished comes first for its replacement."""
        for line in list(queue.demand):
            key = (line.worker.slot, queue.index)
            again = self._redeliver.get(key)
            if again is None or line.worker.paused:
                continue
            queue.demand.remove(line)
            queue.demand.appendleft(line)
            while again and line.sent < line.wanted:
                commands.append(self._lease_to(line, again.popleft()))
            if not again:
                del self._redeliver[key]

    def _starving(self, queue: Queue, commands: list[Command]) -> None:
        """Workers wait and there is nothing: recall what others hold ahead, else say that it is the end.

        Half of what the fullest worker holds ahead is recalled. At the end of all feeders of the queue every
        worker that waits is told so once, unless something was recalled that it can have.
        """
        fullest: Line | None = None
        if queue.surplus:
            for line in queue.lines.values():
                if self._can_give_back(line) and (fullest is None or len(line.open) > len(fullest.open)):
                    fullest = line
        if fullest is not None:
            fullest.asked_back = fullest.sent
            fullest.refused = False
            commands.append(Recall(fullest.worker.wid, queue.index, len(fullest.open) // 2))
        elif queue.ended and self.tokens and not self._returning(queue):
            for line in list(queue.demand):
                if line.sent < line.wanted and line.token_due and not line.worker.paused:
                    line.token_due = False
                    line.sent += 1
                    queue.demand.remove(line)
                    line.in_demand = False
                    commands.append(Token(line.worker.wid, queue.index))

    @staticmethod
    def _can_give_back(line: Line) -> bool:
        """Worth recalling: chunks ahead of the running one that take longer than the recall itself."""
        ahead = len(line.open) - 1
        if ahead < 1 or line.asked_back == line.sent or not next(iter(line.open.values())).feed:
            return False
        return not line.credit.seconds or ahead * line.credit.seconds > RECALL_WORTH

    @staticmethod
    def _returning(queue: Queue) -> bool:
        return any(line.asked_back == line.sent and not line.refused for line in queue.lines.values())

    def _gone(self, wid: int, *, blamed: int, error: Any) -> list[Command]:
        worker = self.workers.pop(wid, None)
        if worker is None:
            return []
        commands: list[Command] = []
        for index, line in worker.lines.items():
            queue = line.queue
            del queue.lines[wid]
            queue.surplus -= max(0, len(line.open) - 1)
            if line.known:
                queue.credit -= line.credit.ahead
            if line.in_demand:
                queue.demand.remove(line)
            if line.in_roomy:
                queue.roomy.remove(line)
            queue.in_flight -= len(line.open)
            back: list[Parcel] = []
            again: list[Parcel] = []
            for position, parcel in enumerate(line.open.values()):
                if not parcel.feed:
                    again.append(parcel)
                    continue
                parcel.attempts += position == blamed
                parcel.deaths += position == blamed
                if parcel.deaths > self.deaths:
                    commands.append(GiveUp(parcel, error, wid))
                else:
                    back.append(parcel)
            queue.waiting.extendleft(reversed(back))
            if again and blamed == 0:
                kept = self._redeliver.setdefault((worker.slot, index), deque())
                kept.extendleft(reversed(again))
        for index in worker.lines:
            commands.extend(self._place(self.queues[index]))
        return commands
