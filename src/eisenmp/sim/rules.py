"""What must hold after every step of a run, whatever goes wrong in it."""

from __future__ import annotations

from collections import Counter

from ..core import messages as m
from ..core.credit import CREDIT_MAX
from ..core.ledger import Accept, Finish, GiveUp, Recall, Remind, Send, Token
from ..manager.feeder import BATCH_MAX
from ..wire.pickles import loads
from .trace import leases

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

    from ..child.channel import Item
    from ..core.ledger import Command, Parcel
    from ..core.messages import Message
    from ..manager.feed import Feed
    from .process import Process
    from .simulation import Simulation

    Chunk = tuple[int, int]  # feed serial, number

MOVES_MAX = 200  #: times that one chunk is sent


class Violation(AssertionError):
    """The rule of this name was broken."""

    def __init__(self, rule: str, text: object = "") -> None:
        super().__init__(f"{rule}: {text}" if text != "" else rule)
        self.rule = rule


class Rules:
    """Keeps a second book, from what processes truly did and from what the manager hears and says."""

    def __init__(self, simulation: Simulation) -> None:
        self._simulation = simulation
        # what processes did
        self._alive: dict[int, Process] = {}
        self._dead: set[int] = set()  # truly
        self._settled: set[int] = set()  # of whose death the manager knows
        self._taken: dict[int, int] = {}  # lease -> wid, taken by a thread of the worker
        self._ended: dict[int, int] = {}  # lease -> outputs of its cycle that came to its end
        self._raised: set[int] = set()  # leases whose cycle raised
        # what the manager said
        self._held: dict[int, dict[int, Parcel]] = {}  # wid -> leases that it was given, oldest first
        self._last_lease = 0
        self._last_sent: dict[int, int] = {}  # wid -> lease of the chunk that went out last
        self._first: dict[int, int] = {}  # feed -> the highest number that was given to anybody
        self._moves: Counter[Chunk] = Counter()
        self._deaths: Counter[Chunk] = Counter()  # that nobody asked for, with it the oldest
        self._leaving: set[int] = set()  # who was told to leave, or said that it does
        self._raises: Counter[Chunk] = Counter()
        self._over: dict[Chunk, str] = {}
        self._tokens: set[tuple[int, int]] = set()
        self._reminders: Counter[int] = Counter()

    # names

    def name(self, item: Item | Parcel) -> str:
        """What a parcel is called in the trace."""
        if not item.feed:
            return f"an object (lease {item.lease})"
        return f"ticket {item.number} of {self._simulation.feed_name(item.feed)} (lease {item.lease})"

    def _check(self, holds: object, rule: str, item: Item | Parcel) -> None:
        if not holds:
            past = self._over.get((item.feed, item.number))
            raise Violation(rule, self.name(item) + (f", {past}" if past else ""))

    # what processes do

    def started(self, process: Process) -> None:
        check(process.wid not in self._held, "a process has a number of its own", process.wid)
        self._alive[process.wid] = process
        self._held[process.wid] = {}

    def died(self, process: Process) -> None:
        self._alive.pop(process.wid, None)
        self._dead.add(process.wid)

    def took(self, process: Process, item: Item, *, mate: bool) -> None:
        if item.lease:
            self._check(item.lease not in self._taken, "a lease is taken once", item)
            self._taken[item.lease] = process.wid
            if mate:
                self._ended[item.lease] = 0

    def check_rows(self, item: Item, rows: Any) -> None:
        """What the worker was sent is what was cut under that number."""
        if item.feed:
            size = self._simulation.rows_max(item.feed)
            first = item.number * size
            expected = list(range(first, first + len(rows)))
            self._check(list(rows) == expected, "rows come as they were cut", item)

    def cycle_ended(self, process: Process, ended: Iterable[int], sent: dict[int, int]) -> None:
        for lease in ended:
            self._ended[lease] = sent.get(lease, 0)

    def raised(self, process: Process, raised: Iterable[int]) -> None:
        self._raised.update(raised)

    # what the manager hears

    def heard(self, wid: int, message: Message) -> None:
        """It knows now what this message says, if it is not too late."""
        if wid in self._settled:
            return
        held, kind = self._held[wid], message.kind
        if kind == m.OUTPUT:
            if message.flags & m.FINAL:
                held.pop(message.a, None)
        elif kind in (m.DONE, m.BACK):
            for lease in leases(message.body):
                held.pop(lease, None)
        elif kind in (m.LEFT, m.FAILED_START):
            self._leaving.add(wid)
        elif kind == m.RAISED:
            for lease in loads(message.body)[0]:
                parcel = held.pop(lease, None)
                if parcel is not None and parcel.feed:
                    self._raises[parcel.feed, parcel.number] += 1

    def settles(self, wid: int) -> None:
        """It knows now that this process is gone."""
        if wid in self._settled:
            return
        check(wid in self._dead, "only who is gone is given up", wid)
        self._settled.add(wid)
        seen: set[int] = set()
        for parcel in self._held.get(wid, {}).values():
            if parcel.feed and parcel.queue not in seen and wid not in self._leaving:
                seen.add(parcel.queue)
                self._deaths[parcel.feed, parcel.number] += 1
        self._held.pop(wid, None)

    # what the manager says

    def sent(self, wid: int, messages: Iterable[Message]) -> None:
        """Messages go out to a process."""
        check(wid not in self._settled, "no command to the dead", f"worker {wid}")
        for message in messages:
            if message.kind in (m.CHUNK, m.ITEM):
                check(message.a > self._last_sent.get(wid, 0), "order is kept", f"lease {message.a}")
                self._last_sent[wid] = message.a
                check(message.a in self._held[wid], "what goes out is leased", f"lease {message.a}")
            elif message.kind == m.CONTROL and message.a == m.ORDER_STOP:
                self._leaving.add(wid)

    def signalled(self, wid: int) -> None:
        check(wid not in self._settled, "no command to the dead", f"worker {wid}")

    def command(self, command: Command) -> None:
        """The ledger has given this command, and the dispatcher is about to do it."""
        if isinstance(command, Send):
            self._leased(command.wid, command.parcel)
        elif isinstance(command, Finish):
            self._finished(command)
        elif isinstance(command, GiveUp):
            self._given_up(command)
        elif isinstance(command, Token):
            self._told(command.wid, command.queue)
        elif isinstance(command, Remind):
            check(not self._reminders[command.queue], "one reminder at a time", command)
            self._reminders[command.queue] += 1
        elif isinstance(command, Recall):
            held = sum(parcel.queue == command.queue for parcel in self._held.get(command.wid, {}).values())
            check(0 < command.count <= held, "recalled is what is held", command)
        else:
            assert isinstance(command, Accept)

    def reminded(self, queue: int) -> None:
        self._reminders[queue] -= 1

    def _leased(self, wid: int, parcel: Parcel) -> None:
        check(wid not in self._settled and wid in self._held, "leases only with the living", f"worker {wid}")
        self._check(parcel.lease > self._last_lease, "a lease has a number of its own", parcel)
        self._last_lease = parcel.lease
        for held in self._held.values():
            self._check(parcel not in held.values(), "in one place", parcel)
        self._held[wid][parcel.lease] = parcel
        if not parcel.feed:
            return
        chunk = parcel.feed, parcel.number
        self._check(chunk not in self._over, "nothing is sent that is over", parcel)
        feed = self._simulation.feeds.get(parcel.feed)
        self._check(not (feed and feed._cancelled), "nothing is sent of a feed that was cancelled", parcel)
        self._moves[chunk] += 1
        self._check(self._moves[chunk] < MOVES_MAX, "a chunk comes to an end", parcel)
        ledger = self._simulation.emp._ledger
        tries_left = (
            self._deaths[chunk] <= ledger.budget.deaths and self._raises[chunk] <= ledger.budget.raises
        )
        self._check(tries_left, "given up when its tries are used up", parcel)
        first = self._first.get(parcel.feed, -1)
        if parcel.number > first:
            self._first[parcel.feed] = parcel.number
        else:
            self._check(self._moves[chunk] > 1, "order is kept", parcel)

    def _finished(self, command: Finish) -> None:
        parcel, wid = command.parcel, command.wid
        chunk = parcel.feed, parcel.number
        self._check(chunk not in self._over, "each ticket is done once", parcel)
        self._over[chunk] = f"done by worker {wid}"
        count = self._ended.get(parcel.lease)
        is_done = count is not None and self._taken[parcel.lease] == wid
        self._check(is_done, "done is what a worker has done", parcel)
        contents = [
            content[1] if message.flags & m.HEADED else content
            for message in command.outputs
            for content in (loads(message.body),)
        ]
        expected = [(parcel.number, parcel.lease, place) for place in range(count or 0)]
        self._check(contents == expected, "all outputs of the last attempt, no other", parcel)

    def _given_up(self, command: GiveUp) -> None:
        parcel, blame = command.parcel, command.error
        chunk = parcel.feed, parcel.number
        self._check(chunk not in self._over, "each ticket is done once", parcel)
        self._over[chunk] = f"given up: {blame.cause}"
        budget = self._simulation.emp._ledger.budget
        if blame.kind == "raised":
            self._check(self._raises[chunk] > budget.raises, "given up when its tries are used up", parcel)
            self._check(parcel.lease in self._raised, "the cause is the true one", parcel)
        else:
            self._check(self._deaths[chunk] > budget.deaths, "given up when its tries are used up", parcel)
            self._check(command.wid in self._dead, "the cause is the true one", parcel)

    def _told(self, wid: int, queue: int) -> None:
        check(wid not in self._settled, "no command to the dead", f"worker {wid}")
        books = self._simulation.emp._ledger.queues[queue]
        check(books.fed and not books.feeds, "no token before the end", queue)
        check(not any(parcel.feed for parcel in books.waiting), "no token while something waits", queue)
        check((wid, queue) not in self._tokens or books.fed, "one token for each worker", wid)
        self._tokens.add((wid, queue))

    # after every step

    def check(self) -> None:
        """The books of the manager agree, and are bounded."""
        simulation = self._simulation
        emp = simulation.emp
        ledger, dispatcher = emp._ledger, emp.dispatcher
        by_wid = emp._crew._by_wid
        for wid, worker in ledger.workers.items():
            check(wid in by_wid and wid not in self._settled, "leases only with the living", f"worker {wid}")
            check(worker.leases == self._held.get(wid, {}), "each lease is written down", f"worker {wid}")
        check(len(by_wid) == len(ledger.workers), "each process is written down", list(by_wid))
        for wid in dispatcher._pending:
            check(wid in by_wid, "nothing waits for the dead", f"worker {wid}")
        for index, queue in ledger.queues.items():
            if not (queue.fed or queue.waiting or queue.lines):
                continue
            for wid in queue.lines:
                check(wid in by_wid, "leases only with the living", f"worker {wid}")
            held = waits = credit = surplus = 0
            for line in queue.lines.values():
                count = len(line.open)
                held += count
                surplus += count - 1 if count else 0
                check(count <= CREDIT_MAX + 1 or line.sent <= line.wanted, "memory is bounded", line)
                if line.sent < line.wanted and not line.worker.paused:
                    waits += 1
                    check(line.in_demand, "no get is forgotten", f"worker {line.worker.wid}")
                if line.known:
                    credit += line.credit.ahead
            check(queue.in_flight == held, "count of leases", index)
            check(queue.surplus == surplus, "count of surplus", index)
            check(queue.credit == credit, "count of credit", index)
            check(not (waits and queue.waiting), "nobody waits while parcels do", index)
            check(not (queue.puts and not queue.full), "no put waits while there is room", index)
            check(not queue.reminding or self._reminders[index] > 0, "a reminder is on its way", index)
        for feed in simulation.feeds.values():
            self._check_feed(feed)

    def _check_feed(self, feed: Feed) -> None:
        results = feed._results
        check(len(feed.inflow) <= BATCH_MAX, "memory is bounded", f"{len(feed.inflow)} chunks flow in")
        if results.kept:
            kept = len(results._ready) + len(results._early)
            bound = simulation_window(feed)
            check(kept <= bound, "memory is bounded", f"{kept} results wait")


def simulation_window(feed: Feed) -> int:
    """No more results wait than could ever be under way."""
    return (CREDIT_MAX + 2) * max(1, len(feed._dispatcher.crew.slots)) + 1


def check(holds: object, rule: str, text: object = "") -> None:
    if not holds:
        raise Violation(rule, text)
