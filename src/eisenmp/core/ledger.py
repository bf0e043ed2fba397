"""Which chunk is where. Events come in as method calls, commands come out as lists; nothing here acts.

A chunk is in exactly one place: waiting in its queue, leased to one worker, or finished. It is written into
a worker's leases before the command to send it is given out, so that whatever happens to that worker
afterwards, the ledger knows what it held. Objects that users put travel the same way, without a ticket.
"""

from __future__ import annotations

from collections import deque

from .lines import Line, Queue, Worker
from .parcel import Accept, Command, Finish, GiveUp, Parcel, Recall, Remind, Send, Token
from .placement import Placement

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

__all__ = [
    "Accept", "Command", "Finish", "GiveUp", "Ledger", "Line", "Parcel", "Queue", "Recall", "Remind", "Send",
    "Token", "Worker",
]  # fmt: skip


class Ledger:
    """The state of all queues and workers. `deaths` and `raises` are how often a chunk may be tried again."""

    def __init__(self, *, deaths: int = 2, raises: int = 0) -> None:
        self.deaths = deaths
        self.raises = raises
        self.queues: dict[int, Queue] = {}
        self.workers: dict[int, Worker] = {}
        self._dropped: set[int] = set()  # feeds that were dropped while chunks of theirs were leased
        self._placement = Placement()
        self._place = self._placement.place

    @property
    def tokens(self) -> bool:
        """Whether workers that wait are told when all feeders of their queue have ended."""
        return self._placement.tokens

    @tokens.setter
    def tokens(self, tokens: bool) -> None:
        self._placement.tokens = tokens

    # what is put in

    def queue_made(self, index: int, maxsize: int) -> None:
        """`maxsize` bounds what waits in the manager; 0 or less is no bound."""
        self.queues[index] = Queue(index, maxsize)

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
        dropped = [parcel for parcel in queue.waiting if parcel.feed == feed]
        if dropped:
            queue.waiting = deque(parcel for parcel in queue.waiting if parcel.feed != feed)
        self._dropped = {known for known in (*self._dropped, feed) if self.leased(known)}
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
            if parcel.feed:
                commands.append(Finish(parcel, outputs, wid))
        for line in lines:
            line.measured(seconds)
            line.make_room()
            commands += self._place(line.queue)
        return commands

    def finished(self, wid: int, lease: int, output: Any, seconds: float) -> list[Command]:
        """`output` and `done` in one, for a cycle with one lease: what most cycles are."""
        worker = self.workers.get(wid)
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
            commands.append(tuple.__new__(Finish, (parcel, outputs, wid)))
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
            if parcel.feed and parcel.feed not in self._dropped:
                parcel.attempts += 1
                parcel.raises += 1
                if parcel.raises > self.raises:
                    commands.append(GiveUp(parcel, error, wid))
                else:
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
        for _, parcel in reversed(closed):
            line.sent -= 1
            line.asked_at = -1
            if parcel.feed not in self._dropped:
                queue.waiting.appendleft(parcel)
        # not at once to the one who gave it back, unless it waits for it
        line.step_back()
        if worker.leaving and closed:
            line.wanted = min(line.wanted, line.sent)  # else it would be sent there and back for ever
        if line.sent < line.wanted:
            line.want()
        return self._place(queue)

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

    def left(self, wid: int) -> list[Command]:
        """The worker returned something false and nobody follows it in its slot; what it holds goes back."""
        return self._gone(wid, None, blamed=False)

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

    def _gone(self, wid: int, error: Any, *, blamed: bool) -> list[Command]:
        worker = self.workers.pop(wid, None)
        if worker is None:
            return []
        commands: list[Command] = []
        # what was kept for the worker and not sent comes behind what was sent
        touched = [] if blamed else self._release(worker.slot)
        for index, line in worker.lines.items():
            queue = line.queue
            del queue.lines[wid]
            line.step_back()
            queue.surplus -= max(0, len(line.open) - 1)
            queue.in_flight -= len(line.open)
            if line.known:
                queue.credit -= line.credit.ahead
            back: list[Parcel] = []
            again: list[Parcel] = []
            charged = not blamed
            for parcel in line.open.values():
                if not parcel.feed:
                    (again if blamed else back).append(parcel)
                    continue
                if not charged:
                    charged = True
                    parcel.attempts += 1
                    parcel.deaths += 1
                if parcel.feed in self._dropped:
                    continue
                if parcel.deaths > self.deaths:
                    commands.append(GiveUp(parcel, error, wid))
                else:
                    back.append(parcel)
            if again:
                self._placement.keep(worker.slot, index, again)
            queue.waiting.extendleft(reversed(back))
            if queue not in touched:
                touched.append(queue)
        for queue in touched:
            commands += self._place(queue)
        return commands
