"""A worker process as the ledger sees it: the inboxes, gets and cycles of `eisenmp.child.channel`, no thread.

Messages wait in two rows, `up` and `down`, each first in first out, so that they can cross. `main` is the
thread that calls the worker: what it takes belongs to the cycle. A mate is a thread that takes and is done.
"""

from __future__ import annotations

from collections import Counter, deque
from typing import NamedTuple

from eisenmp.core.ledger import Parcel


class Item(NamedTuple):
    """What an inbox holds; a token has no parcel and the lease 0."""

    lease: int
    parcel: Parcel | None


class Want(NamedTuple):
    queue: int
    total: int


class AskNow(NamedTuple):
    queue: int


class Output(NamedTuple):
    lease: int
    body: object


class Final(NamedTuple):
    """The last output of a cycle with one lease, and its end."""

    lease: int
    body: object
    seconds: float
    leaving: bool = False


class Done(NamedTuple):
    leases: tuple[int, ...]
    seconds: float
    leaving: bool = False


class Raised(NamedTuple):
    leases: tuple[int, ...]


class Back(NamedTuple):
    queue: int
    leases: tuple[int, ...]


class Pause(NamedTuple):
    paused: bool


class Left(NamedTuple):
    pass


class Lost(NamedTuple):
    """Not said by the process: the end of its line, behind everything that it said."""


Up = Want | AskNow | Output | Final | Done | Raised | Back | Pause | Left | Lost


class Deliver(NamedTuple):
    queue: int
    item: Item


class GiveBack(NamedTuple):
    queue: int
    most: int


class Answer(NamedTuple):
    queue: int
    is_there: bool


Down = Deliver | GiveBack | Answer


class Inbox:
    """What the manager has sent from one queue, and how much the threads here have asked for."""

    def __init__(self) -> None:
        self.items: deque[Item] = deque()
        self.taken = 0
        self.waiting = 0
        self.wanted = 0


