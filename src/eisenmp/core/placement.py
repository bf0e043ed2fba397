"""Who gets what waits: first those with an open get, then those who have room for a chunk ahead."""

from __future__ import annotations

from collections import deque

from .lines import FEW
from .parcel import Accept, Parcel, Recall, Remind, Send, SendAll, Token

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .lines import Line, Queue
    from .parcel import Command

TOGETHER_MAX = 32  #: chunks that are sent to a worker at once
TOGETHER_BYTES = 1 << 12  #: a larger chunk travels alone, so that it is not copied once more
RECALL_WORTH = 0.002  #: seconds of work that are worth a recall at once
SOON = 0.005  #: seconds until more workers are woken, should those who are awake be busy for longer
PATIENCE = 0.05  #: seconds that a worker waits while others may hold what is not worth that


class Placement:
    """Gives out what waits. Numbers the leases, and keeps what belongs to the next worker of a slot."""

    def __init__(self) -> None:
        self.patient = False  #: workers may leave with chunks in hand: others are told when all wait
        self.tokens = True  #: False: nobody is told that the feeders have ended
        self._lease = 0
        self._kept: dict[tuple[int, int], deque[Parcel]] = {}  # (slot, queue): objects, never empty

    # objects for the next worker of a slot

    def keep(self, slot: int, index: int, objects: list[Parcel]) -> None:
        """What a dead worker of the slot had taken and not finished waits for its replacement, in order."""
        self._kept.setdefault((slot, index), deque()).extendleft(reversed(objects))

    def keeps(self, slot: int, index: int) -> bool:
        return (slot, index) in self._kept

    def release(self, slot: int) -> dict[int, deque[Parcel]]:
        """No worker will follow in the slot: its objects by queue."""
        return {key[1]: self._kept.pop(key) for key in list(self._kept) if key[0] == slot}

    # placing

    def place(self, queue: Queue, *, more: int = 0) -> list[Command]:
        """Give out what waits, to those who want it; let waiting puts in.

        `more`: workers that may be busy, besides the few, where chunks are tiny.
        """
        commands: list[Command] = []
        waiting = queue.waiting
        share = 0
        if self._kept and queue.demand:
            self._place_kept(queue, commands)
        while True:
            if queue.puts:
                self._let_in(queue, commands)
            if not waiting:
                break
            if queue.few and waiting[0].feed and queue.is_crowd(more) and self._first(queue) is not None:
                if self._serve_latest(queue, commands):
                    continue
                # should those who are busy take longer this time, others get it soon
                self._remind(queue, commands, SOON)
                break
            line = self._next(queue, waiting[0].feed > 0)
            if line is None:
                break
            share = share or queue.share
            if share > 1 and (count := line.up_to(share)) > 1:
                commands.append(self._send_several(line, count))
            else:
                commands.append(self.send(line, waiting.popleft()))
        if queue.demand and not waiting:
            self._starving(queue, commands)
        return commands

    def reminded(self, queue: Queue) -> list[Command]:
        """If anyone still waits, it gets what waits, or all that others have not taken is recalled."""
        queue.reminding = False
        if queue.waiting:
            return self.place(queue, more=queue.busy)
        if not queue.starving:
            return []
        return [self.recall(line, len(line.open)) for line in queue.lines.values() if line.may_hold]

    def other(self, queue: Queue, avoid: int) -> Line | None:
        """Who could be sent a chunk now and is not in the slot `avoid`: never past an open get."""
        for line in queue.demand:
            if line.waits and line.worker.slot != avoid:
                return line
        if not any(line.waits for line in queue.demand):
            for line in queue.roomy:
                worker = line.worker
                if len(line.open) <= line.credit.ahead and not worker.paused and worker.slot != avoid:
                    return line
        return None

    @staticmethod
    def recall(line: Line, count: int) -> Recall:
        line.asked_at = line.sent
        line.recalls += 1
        return Recall(line.worker.wid, line.queue.index, count)

    @staticmethod
    def _let_in(queue: Queue, commands: list[Command]) -> None:
        while queue.puts and not queue.full:
            put, parcel = queue.puts.popleft()
            queue.waiting.append(parcel)
            commands.append(Accept(put))

    @staticmethod
    def _first(queue: Queue) -> Line | None:
        """Who waits longest."""
        demand = queue.demand
        while demand:
            line = demand[0]
            if line.sent < line.wanted and not line.worker.paused:
                return line
            demand.popleft()
            line.in_demand = False
        return None

    @staticmethod
    def _next(queue: Queue, chunk: bool) -> Line | None:
        """Who gets the next parcel: first who waits for it, then who has room ahead (chunks only)."""
        line = Placement._first(queue)
        if line is not None:
            return line
        roomy = queue.roomy
        while chunk and roomy:
            line = roomy[0]
            if len(line.open) <= line.credit.ahead and not line.worker.paused:
                return line
            roomy.popleft()
            line.in_roomy = False
        return None

    def _serve_latest(self, queue: Queue, commands: list[Command]) -> bool:
        """Give its share to who has just ended a cycle, and is awake; False when it has enough."""
        line = queue.latest
        if line is None or line.worker.paused or line.worker.leaving:
            return False
        waiting = queue.waiting
        count = min(line.credit.ahead + 1 - len(line.open), len(waiting))
        if count < 1:
            return False
        if count > 1:
            commands.append(self._send_several(line, count))
        else:
            commands.append(self.send(line, waiting.popleft()))
        return True

    @staticmethod
    def _remind(queue: Queue, commands: list[Command], seconds: float) -> None:
        if not queue.reminding:
            queue.reminding = True
            commands.append(Remind(queue.index, seconds))

    def send(self, line: Line, parcel: Parcel) -> Send:
        """Lease the parcel to the worker."""
        self._lease = lease = self._lease + 1
        line.lease(lease, parcel)
        # for each chunk: past the __new__ of the named tuple, which is written in Python
        return tuple.__new__(Send, (line.worker.wid, parcel))

    def _send_several(self, line: Line, count: int) -> Send | SendAll:
        """Lease up to so many parcels to the worker: as far as their tickets follow each other."""
        waiting = line.queue.waiting
        parcel = waiting.popleft()
        feed, flags, number = parcel.feed, parcel.flags, parcel.number
        parcels = [parcel]
        count = min(count, TOGETHER_MAX) if feed and _is_plain(parcel) else 1
        while len(parcels) < count:
            parcel = waiting[0]
            body = parcel.body
            number += 1
            if (
                parcel.number != number
                or parcel.feed != feed
                or parcel.flags != flags
                or body.__class__ is not bytes  # `_is_plain`, without a call for each chunk
                or len(body) > TOGETHER_BYTES
            ):
                break
            parcels.append(waiting.popleft())
        if len(parcels) == 1:
            return self.send(line, parcels[0])
        lease = self._lease + 1
        self._lease += len(parcels)
        line.lease_all(lease, parcels)
        return SendAll(line.worker.wid, parcels)

    def _place_kept(self, queue: Queue, commands: list[Command]) -> None:
        """What is kept for the worker of a slot comes first for it."""
        for line in [line for line in queue.demand if line.waits]:
            key = (line.worker.slot, queue.index)
            kept = self._kept.get(key)
            if kept is None:
                continue
            queue.demand.remove(line)
            queue.demand.appendleft(line)
            while kept and line.sent < line.wanted:
                commands.append(self.send(line, kept.popleft()))
            if not kept:
                del self._kept[key]

    def _starving(self, queue: Queue, commands: list[Command]) -> None:
        """Workers wait and there is nothing: recall what others hold ahead, else say that it is the end.

        At the end of all feeders of the queue every worker that waits is told so once, unless something was
        recalled that it can have.
        """
        # where nobody has more than one parcel, a look now and then is enough: the reminder has one
        look = queue.surplus or (queue.in_flight and not queue.reminding)
        tell = queue.ended and self.tokens and not queue.delayed
        if not (look or tell) or not queue.starving:
            return
        if look and queue.reminding and FEW * max(1, queue.looks) < len(queue.lines):
            # the last look at all lines was in vain, and the next one will not be left out
            queue.looks += 1
            look = 0
        if look and self._recall(queue, commands):
            return
        if self.patient and any(line.open and not line.waits for line in queue.lines.values()):
            return
        # who holds more than it is busy with may leave, and what it gives back needs somebody
        if tell and not any(
            line.recalls or (line.may_hold and len(line.open) > 1) for line in queue.lines.values()
        ):
            for line in [line for line in queue.demand if line.token_due and line.waits]:
                line.token_due = False
                line.sent += 1
                if line.sent >= line.wanted:
                    line.in_demand = False
                    queue.demand.remove(line)
                commands.append(Token(line.worker.wid, queue.index))

    def _recall(self, queue: Queue, commands: list[Command]) -> bool:
        """Recall half of what the fullest worker holds ahead, if that is worth it; whether it is.

        Else a Remind sees to it that nobody waits for long behind a chunk that takes longer than the others.
        """
        queue.looks = 0
        fullest: Line | None = None
        most = 0
        later = False
        for line in queue.lines.values():
            if line.may_hold:
                spare, seconds = line.spare, line.credit.seconds
                if spare > most and (not seconds or spare * seconds > RECALL_WORTH):
                    fullest, most = line, spare
                later = True
        if fullest is not None:
            commands.append(self.recall(fullest, (most + 1) // 2))
        elif later:
            self._remind(queue, commands, PATIENCE)
        return fullest is not None


def _is_plain(parcel: Parcel) -> bool:
    """Whether it may travel with others: what has buffers elsewhere is more than its bytes."""
    body = parcel.body
    return body.__class__ is bytes and len(body) <= TOGETHER_BYTES
