"""The books of the ledger: queues, workers, and one line for each worker at each queue."""

from __future__ import annotations

from collections import deque

from .credit import REMEMBERING, SHORTEST, Credit
from .messages import LISTED

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from .parcel import Parcel


FEW = 16  #: lines that are looked at one by one whenever a chunk moves


class Expiry:
    """Why a lease is over before the worker says so: it took too long, or was cancelled."""

    __slots__ = ("done", "error", "kind")

    def __init__(self, kind: str, error: Any, done: int) -> None:
        self.kind = kind
        self.error = error
        self.done = done  #: rows that were through, when that is known exactly; else -1


class Worker:
    """One process: its leases over all queues."""

    __slots__ = ("ending", "expired", "leases", "leaving", "lines", "outputs", "paused", "slot", "wid")

    def __init__(self, wid: int, slot: int) -> None:
        self.wid = wid
        self.slot = slot
        self.leases: dict[int, Parcel] = {}
        self.ending = False  # its process is being ended because of one of its chunks
        self.outputs: dict[int, list[Any]] = {}
        self.expired: dict[int, Expiry] = {}  # leases whose chunk is not wanted from here any more
        self.lines: dict[int, Line] = {}
        self.paused = False
        self.leaving = False  # is not called again; its threads may ask for something

    def leave(self) -> None:
        """Get nothing ahead any more."""
        self.leaving = True
        for line in self.lines.values():
            line.keep_clear()