class Process:
    """One worker; `running` until it is killed or has left."""

    def __init__(self, wid: int, slot: int, queues: int) -> None:
        self.wid = wid
        self.slot = slot
        self.up: deque[Up] = deque()
        self.down: deque[Down] = deque()
        self.inboxes = [Inbox() for _ in range(queues)]
        self.cycle: list[Item] = []
        self.held: Output | None = None  # the last output: it can carry the end of the cycle
        self.main_at: int | None = None  # the queue that the main thread waits at
        self.mates_at: Counter[int] = Counter()
        self.asking: int | None = None  # the queue that the main thread asks about and waits for the answer
        self.paused = False
        self.running = True
        self.left = False

    @property
    def main_is_free(self) -> bool:
        return self.running and not self.left and self.main_at is None and self.asking is None

    @property
    def may_take(self) -> bool:
        """Whether the main thread may call get: a paused worker ends its cycle first."""
        return self.main_is_free and (not self.paused or bool(self.cycle))

    @property
    def beyond_recall(self) -> set[Parcel]:
        """What runs, and what lies before a token in an inbox: it is given back up to there."""
        found = [item.parcel for item in self.cycle]
        for inbox in self.inboxes:
            tokens = [place for place, item in enumerate(inbox.items) if not item.lease]
            found += [item.parcel for item in list(inbox.items)[: max(tokens, default=0)]]
        return {parcel for parcel in found if parcel is not None}

    # taking

    def get(self, queue: int, *, mate: bool = False) -> None:
        """Take what is here, or wait for it."""
        inbox = self.inboxes[queue]
        if inbox.items:
            inbox.taken += 1
            self._took(queue, inbox.items.popleft(), mate)
            return
        if mate:
            self.mates_at[queue] += 1
        else:
            self.main_at = queue
        inbox.waiting += 1
        self._want(queue, inbox.taken + inbox.waiting)

    def wake(self, queue: int) -> None:
        """A thread that waits at the queue looks into the inbox; the main thread first."""
        inbox = self.inboxes[queue]
        if not inbox.items:
            self._want(queue, inbox.taken + inbox.waiting)
            return
        mate = self.main_at != queue
        inbox.taken += 1
        item = inbox.items.popleft()
        self._stop_waiting(queue, mate)
        self._took(queue, item, mate)

    def time_out(self, queue: int) -> None:
        """A thread that waits at the queue gives up, unless something is there."""
        if self.inboxes[queue].items:
            self.wake(queue)
        else:
            self._stop_waiting(queue, self.main_at != queue)

    def poll(self, queue: int) -> None:
        """`empty()` at a queue that feeders fill: asks for one item and does not wait."""
        inbox = self.inboxes[queue]
        if not inbox.items and inbox.wanted <= inbox.taken:
            self._want(queue, inbox.taken + 1)

    def ask_now(self, queue: int) -> None:
        """`get_nowait()`: the main thread waits for the answer."""
        if self.inboxes[queue].items:
            self.get(queue)
        else:
            self.asking = queue
            self.up.append(AskNow(queue))

    def waits_at(self, queue: int) -> bool:
        return self.inboxes[queue].waiting > 0

    def may_wake(self, queue: int) -> bool:
        """Whether a thread waits that finds something, or has to ask anew: another took what came for it."""
        inbox = self.inboxes[queue]
        return inbox.waiting > 0 and (bool(inbox.items) or inbox.wanted < inbox.taken + inbox.waiting)

    def _stop_waiting(self, queue: int, mate: bool) -> None:
        inbox = self.inboxes[queue]
        if mate:
            self.mates_at[queue] -= 1
        else:
            self.main_at = None
        inbox.waiting -= 1
        needed = inbox.taken + inbox.waiting + len(inbox.items)
        if inbox.wanted > needed:
            inbox.wanted = needed
            self.up.append(Want(queue, needed))

    def _want(self, queue: int, count: int) -> None:
        inbox = self.inboxes[queue]
        if count > inbox.wanted:
            inbox.wanted = count
            self.up.append(Want(queue, count))

    def _took(self, queue: int, item: Item, mate: bool) -> None:
        if mate:
            if item.lease:
                self.up.append(Done((item.lease,), 0.0))
        elif item.lease:
            self.cycle.append(item)

    # the cycle

    def output(self, which: int, body: object) -> None:
        if self.held is not None:
            self.up.append(self.held)
        self.held = Output(self.cycle[which % len(self.cycle)].lease, body)

    def end_cycle(self, seconds: float, leaving: bool = False) -> None:
        """`leaving`: the worker will not be called again."""
        leases = tuple(item.lease for item in self.cycle)
        if self.held is not None and len(leases) == 1:
            self.up.append(Final(self.held.lease, self.held.body, seconds, leaving))
        elif leases:
            if self.held is not None:
                self.up.append(self.held)
            self.up.append(Done(leases, seconds, leaving))
        self.cycle, self.held = [], None

    def fail_cycle(self) -> None:
        self.up.append(Raised(tuple(item.lease for item in self.cycle)))
        self.cycle, self.held = [], None

    def pause(self, paused: bool) -> None:
        """A mate pauses or resumes the worker."""
        self.paused = paused
        if paused:
            self._give_back_all()
        self.up.append(Pause(paused))

    def leave(self) -> None:
        """The worker is not called again; its mates go on. A cycle that did not end is not done."""
        if self.main_at is not None:
            self._stop_waiting(self.main_at, mate=False)
        self._give_back_all()
        self.up.append(Left())
        self.left = True
        self.held = None

    def die(self, unsent: int) -> None:
        """Killed: the last messages may not have been written, and nothing reaches it any more."""
        if not self.left:
            for _ in range(min(unsent, len(self.up))):
                self.up.pop()
        self.up.append(Lost())
        self.down.clear()
        self.running = False

    # what arrives

    def hear(self) -> None:
        """The next message of the manager arrives."""
        message = self.down.popleft()
        if isinstance(message, Deliver):
            self.inboxes[message.queue].items.append(message.item)
            if self.left and message.item.lease:
                self._give_back(message.queue, len(self.inboxes[message.queue].items))
        elif isinstance(message, GiveBack):
            self._give_back(message.queue, message.most)
        else:
            self.asking = None
            if message.is_there and not self.left:
                self.get(message.queue)
                if self.main_at is not None:
                    self.time_out(message.queue)

    def _give_back_all(self) -> None:
        for queue, inbox in enumerate(self.inboxes):
            self._give_back(queue, len(inbox.items))

    def _give_back(self, queue: int, count: int) -> None:
        inbox = self.inboxes[queue]
        # a thread here that waits for an item has it as good as taken
        count = min(count, len(inbox.items) - inbox.waiting)
        back: list[Item] = []
        while len(back) < count:
            item = inbox.items.pop()
            if not item.lease:
                inbox.items.append(item)
                break
            back.append(item)
        self.up.append(Back(queue, tuple(item.lease for item in reversed(back))))
