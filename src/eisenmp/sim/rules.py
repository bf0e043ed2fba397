"""What must hold after every step of a run, whatever goes wrong in it."""

from __future__ import annotations

from collections import Counter

from ..core import messages as m
from ..core.failing import CANCELLED, RAISED, TIMED_OUT
from ..core.ledger import Accept, Cut, Finish, Later, Recall, Remind, Send, Token
from ..core.messages import Message
from ..core.parcel import singly
from ..manager.puts import WorkerPut
from ..wire import batch
from ..wire.pickles import loads
from ..wire.platform import SIGTERM
from .books import Books
from .gets import Gets
from .keeping import Keeping
from .trace import leases
from .violation import Violation, check

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

    from ..child.channel import Item
    from ..core.ledger import Command, GiveUp, Parcel
    from ..core.messages import Message
    from .process import Process
    from .simulation import Simulation

    Chunk = tuple[int, int]  # feed serial, number
    Work = tuple[int, int, int, int]  # and first row and rows of a piece; 0 rows for a whole chunk

MOVES_MAX = 200  #: times that one chunk is sent

TRUE_CAUSE = "the cause is the true one"


def work(parcel: Parcel) -> Work:
    """What is done once: a chunk, or a piece of one."""
    return parcel.feed, parcel.number, parcel.start, parcel.rows if parcel.piece else 0


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
        self._deaths: Counter[Parcel] = Counter()  # with it the oldest at its queue
        self._blamed: Counter[Parcel] = Counter()  # deaths that nobody had asked for
        self._terminated: set[int] = set()  # who was sent SIGTERM
        self._leaving: set[int] = set()  # who was told to leave, or said that it does
        self._raises: Counter[Parcel] = Counter()
        self._over: dict[Work, str] = {}
        self._settled_rows: dict[Chunk, list[tuple[int, int]]] = {}  # first row, how many
        self._ended_early: set[int] = set()  # leases whose worker was told that they are not wanted any more
        self._parcels: dict[int, Parcel] = {}  # by lease
        self._leased_at: dict[int, float] = {}
        self._reminders: Counter[int] = Counter()
        self._answers: set[tuple[int, int]] = set()  # wid, request: puts that were let in a moment ago
        self._slots: dict[int, int] = {}  # wid -> slot
        self._gets = Gets()
        self._keeping = Keeping()
        self._books = Books(simulation)

    # names

    def name(self, item: Item | Parcel) -> str:
        """What a parcel is called in the trace."""
        if not item.feed:
            return f"an object (lease {item.lease})"
        return f"ticket {item.number} of {self._simulation.feed_name(item.feed)} (lease {item.lease})"

    def _check(self, holds: object, rule: str, item: Item | Parcel) -> None:
        if not holds:
            parcel = self._parcels.get(item.lease)
            past = self._over.get(work(parcel)) if parcel is not None else None
            raise Violation(rule, self.name(item) + (f", {past}" if past else ""))

    # what processes do

    def started(self, process: Process) -> None:
        check(process.wid not in self._held, "a process has a number of its own", process.wid)
        self._alive[process.wid] = process
        self._held[process.wid] = {}
        self._slots[process.wid] = process.slot

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
            first = item.number * size + self._parcels[item.lease].start
            expected = list(range(first, first + len(rows)))
            self._check(list(rows) == expected, "rows come as they were cut", item)

    def cycle_ended(self, process: Process, ended: Iterable[int], sent: dict[int, int]) -> None:
        for lease in ended:
            self._ended[lease] = sent.get(lease, 0)

    def passed_over(self, item: Item) -> None:
        self._ended[item.lease] = 0

    def raised(self, process: Process, raised: Iterable[int]) -> None:
        self._raised.update(raised)

    # what the manager hears

    def heard(self, wid: int, message: Message) -> None:
        """It knows now what this message says, if it is not too late."""
        if wid in self._settled:
            return
        held, kind = self._held[wid], message.kind
        self._gets.heard(wid, message, self._simulation.emp._ledger)
        if kind == m.OUTPUT:
            if message.flags & m.FINAL:
                held.pop(message.a, None)
        elif kind == m.OUTPUTS:
            for lease in range(message.a, message.a + message.b):
                held.pop(lease, None)
        elif kind == m.DONE:
            for lease in leases(message.body):
                held.pop(lease, None)
        elif kind == m.BACK:
            back = [held.pop(lease, None) for lease in leases(message.body)]
            self._gets.returned(wid, message.queue, sum(parcel is not None for parcel in back))
        elif kind in (m.LEFT, m.FAILED_START):
            self._leaving.add(wid)
        elif kind == m.RAISED:
            for lease in loads(message.body)[0]:
                parcel = held.pop(lease, None)
                if parcel is not None and parcel.feed and lease not in self._ended_early:
                    self._raises[parcel] += 1

    def settles(self, wid: int) -> None:
        """It knows now that this process is gone."""
        if wid in self._settled:
            return
        check(wid in self._dead, "only who is gone is given up", wid)
        self._settled.add(wid)
        seen: set[int] = set()
        held = self._held[wid]
        chunks = any(parcel.feed for parcel in held.values())
        # who was stopped because of one chunk did not die of another
        is_ended = not self._ended_early.isdisjoint(held)
        for parcel in held.values():
            # objects are to blame only where no chunk can be
            if bool(parcel.feed) is chunks and not is_ended and parcel.queue not in seen:
                seen.add(parcel.queue)
                self._deaths[parcel] += 1
                self._blamed[parcel] += self._is_sure(wid, parcel)
        del self._held[wid]
        self._gets.gone(wid)
        slot = self._simulation.emp._crew.slots[self._slots[wid]]
        if wid in self._leaving or slot.retired or self._simulation.emp.dispatcher.stopping:
            self._keeping.closed(slot.number)
        else:
            self._keeping.died(slot.number, held.values())

    def _is_sure(self, wid: int, parcel: Parcel) -> bool:
        """Whether the death counts: nobody wanted it, and no other chunk may be at fault."""
        if wid in self._leaving or wid in self._terminated:
            return False
        if self._simulation.emp._ledger.budget.deaths or parcel.flags & m.CAREFUL:
            return True
        return sum(other.queue == parcel.queue and other.feed > 0 for other in self._held[wid].values()) < 2

    # what the manager says

    def sent(self, wid: int, messages: Iterable[Message]) -> None:
        """Messages go out to a process."""
        check(wid not in self._settled, "no command to the dead", f"worker {wid}")
        for message in messages:
            if message.kind in (m.CHUNK, m.ITEM):
                self._goes_out(wid, message.a)
            elif message.kind == m.CHUNKS:
                for lease, _, _ in batch.opened(message):
                    self._goes_out(wid, lease)
            elif message.kind == m.ANSWER:
                self._answers.discard((wid, message.a))
            elif message.kind == m.CONTROL and message.a == m.ORDER_STOP:
                self._leaving.add(wid)
            elif message.kind == m.CONTROL and message.a == m.ORDER_CANCEL:
                self._ended_early.add(message.b)

    def _goes_out(self, wid: int, lease: int) -> None:
        check(lease > self._last_sent.get(wid, 0), "order is kept", f"lease {lease}")
        self._last_sent[wid] = lease
        check(lease in self._held[wid], "what goes out is leased", f"lease {lease}")

    def signalled(self, wid: int, number: int) -> None:
        """A signal goes out to a process."""
        check(wid not in self._settled, "no command to the dead", f"worker {wid}")
        if number == SIGTERM:
            self._terminated.add(wid)
            is_told = wid in self._leaving or not self._simulation.emp.dispatcher.stopping
            check(is_told, "all are told to stop", f"worker {wid}")

    def command(self, command: Command) -> None:
        """The ledger has given this command, and the dispatcher is about to do it."""
        for single in singly((command,)):
            self._command(single)

    def _command(self, command: Command) -> None:
        if isinstance(command, Send):
            self._leased(command.wid, command.parcel)
        elif isinstance(command, Finish):
            self._finished(command)
        elif isinstance(command, Cut):
            self._cut(command)
        elif isinstance(command, Later):
            self._check(command.seconds > 0, "a later attempt comes later", command.parcel)
        elif isinstance(command, Token):
            self._told(command.wid, command.queue)
        elif isinstance(command, Remind):
            check(not self._reminders[command.queue], "one reminder at a time", command)
            self._reminders[command.queue] += 1
        elif isinstance(command, Recall):
            held = sum(parcel.queue == command.queue for parcel in self._held.get(command.wid, {}).values())
            check(0 < command.count <= held, "recalled is what is held", command)
            self._gets.recalled(command.wid, command.queue)
        elif isinstance(command, Accept) and isinstance(command.put, WorkerPut):
            self._accepted(command.put)

    def _accepted(self, put: WorkerPut) -> None:
        if put.waiting and put.wid not in self._settled:
            self._answers.add((put.wid, put.request))

    def reminded(self, queue: int) -> None:
        self._reminders[queue] -= 1

    def _leased(self, wid: int, parcel: Parcel) -> None:
        check(wid not in self._settled and wid in self._held, "leases only with the living", f"worker {wid}")
        self._check(parcel.lease > self._last_lease, "a lease has a number of its own", parcel)
        self._last_lease = parcel.lease
        for held in self._held.values():
            self._check(parcel not in held.values(), "in one place", parcel)
        ledger = self._simulation.emp._ledger
        self._gets.leased(ledger.workers[wid], parcel, self._held[wid].values(), ledger)
        self._keeping.leased(self._slots[wid], parcel, self._simulation.emp._crew.slots)
        self._held[wid][parcel.lease] = self._parcels[parcel.lease] = parcel
        self._leased_at[parcel.lease] = self._simulation.schedule.now
        if not parcel.feed:
            return
        chunk = parcel.feed, parcel.number
        self._check(work(parcel) not in self._over, "nothing is sent that is over", parcel)
        feed = self._simulation.feeds.get(parcel.feed)
        self._check(not (feed and feed._cancelled), "nothing is sent of a feed that was cancelled", parcel)
        self._moves[chunk] += 1
        self._check(self._moves[chunk] < MOVES_MAX, "a chunk comes to an end", parcel)
        budget = self._simulation.emp._ledger.budget
        tries_left = self._blamed[parcel] <= budget.deaths and self._raises[parcel] <= budget.raises
        self._check(tries_left, "given up when its tries are used up", parcel)
        first = self._first.get(parcel.feed, -1)
        if parcel.number > first:
            self._first[parcel.feed] = parcel.number
        else:
            self._check(self._moves[chunk] > 1, "order is kept", parcel)

    def _finished(self, command: Finish) -> None:
        parcel, wid = command.parcel, command.wid
        self._settle(parcel, f"done by worker {wid}")
        count = self._ended.get(parcel.lease)
        is_done = count is not None and self._taken[parcel.lease] == wid
        self._check(is_done, "done is what a worker has done", parcel)
        contents = [_content(output) for output in command.outputs]
        expected = [(parcel.number, parcel.lease, place) for place in range(count or 0)]
        self._check(contents == expected, "all outputs of the last attempt, no other", parcel)

    def _settle(self, parcel: Parcel, how: str) -> None:
        """The work has come to its end, for better or worse."""
        self._check(work(parcel) not in self._over, "each ticket is done once", parcel)
        self._over[work(parcel)] = how
        rows = self._settled_rows.setdefault((parcel.feed, parcel.number), [])
        rows.append((parcel.start, parcel.rows))

    def _cut(self, command: Cut) -> None:
        parcel = command.parcel
        self._check(parcel.rows > 1, "cut is what has several rows", parcel)
        self._check(command.kind != RAISED, "an error cuts nothing", parcel)
        self._check(work(parcel) not in self._over, "nothing is cut that is over", parcel)
        self._over[work(parcel)] = "cut into pieces"

    def given_up(self, command: GiveUp) -> None:
        """The dispatcher is about to keep a dead letter."""
        parcel, blame = command.parcel, command.error
        budget = self._simulation.emp._ledger.budget
        used_up = "given up when its tries are used up"
        if parcel.feed:
            self._settle(parcel, f"given up: {blame.cause}")
        if blame.kind == RAISED:
            self._check(self._raises[parcel] > budget.raises, used_up, parcel)
            self._check(parcel.lease in self._raised, TRUE_CAUSE, parcel)
        elif blame.kind == CANCELLED:
            self._check((parcel.feed, parcel.number) in self._simulation.cancelled, TRUE_CAUSE, parcel)
        elif blame.kind == TIMED_OUT:
            self._check(parcel.timeouts > budget.timeouts, used_up, parcel)
            took = self._simulation.schedule.now - self._leased_at[parcel.lease]
            self._check(took >= self._simulation.plan.shortest_limit, TRUE_CAUSE, parcel)
        else:
            self._check(self._deaths[parcel] > budget.deaths, used_up, parcel)
            self._check(command.wid in self._dead, TRUE_CAUSE, parcel)
            if not parcel.feed:
                self._keeping.given_up(parcel)

    def is_unknown(self, feed: int, number: int) -> bool:
        """Whether the ticket was never known to the ledger."""
        return (feed, number) not in self._settled_rows

    def check_rows_of(self, feed: int, number: int, rows: int) -> None:
        """In the end each row of a chunk was done once, or is in one dead letter."""
        next_row = 0
        for first, count in sorted(self._settled_rows.get((feed, number), ())):
            check(first == next_row, "every row is accounted for", f"ticket {number}, row {next_row}")
            next_row = first + count
        check(next_row == rows, "every row is accounted for", f"ticket {number}, row {next_row} of {rows}")

    def _told(self, wid: int, queue: int) -> None:
        check(wid not in self._settled, "no command to the dead", f"worker {wid}")
        books = self._simulation.emp._ledger.queues[queue]
        check(books.fed and not books.feeds, "no token before the end", queue)
        check(not any(parcel.feed for parcel in books.waiting), "no token while something waits", queue)
        self._gets.told(wid, queue, len(self._simulation.names))

    # after every step

    def check(self) -> None:
        """The books of the manager agree with what it said, and are bounded."""
        emp = self._simulation.emp
        if self._answers:
            raise Violation("a put that is let in is answered", self._answers)
        self._books.check(self._held, self._reminders)
        if not emp.dispatcher.stopping:
            self._keeping.check(emp._ledger, emp._crew.slots)


def _content(output: Message | bytes) -> Any:
    """What the worker has given; one that came together with others is no more than its body."""
    if not isinstance(output, Message):
        return loads(output)
    content = loads(output.body)
    return content[1] if output.flags & m.HEADED else content