class Queue:
    """What waits in the manager, and who wants it."""

    __slots__ = (
        "credit", "delayed", "demand", "fed", "feeds", "few", "in_flight", "index", "known", "latest",
        "lines", "looks", "maxsize", "puts", "reminding", "roomy", "seconds", "surplus", "waiting",
    )  # fmt: skip

    def __init__(self, index: int, maxsize: int) -> None:
        self.index = index
        self.maxsize = maxsize
        self.waiting: deque[Parcel] = deque()
        self.delayed: dict[Parcel, None] = {}  # to be tried again after a while, or being cut; in this order
        self.demand: deque[Line] = deque()  # lines with an open get, who waits longest first
        self.roomy: deque[Line] = deque()  # lines that may be sent a chunk ahead
        self.puts: deque[tuple[object, Parcel]] = deque()
        self.feeds: set[int] = set()  # that have not ended
        self.fed = False
        self.lines: dict[int, Line] = {}
        self.in_flight = 0
        self.surplus = 0  # leases beyond the one that each worker is busy with
        self.credit = 0  # of all lines that take chunks from this queue
        self.few = 0  # workers that are enough for chunks which take less than waking another one; 0: all
        self.known = 0  # of the lines: have taken chunks from this queue
        self.latest: Line | None = None  # that has ended a cycle: its worker is awake
        self.seconds = 0.0  # that a chunk takes, for all workers; 0 when nothing was measured
        self.reminding = False  # a Remind is on its way
        self.looks = 0  # for something to recall that were left out since one was in vain

    @property
    def full(self) -> bool:
        return 0 < self.maxsize <= len(self.waiting)

    @property
    def at_once(self) -> int:
        """How many chunks are sent at once if they are offered now, at least."""
        if self.waiting:
            return 0
        if self.few and self.is_crowd():
            latest = self.latest
            return latest.takes if latest is not None else 0
        lines = self.lines
        if len(lines) > FEW:
            # for each chunk: not by a look at all of them
            return max(len(self.demand), self.credit - self.in_flight)
        return sum(line.takes for line in list(lines.values()))  # also read by threads of feeders

    @property
    def share(self) -> int:
        """How many of the chunks that wait each of those who take some should have."""
        return -(-len(self.waiting) // max(1, len(self.roomy), len(self.demand)))

    @property
    def brisk(self) -> bool:
        """Whether to wake a worker takes about as long as a chunk."""
        return 0.0 < self.seconds <= 2 * SHORTEST

    def is_crowd(self, more: int = 0) -> bool:
        """Whether enough workers are awake for chunks that are tiny: the few, and `more` of them."""
        # who has just come gets something at once
        return self.brisk and self.busy >= self.few + more and self.known == len(self.lines)

    @property
    def hungry(self) -> bool:
        """Whether nothing would happen by itself: a worker waits that is to be woken, or none is busy."""
        if not self.in_flight:
            return True
        return bool(self.demand) and not (self.few and self.is_crowd())

    @property
    def busy(self) -> int:
        """How many workers have something of this queue."""
        return self.in_flight - self.surplus

    @property
    def ended(self) -> bool:
        return self.fed and not self.feeds

    @property
    def starving(self) -> bool:
        """Whether a worker waits for a parcel that is not there."""
        return not self.waiting and any(line.waits for line in self.demand)


class Line:
    """One worker at one queue."""

    __slots__ = (
        "asked_at", "credit", "in_demand", "in_roomy", "known", "open", "queue", "recalls", "sent",
        "token_due", "trial", "wanted", "worker",
    )  # fmt: skip

    def __init__(self, worker: Worker, queue: Queue) -> None:
        self.worker = worker
        self.queue = queue
        self.sent = 0  # items and tokens since the worker's start
        self.wanted = 0  # as many as the worker has asked for since its start
        self.open: dict[int, Parcel] = {}  # leases, oldest first
        self.credit = Credit()
        self.known = False  # has taken chunks from this queue before
        self.trial = False  # has taken its first chunk of 1.0's door: it may be a server, and never come back
        self.in_demand = False
        self.in_roomy = False
        self.asked_at = -1  # `sent` when parcels were recalled last: not twice for the same ones
        self.recalls = 0  # that are not answered
        self.token_due = True

    @property
    def waits(self) -> bool:
        """Whether there is an open get that may be answered."""
        return self.sent < self.wanted and not self.worker.paused

    @property
    def takes(self) -> int:
        """How many chunks may be sent now: as many as are wanted, or as there is room for."""
        if self.worker.paused:
            return 0
        room = self.credit.ahead + 1 - len(self.open) if self.in_roomy else 0
        return max(0, room, self.wanted - self.sent)

    @property
    def may_hold(self) -> bool:
        """Whether a Recall could bring something back that the last one did not."""
        # also from one that waits: a thread there may have asked and never come to take
        return bool(self.open) and self.asked_at != self.sent and not self.recalls

    @property
    def spare(self) -> int:
        """How many parcels the worker has probably not taken: what it asked for and what runs is left out."""
        leases = len(self.open)
        if len(self.worker.leases) == leases:
            leases -= 1  # else it may be busy with a chunk of another queue
        return min(leases, self.sent - self.wanted)

    def up_to(self, count: int) -> int:
        """How many chunks may be sent now, `count` at most; none ahead while others have an open get."""
        if not self.known:
            return 1
        if len(self.queue.demand) > self.in_demand:
            return min(self.wanted - self.sent, count, len(self.queue.waiting))
        return min(self.takes, count, len(self.queue.waiting))

    def want(self) -> None:
        """Stand in the row of those who wait."""
        if not self.in_demand:
            self.in_demand = True
            self.queue.demand.append(self)

    def make_room(self) -> None:
        """Stand in the row of those who may be sent something ahead, if there is room for it."""
        if self.known and not self.in_roomy and len(self.open) <= self.credit.ahead:
            self.in_roomy = True
            self.queue.roomy.append(self)

    def keep_clear(self) -> None:
        """Nothing is sent ahead here any more."""
        self.leave()
        self.trial = False
        if self.in_roomy:
            self.in_roomy = False
            self.queue.roomy.remove(self)

    def leave(self) -> None:
        """It does not count among those who take chunks any more."""
        queue = self.queue
        if self.known:
            self.known = False
            queue.credit -= self.credit.ahead
            queue.known -= 1
        if queue.latest is self:
            queue.latest = None

    def step_back(self) -> None:
        """Leave both rows: nothing is sent now but what it asks for anew."""
        if self.queue.latest is self:
            self.queue.latest = None
        if self.in_demand:
            self.in_demand = False
            self.queue.demand.remove(self)
        if self.in_roomy:
            self.in_roomy = False
            self.queue.roomy.remove(self)

    def lease(self, lease: int, parcel: Parcel) -> None:
        """The parcel is the worker's until it says otherwise."""
        queue, leases = self.queue, self.open
        parcel.lease = lease
        self.worker.leases[lease] = parcel
        if leases:
            queue.surplus += 1
        leases[lease] = parcel
        queue.in_flight += 1
        self.sent += 1
        if not self.known and parcel.feed and not self.worker.leaving:
            if parcel.flags & LISTED:
                self.trial = True
            else:
                self._become_known()
        self._served()

    def lease_all(self, lease: int, parcels: list[Parcel]) -> None:
        """The same for several chunks, under consecutive leases; only for who has taken chunks before."""
        queue, leases = self.queue, self.open
        for number, parcel in enumerate(parcels, lease):
            parcel.lease = number
            leases[number] = self.worker.leases[number] = parcel
        count = len(parcels)
        queue.surplus += count if len(leases) > count else count - 1
        queue.in_flight += count
        self.sent += count
        self._served()

    def _served(self) -> None:
        """Something was sent: take the place in the rows that follows from it."""
        queue, leases = self.queue, self.open
        if self.in_demand and self.sent >= self.wanted and queue.demand[0] is self:
            queue.demand.popleft()
            self.in_demand = False
        if self.in_roomy:
            # the next one goes to the next line; this one stands at the end again if it has room left
            roomy = queue.roomy
            if roomy[0] is self:
                roomy.popleft()
                if len(leases) <= self.credit.ahead:
                    roomy.append(self)
                else:
                    self.in_roomy = False
        else:
            self.make_room()

    def close(self, lease: int) -> None:
        """The lease is over; the worker has it no more in its books."""
        queue, leases = self.queue, self.open
        del leases[lease]
        queue.in_flight -= 1
        if leases:
            queue.surplus -= 1

    def close_all(self, lease: int, count: int) -> None:
        """So many leases from this one on are over."""
        queue, leases = self.queue, self.open
        for number in range(lease, lease + count):
            del leases[number]
        queue.in_flight -= count
        queue.surplus -= count if leases else count - 1

    def measured(self, seconds: float) -> None:
        """A cycle with chunks of this queue took so long."""
        queue = self.queue
        change = self.credit.measured(seconds)
        if change and self.known:
            queue.credit += change
        usual = queue.seconds
        queue.seconds = usual + (seconds - usual) * REMEMBERING if usual else seconds
        queue.latest = self
        if self.trial:
            self._become_known()

    def _become_known(self) -> None:
        self.known, self.trial = True, False
        self.queue.credit += self.credit.ahead
        self.queue.known += 1
