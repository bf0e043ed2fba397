"""Who waits for what, as the manager was told: nothing goes past a get, no token comes too early."""

from __future__ import annotations

from collections import Counter

from ..core import messages as m
from .violation import check

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from ..core.ledger import Ledger, Parcel, Worker
    from ..core.messages import Message

    At = tuple[int, int]  # wid, queue


class Gets:
    """Counts of what each worker wants of each queue, and has been given."""

    def __init__(self) -> None:
        self._wanted: Counter[At] = Counter()
        self._given: Counter[At] = Counter()
        self._recalls: Counter[At] = Counter()
        self._told: dict[At, int] = {}
        self._paused: set[int] = set()
        self._returning: set[int] = set()  # workers that are not called again

    # what the manager hears

    def heard(self, wid: int, message: Message, ledger: Ledger) -> None:
        kind, at = message.kind, (wid, message.queue)
        if kind == m.WANT:
            self._wanted[at] = message.b
        elif kind == m.ASK and message.b == m.ASK_NOW:
            if ledger.available(wid, message.queue):
                self._wanted[at] = self._given[at] + 1
        elif kind == m.REQUEST and message.a in (m.ORDER_PAUSE, m.ORDER_RESUME):
            (self._paused.add if message.a == m.ORDER_PAUSE else self._paused.discard)(wid)
        elif kind == m.LEFT or (kind in (m.OUTPUT, m.DONE) and message.flags & m.LEAVING):
            self._returning.add(wid)

    def returned(self, wid: int, queue: int, count: int) -> None:
        """So many parcels came back that it was given."""
        at = wid, queue
        self._recalls[at] = max(0, self._recalls[at] - 1)
        self._given[at] -= count
        if count and wid in self._returning:
            self._wanted[at] = min(self._wanted[at], self._given[at])

    def gone(self, wid: int) -> None:
        for counts in (self._wanted, self._given, self._recalls):
            for at in [at for at in counts if at[0] == wid]:
                del counts[at]
        self._paused.discard(wid)

    # what the manager says

    def waits(self, wid: int, queue: int) -> bool:
        at = wid, queue
        return self._wanted[at] > self._given[at] and wid not in self._paused

    def leased(self, worker: Worker, parcel: Parcel, held: Iterable[Parcel], ledger: Ledger) -> None:
        """`held` is what the worker had before."""
        queue, wid, workers = parcel.queue, worker.wid, ledger.workers.values()
        check(wid not in self._paused and not worker.paused, "nothing is sent to who pauses", f"worker {wid}")
        if not self.waits(wid, queue):
            check(parcel.feed, "objects are never ahead of a get", f"worker {wid}")
            count = sum(other.queue == queue for other in held)
            ahead = worker.lines[queue].credit.ahead
            check(count <= ahead, "ahead within the credit", f"{count} for worker {wid}")
            check(wid not in self._returning, "nothing is ahead at who leaves", f"worker {wid}")
            past = [other.wid for other in workers if not other.paused and self.waits(other.wid, queue)]
            books = ledger.queues[queue]
            enough = 0 < books.few <= books.busy and books.brisk  # to wake another one would only disturb
            check(enough or not past, "never past another worker's open get", f"to worker {wid} past {past}")
        self._given[wid, queue] += 1

    def recalled(self, wid: int, queue: int) -> None:
        self._recalls[wid, queue] += 1

    def told(self, wid: int, queue: int, feeds: int) -> None:
        """A token; `feeds` counts all that were ever opened."""
        at = wid, queue
        check(self.waits(wid, queue), "a token answers an open get", f"worker {wid}")
        check(self._told.get(at) != feeds, "one token for each worker", f"worker {wid}")
        unanswered = [key[0] for key, count in self._recalls.items() if count and key[1] == queue]
        check(not unanswered, "no token while something may come back", f"from workers {unanswered}")
        self._told[at] = feeds
        self._given[at] += 1
