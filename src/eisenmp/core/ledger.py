"""Which chunk is where. Events come in as method calls, commands come out as lists; nothing here acts.

A chunk is in exactly one place: waiting in its queue, leased to one worker, put off until its next attempt,
being cut, or finished. It is written into
a worker's leases before the command to send it is given out, so that whatever happens to that worker
afterwards, the ledger knows what it held. Objects that users put travel the same way, without a ticket.
"""

from __future__ import annotations

from collections import deque

from .failing import AGAIN, CANCELLED, CUT, DIED, OVER, RAISED, Budget, cut_points
from .lines import Expiry, Line, Queue, Worker
from .messages import CAREFUL, LISTED
from .parcel import (
    Accept,
    Command,
    Cut,
    Finish,
    FinishAll,
    GiveUp,
    Later,
    Parcel,
    Recall,
    Remind,
    Send,
    SendAll,
    Token,
)
from .placement import Placement

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from typing import Any

__all__ = [
    "Accept", "Command", "Cut", "Finish", "FinishAll", "GiveUp", "Later", "Ledger", "Line", "Parcel", "Queue",
    "Recall", "Remind", "Send", "SendAll", "Token", "Worker",
]  # fmt: skip

LOOK = 0.1  #: seconds until it is looked again whether another worker can take what failed
LOOKS_MAX = 5


class Ledger:
    """The state of all queues and workers. The arguments are those of `core.failing.Budget`.

    `delay`: seconds before the next attempt after the n-th failure; at once unless it is replaced.
    """

    def __init__(self, *, deaths: int = 2, raises: int = 0, timeouts: int = 0, cuts: bool = False) -> None:
        self.budget = Budget(deaths=deaths, raises=raises, timeouts=timeouts, cuts=cuts)
        self.delay: Callable[[int], float] = lambda failures: 0.0
        self.queues: dict[int, Queue] = {}
        self.workers: dict[int, Worker] = {}
        self._dropped: set[int] = set()  # feeds that were dropped while chunks of theirs were leased
        self._placement = Placement()
        self._few = 0
        self._place = self._placement.place

    @property
    def tokens(self) -> bool:
        """Whether workers that wait are told when all feeders of their queue have ended."""
        return self._placement.tokens

    @tokens.setter
    def tokens(self, tokens: bool) -> None:
        self._placement.tokens = tokens

    @property
    def patient(self) -> bool:
        """Whether they are told only when all wait: workers may leave, and give back what they have."""
        return self._placement.patient

    @patient.setter
    def patient(self, patient: bool) -> None:
        self._placement.patient = patient

    @property
    def few(self) -> int:
        """How many workers are kept busy with chunks that take less than waking another one; 0 for all."""
        return self._few

    @few.setter
    def few(self, few: int) -> None:
        self._few = few
        for queue in self.queues.values():
            queue.few = few

    # what is put in

    def queue_made(self, index: int, maxsize: int) -> None:
        """`maxsize` bounds what waits in the manager; 0 or less is no bound."""
        queue = self.queues[index] = Queue(index, maxsize)
        queue.few = self._few

    def feed_opened(self, index: int, feed: int) -> None:
        queue = self.queues[index]
        queue.fed = True
        queue.feeds.add(feed)
        for line in queue.lines.values():
            line.token_due = True

    def feed_ended(self, index: int, feed: int) -> list[Command]:
        self.queues[index].feeds.discard(feed)
        return self._place(self.queues[index])

    def feed_dropped(self, index: int, feed: int) -> list[Parcel]:
        """Take out the feed's waiting chunks; `room_made` says what can move. Leased ones may finish."""
        queue = self.queues[index]
        dropped = [parcel for parcel in (*queue.waiting, *queue.delayed) if parcel.feed == feed]
        if dropped:
            queue.waiting = deque(parcel for parcel in queue.waiting if parcel.feed != feed)
            queue.delayed = {parcel: None for parcel in queue.delayed if parcel.feed != feed}
        self._dropped = {known for known in (*self._dropped, feed) if self.leased(known)}
        return dropped

    def ticket_dropped(self, index: int, feed: int, number: int) -> list[Parcel]:
        """Take out what waits of one chunk, which may be in pieces; `room_made` says what can move."""
        queue = self.queues[index]
        dropped = [
            parcel
            for parcel in (*queue.waiting, *queue.delayed)
            if parcel.number == number and parcel.feed == feed
        ]
        for parcel in dropped:
            if parcel in queue.delayed:
                del queue.delayed[parcel]
            else:
                queue.waiting.remove(parcel)
        return dropped

    def room_made(self, index: int) -> list[Command]:
        """What can move after `feed_dropped`: puts that waited for room."""
        return self._place(self.queues[index])

    def offered(self, parcel: Parcel) -> list[Command]:
        """A chunk for the end of its queue; whoever calls has looked for room."""
        return self.offered_all(parcel.queue, (parcel,))

    def offered_all(self, index: int, parcels: Iterable[Parcel]) -> list[Command]:
        """Chunks for the end of a queue; whoever calls has looked for room."""
        queue = self.queues[index]
        queue.waiting.extend(parcels)
        return self._place(queue)

    def put(self, put: object, parcel: Parcel) -> list[Command]:
        """An object for a bounded queue: `Accept(put)` comes at once or when there is room."""
        self.queues[parcel.queue].puts.append((put, parcel))
        return self._place(self.queues[parcel.queue])

    def put_withdrawn(self, index: int, put: object) -> bool:
        """The putter gave up waiting; False when the object is in the queue already."""
        puts = self.queues[index].puts
        found = next((entry for entry in puts if entry[0] is put), None)
        if found is not None:
            puts.remove(found)
        return found is not None

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

    def worker_moved(self, wid: int, slot: int) -> None:
        """A worker that has asked for nothing yet is in this slot from now on."""
        self.workers[wid].slot = slot

    def wanted(self, wid: int, index: int, count: int) -> list[Command]:
        """The worker wants `count` items of the queue in all since its start."""
        worker = self.workers.get(wid)
        if worker is None:
            return []
        line = worker.lines.get(index) or self._line(worker, index)
        line.wanted = count
        if count > line.sent:
            line.want()
            return self._place(line.queue)
        if line.in_demand:
            # nobody waits there any more: nothing is sent, and nothing is recalled from others
            line.in_demand = False
            line.queue.demand.remove(line)
        return []

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
        closed, lines = self._close(worker, leases)
        for lease, parcel in closed:
            outputs = worker.outputs.pop(lease, [])
            if lease in worker.expired:
                self._late(worker, lease, parcel, commands)
            elif parcel.feed:
                commands.append(Finish(parcel, outputs, wid, seconds / len(closed)))
        for line in lines:
            line.measured(seconds)
            line.make_room()
            commands += self._place(line.queue)
        return commands

    def finished(self, wid: int, lease: int, output: Any, seconds: float) -> list[Command]:
        """`output` and `done` in one, for a cycle with one lease: what most cycles are."""
        worker = self.workers.get(wid)
        if worker is not None and worker.expired:
            if lease in worker.leases:
                worker.outputs.setdefault(lease, []).append(output)
            return self.done(wid, (lease,), seconds)
        parcel = worker.leases.pop(lease, None) if worker is not None else None
        if worker is None or parcel is None:
            return []
        line = worker.lines[parcel.queue]
        line.close(lease)
        outputs = worker.outputs.pop(lease, []) if worker.outputs else []
        outputs.append(output)
        line.measured(seconds)
        line.make_room()
        queue = line.queue
        commands: list[Command] = []
        if parcel.feed:
            commands.append(tuple.__new__(Finish, (parcel, outputs, wid, seconds)))
        if queue.waiting or queue.demand or queue.puts:
            commands += self._place(queue)
        return commands

    def finished_all(self, wid: int, lease: int, outputs: list[Any], seconds: float) -> list[Command] | None:
        """`finished` for consecutive leases from `lease` on, `seconds` for all of them.

        None, and nothing has changed, when they are no consecutive tickets of one feed, each with its only
        output: then it has to be told of each.
        """
        worker = self.workers.get(wid)
        if worker is None:
            return []
        count = len(outputs)
        parcel = worker.leases.get(lease)
        if parcel is None or not parcel.feed or worker.expired or worker.outputs:
            return None
        parcels = list(map(worker.leases.get, range(lease, lease + count)))
        feed, number = parcel.feed, parcel.number
        for other in parcels:
            if other is None or other.number != number or other.feed != feed or other.piece:
                return None
            number += 1
        for held in range(lease, lease + count):
            del worker.leases[held]
        line = worker.lines[parcel.queue]
        line.close_all(lease, count)
        line.measured(seconds / count)
        line.make_room()
        queue = line.queue
        commands: list[Command] = [tuple.__new__(FinishAll, (parcels, outputs, wid, seconds / count))]
        if queue.waiting or queue.demand or queue.puts:
            commands += self._place(queue)
        return commands

    def raised(self, wid: int, leases: Iterable[int], error: Any) -> list[Command]:
        """The worker raised: what it took in this cycle is tried again or given up."""
        worker = self.workers.get(wid)
        if worker is None:
            return []
        commands: list[Command] = []
        retried: list[Parcel] = []
        closed, lines = self._close(worker, leases)
        for lease, parcel in closed:
            worker.outputs.pop(lease, None)
            if lease in worker.expired:
                self._late(worker, lease, parcel, commands)
            elif parcel.feed in self._dropped or not parcel.feed:
                continue
            elif self._failed(parcel, RAISED, error, worker, commands):
                retried.append(parcel)
        for parcel in reversed(retried):
            self.queues[parcel.queue].waiting.appendleft(parcel)
        for line in lines:
            line.make_room()
            commands += self._place(line.queue)
        return commands

    def returned(self, wid: int, index: int, leases: Iterable[int]) -> list[Command]:
        """What the worker had not taken of the queue goes back to its head, in order: it answers a Recall."""
        worker = self.workers.get(wid)
        if worker is None:
            return []
        line = self._line(worker, index)
        queue = line.queue
        if line.recalls:
            line.recalls -= 1
        closed, _ = self._close(worker, leases)
        commands: list[Command] = []
        for lease, parcel in reversed(closed):
            line.sent -= 1
            line.asked_at = -1
            if lease in worker.expired:
                self._late(worker, lease, parcel, commands)
            elif parcel.feed not in self._dropped:
                queue.waiting.appendleft(parcel)
        # not at once to the one who gave it back, unless it waits for it
        line.step_back()
        if worker.leaving and closed:
            line.wanted = min(line.wanted, line.sent)  # else it would be sent there and back for ever
        if line.sent < line.wanted:
            line.want()
        return commands + self._place(queue)

    def recalled(self) -> list[Command]:
        """Ask every worker for what it has not taken."""
        lines = [line for worker in self.workers.values() for line in worker.lines.values() if line.open]
        return [self._placement.recall(line, len(line.open)) for line in lines]

    def paused(self, wid: int, paused: bool) -> list[Command]:
        """A worker that pauses gets nothing more, and is asked for what it has not taken."""
        worker = self.workers.get(wid)
        if worker is None or worker.paused == paused:
            return []
        worker.paused = paused
        commands: list[Command] = []
        for line in worker.lines.values():
            if not paused:
                line.make_room()
                if line.sent < line.wanted:
                    line.want()
                commands += self._place(line.queue)
            elif line.open:
                commands.append(self._placement.recall(line, len(line.open)))
        return commands

    def leaving(self, wid: int) -> None:
        """The worker is not called again. Its process lives on while its threads do, and they may ask."""
        if wid in self.workers:
            self.workers[wid].leave()

    def left(self, wid: int, *, followed: bool = False) -> list[Command]:
        """The worker has left; what it holds goes back to the queues.

        So does what is kept for its slot, unless it is `followed` by another worker there.
        """
        return self._gone(wid, None, blamed=False, followed=followed)

    def lost(self, wid: int, error: Any) -> list[Command]:
        """The process is gone. The oldest chunk at each queue was running: a death counts against it.

        Objects wait for the worker that follows it in its slot; `slot_closed` when none will.
        """
        return self._gone(wid, error, blamed=True)

    def slot_closed(self, slot: int) -> list[Command]:
        """No worker will follow in the slot: what waits for one goes back to the queues."""
        return [command for queue in self._release(slot) for command in self._place(queue)]

    def reminded(self, index: int) -> list[Command]:
        """The time of a Remind has passed."""
        return self._placement.reminded(self.queues[index])

    # what went wrong

    def expire(self, wid: int, lease: int, kind: str, error: Any, *, done: int = -1) -> bool:
        """The worker has taken too long (TIMED_OUT), or the chunk is CANCELLED: its outputs count no more.

        What becomes of the chunk is decided when the worker has let go of it or is gone. `done`: how many of
        its rows were through, if that is known exactly. False when the worker does not hold the lease.
        """
        worker = self.workers.get(wid)
        if worker is None or lease not in worker.leases:
            return False
        if kind == CANCELLED or lease not in worker.expired:
            worker.expired[lease] = Expiry(kind, error, done)
        return True

    def due(self, parcel: Parcel) -> list[Command]:
        """The time of a Later has passed: the chunk goes to another worker, if there is one."""
        queue = self.queues[parcel.queue]
        trials = parcel.trials
        if parcel not in queue.delayed or trials is None:
            return []
        line = self._placement.other(queue, trials.avoid)
        if line is None and trials.looks < LOOKS_MAX and _has_other(queue, trials.avoid):
            trials.looks += 1
            return [Later(parcel, LOOK)]
        del queue.delayed[parcel]
        if line is not None:
            return [self._placement.send(line, parcel), *self._place(queue)]
        queue.waiting.appendleft(parcel)
        return self._place(queue)

    def pieces(self, cut: Cut, bodies: Sequence[bytes]) -> list[Command]:
        """The chunk of a Cut in pieces, which go to the head of its queue."""
        queue = self.queues[cut.parcel.queue]
        if cut.parcel not in queue.delayed:
            return []  # it was dropped meanwhile
        del queue.delayed[cut.parcel]
        queue.waiting.extendleft(reversed(cut.parcel.cut(cut.points, bodies)))
        return self._place(queue)

    def uncut(self, cut: Cut) -> list[Command]:
        """The chunk of a Cut cannot be cut: its failure counts like that of a single row."""
        parcel, queue = cut.parcel, self.queues[cut.parcel.queue]
        trials = parcel.trials
        if parcel not in queue.delayed or trials is None:
            return []  # it was dropped meanwhile
        del queue.delayed[parcel]
        trials.whole = True
        over = trials.deaths > self.budget.deaths or trials.timeouts > self.budget.timeouts
        if over:
            return [GiveUp(parcel, cut.error, cut.wid), *self._place(queue)]
        commands: list[Command] = []
        if self._again(parcel, commands):
            queue.waiting.appendleft(parcel)
        return commands + self._place(queue)

    def _failed(
        self, parcel: Parcel, kind: str, error: Any, worker: Worker, commands: list[Command], done: int = -1
    ) -> bool:
        """Charge the chunk with a failure and see to what follows; True when it goes back at once."""
        verdict = self.budget.charge(parcel, kind, worker.slot)
        if verdict == OVER:
            commands.append(GiveUp(parcel, error, worker.wid))
        elif verdict == CUT:
            self.queues[parcel.queue].delayed[parcel] = None
            commands.append(Cut(parcel, cut_points(parcel.rows, done), kind, error, worker.wid))
        else:
            assert verdict == AGAIN
            return self._again(parcel, commands)
        return False

    def _again(self, parcel: Parcel, commands: list[Command]) -> bool:
        """The chunk will be tried again, after a while; True when it goes back at once."""
        # objects keep their order; and a worker of 1.0 leaves at the STOP row in the last list of its feeder:
        # nothing may come behind that one
        ordered = not parcel.feed or parcel.flags & LISTED
        failures = parcel.raises + parcel.deaths + parcel.timeouts
        seconds = 0.0 if ordered else self.delay(failures)
        if seconds <= 0:
            return True
        self.queues[parcel.queue].delayed[parcel] = None
        commands.append(Later(parcel, seconds))
        return False

    def _ambiguous(self, line: Line, parcel: Parcel) -> bool:
        """Whether the death may be the next chunk's fault, and there is no further try to find out.

        Workers report chunks of microseconds together. What was with a worker that died is CAREFUL from then
        on: all that was done before it is reported when it starts.
        """
        if self.budget.deaths or not parcel.feed or parcel.flags & CAREFUL:
            return False
        return sum(other.feed > 0 for other in line.open.values()) > 1

    def _late(self, worker: Worker, lease: int, parcel: Parcel, commands: list[Command]) -> None:
        """A worker has let go of a chunk that had expired."""
        expiry = worker.expired.pop(lease)
        if parcel.feed in self._dropped:
            return
        if self._failed(parcel, expiry.kind, expiry.error, worker, commands, expiry.done):
            self.queues[parcel.queue].waiting.appendleft(parcel)

    # questions

    def leased(self, feed: int) -> list[tuple[int, Parcel]]:
        """Who holds chunks of the feed: (wid, parcel)."""
        held = [(wid, parcel) for wid, worker in self.workers.items() for parcel in worker.leases.values()]
        return [(wid, parcel) for wid, parcel in held if parcel.feed == feed]

    def available(self, wid: int, index: int) -> bool:
        """Whether a get of the worker would be answered at once."""
        worker = self.workers.get(wid)
        if worker is None or worker.paused:
            return False
        return bool(self.queues[index].waiting) or self._placement.keeps(worker.slot, index)

    # inside

    def _line(self, worker: Worker, index: int) -> Line:
        line = worker.lines.get(index)
        if line is None:
            queue = self.queues[index]
            line = worker.lines[index] = queue.lines[worker.wid] = Line(worker, queue)
        return line

    @staticmethod
    def _close(worker: Worker, leases: Iterable[int]) -> tuple[list[tuple[int, Parcel]], list[Line]]:
        """Take what the worker holds of the leases out of its books; and of which lines that was."""
        closed: list[tuple[int, Parcel]] = []
        lines: list[Line] = []
        for lease in leases:
            parcel = worker.leases.pop(lease, None)
            if parcel is not None:
                closed.append((lease, parcel))
                line = worker.lines[parcel.queue]
                line.close(lease)
                if line not in lines:
                    lines.append(line)
        return closed, lines

    def _release(self, slot: int) -> list[Queue]:
        """Put what is kept for the slot back to the heads of its queues."""
        released = self._placement.release(slot)
        for index, objects in released.items():
            self.queues[index].waiting.extendleft(reversed(objects))
        return [self.queues[index] for index in released]

    def _gone(self, wid: int, error: Any, *, blamed: bool, followed: bool = False) -> list[Command]:
        worker = self.workers.pop(wid, None)
        if worker is None:
            return []
        commands: list[Command] = []
        # what was kept for the worker and not sent comes behind what was sent
        touched = [] if blamed or followed else self._release(worker.slot)
        # who was stopped because of one chunk did not die of another
        innocent = not blamed or worker.ending or bool(worker.expired)
        # objects are often kept for long, and are to blame only where nothing else can be
        chunks = any(parcel.feed for parcel in worker.leases.values())
        for index, line in worker.lines.items():
            queue = line.queue
            del queue.lines[wid]
            line.step_back()
            queue.surplus -= max(0, len(line.open) - 1)
            queue.in_flight -= len(line.open)
            line.leave()
            back: list[Parcel] = []
            again: list[Parcel] = []
            charged = innocent
            for lease, parcel in line.open.items():
                kind = ""
                expiry = worker.expired.get(lease)
                if expiry is not None:
                    kind = expiry.kind
                elif not charged and (parcel.feed or not chunks):
                    charged = True
                    kind = "" if self._ambiguous(line, parcel) else DIED
                if parcel.feed in self._dropped:
                    continue
                if blamed and parcel.feed:
                    parcel.flags |= CAREFUL
                done, blame = (-1, error) if expiry is None else (expiry.done, expiry.error)
                if kind and not self._failed(parcel, kind, blame, worker, commands, done):
                    continue
                (back if parcel.feed or not blamed else again).append(parcel)
            if again:
                self._placement.keep(worker.slot, index, again)
            queue.waiting.extendleft(reversed(back))
            if queue not in touched:
                touched.append(queue)
        for queue in touched:
            commands += self._place(queue)
        return commands


def _has_other(queue: Queue, avoid: int) -> bool:
    """Whether a worker of another slot takes from the queue."""
    return any(
        line.worker.slot != avoid and not line.worker.leaving and not line.worker.paused
        for line in queue.lines.values()
    )
