"""A second bookkeeping, from events and commands alone, and the rules that every command has to keep."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from eisenmp.core import messages as m
from eisenmp.core.failing import CANCELLED, DIED, RAISED, TIMED_OUT
from eisenmp.core.ledger import (
    Accept,
    Command,
    Cut,
    Finish,
    GiveUp,
    Later,
    Ledger,
    Parcel,
    Queue,
    Recall,
    Remind,
    Send,
    Token,
)

At = tuple[int, int]  # wid or slot, and queue


class Violation(AssertionError):
    """The ledger broke the rule of this name."""

    def __init__(self, rule: str, text: object) -> None:
        super().__init__(f"{rule}: {text}")
        self.rule = rule


def check(holds: object, rule: str, text: object = "") -> None:
    if not holds:
        raise Violation(rule, text)


class Audit:
    """Where each parcel must be, who waits for what, and who was told what."""

    def __init__(self, ledger: Ledger) -> None:
        self.ledger = ledger
        # put, waiting, held, kept, delayed, being cut; no entry when it is over
        self.place: dict[Parcel, str] = {}
        self.held: dict[int, dict[int, Parcel]] = {}  # by worker: its leases, oldest first
        self.kept: dict[At, list[Parcel]] = {}  # by slot and queue
        self.slots: dict[int, int] = {}
        self.paused: set[int] = set()
        self.leaving: set[int] = set()
        self.sent: Counter[At] = Counter()
        self.wanted: Counter[At] = Counter()
        self.known: set[At] = set()
        self.trial: set[At] = set()  # took a chunk of 1.0's door, and ended no cycle since
        self.feeds: dict[int, set[int]] = {}
        self.cancelled: set[int] = set()
        self.told: set[At] = set()
        self.recalls: Counter[At] = Counter()
        self.reminders: set[int] = set()
        self.outputs: dict[int, list[object]] = {}
        self.failures: Counter[tuple[Parcel, str]] = Counter()
        self.whole: set[Parcel] = set()  # cannot be cut
        self.expired: dict[int, str] = {}  # by lease: why it is not wanted any more
        self.delays = False
        self.tried: set[Parcel] = set()
        self.entered: dict[Parcel, int] = {}
        self.puts: dict[object, Parcel] = {}
        self._entries = 0
        self._last_first: Counter[int] = Counter()
        self._last_lease = 0
        self._must_finish: dict[Parcel, tuple[int, list[object]]] = {}
        self._must_fail: dict[Parcel, int] = {}
        self._must_cut: dict[Parcel, int] = {}
        self._must_wait: set[Parcel] = set()
        self._may_recall: int | None = None

    # events, before the ledger hears of them

    def enter(self, parcel: Parcel) -> None:
        self._entries += 1
        self.entered[parcel] = self._entries
        self.place[parcel] = "waiting"

    def put(self, put: object, parcel: Parcel) -> None:
        self.puts[put] = parcel
        self.place[parcel] = "put"

    def withdrawn(self, put: object) -> None:
        check(put in self.puts, "a put is either withdrawn or accepted", put)
        del self.place[self.puts.pop(put)]

    def taken_here(self, parcel: Parcel) -> None:
        check(self.place.get(parcel) == "waiting", "taken from what waits", parcel)
        self._first(parcel)
        del self.place[parcel]
        if parcel.feed:
            self._must_finish[parcel] = (0, [])

    def feed_opened(self, queue: int, feed: int) -> None:
        self.feeds.setdefault(queue, set()).add(feed)
        self.told = {at for at in self.told if at[1] != queue}

    def feed_ended(self, queue: int, feed: int) -> None:
        self.feeds[queue].discard(feed)

    def feed_dropped(self, feed: int) -> list[Parcel]:
        self.cancelled.add(feed)
        gone = [
            parcel
            for parcel, place in self.place.items()
            if parcel.feed == feed and place in ("waiting", "delayed")
        ]
        for parcel in gone:
            del self.place[parcel]
        return gone

    def started(self, wid: int, slot: int) -> None:
        self.held[wid] = {}
        self.slots[wid] = slot

    def pause(self, wid: int, paused: bool) -> None:
        if wid in self.held:
            (self.paused.add if paused else self.paused.discard)(wid)
            self._may_recall = wid if paused else None

    def leave(self, wid: int) -> None:
        """It takes for its threads, and nothing ahead."""
        if wid in self.held:
            self.leaving.add(wid)
            self.known = {at for at in self.known if at[0] != wid}
            self.trial = {at for at in self.trial if at[0] != wid}

    def ticket_dropped(self, parcel: Parcel) -> None:
        check(self.place.pop(parcel) in ("waiting", "delayed"), "dropped is what waited", parcel)

    def expire(self, wid: int, lease: int, kind: str) -> bool:
        """The chunk is not wanted from this worker any more."""
        if lease in self.held.get(wid, {}):
            if kind == CANCELLED or lease not in self.expired:
                self.expired[lease] = kind
            return True
        return False

    def due(self, parcel: Parcel) -> None:
        """It is tried again, or looked for another worker later."""
        if self.place.get(parcel) == "delayed":
            self.place[parcel] = "due"

    def in_pieces(self, parcel: Parcel, pieces: Iterable[Parcel]) -> None:
        check(self.place.pop(parcel) == "being cut", "what is cut is gone as a whole", parcel)
        first = parcel.start
        for piece in pieces:
            check((piece.start, piece.number) == (first, parcel.number), "no row is lost by cutting", piece)
            first += piece.rows
            self.enter(piece)
            self.tried.add(piece)
        check(first == parcel.start + parcel.rows, "no row is lost by cutting", parcel)

    def uncut(self, parcel: Parcel, wid: int) -> None:
        self.whole.add(parcel)
        budget = self.ledger.budget
        over = (
            self.failures[parcel, DIED] > budget.deaths or self.failures[parcel, TIMED_OUT] > budget.timeouts
        )
        if over:
            del self.place[parcel]
            self._must_fail[parcel] = wid
        elif self.delays and not parcel.flags & m.LISTED:
            self.place[parcel] = "delayed"
            self._must_wait.add(parcel)
        else:
            self.place[parcel] = "waiting"

    def output(self, wid: int, lease: int, body: object) -> bool:
        if lease in self.held.get(wid, {}):
            self.outputs.setdefault(lease, []).append(body)
            return True
        return False

    def done(self, wid: int, leases: Iterable[int]) -> None:
        for lease, parcel in self._given_up(wid, leases):
            outputs = self.outputs.pop(lease, [])
            if (wid, parcel.queue) in self.trial:
                self.trial.discard((wid, parcel.queue))
                self.known.add((wid, parcel.queue))
            if lease in self.expired:
                self._failed(parcel, self.expired.pop(lease), wid)
                continue
            del self.place[parcel]
            if parcel.feed:
                self._must_finish[parcel] = (wid, outputs)

    def raised(self, wid: int, leases: Iterable[int]) -> None:
        for lease, parcel in self._given_up(wid, leases):
            self.outputs.pop(lease, None)
            if not parcel.feed:
                del self.place[parcel]
            else:
                self._failed(parcel, self.expired.pop(lease, RAISED), wid)

    def returned(self, wid: int, queue: int, leases: Iterable[int]) -> None:
        if wid in self.held:
            self.recalls[wid, queue] = max(0, self.recalls[wid, queue] - 1)
            for lease, parcel in self._given_up(wid, leases):
                self.sent[wid, queue] -= 1
                if lease in self.expired:
                    self._failed(parcel, self.expired.pop(lease), wid)
                else:
                    self._back(parcel)
                if wid in self.leaving:
                    self.wanted[wid, queue] = min(self.wanted[wid, queue], self.sent[wid, queue])

    def gone(self, wid: int, *, killed: bool) -> None:
        if wid not in self.held:
            return
        charged: set[int] = set()
        kept: dict[At, list[Parcel]] = {}
        slot = self.slots.pop(wid)
        held = self._given_up(wid, list(self.held[wid]))
        blamable = killed and not any(lease in self.expired for lease, _ in held)
        chunks = any(parcel.feed for _, parcel in held)
        for lease, parcel in held:
            self.outputs.pop(lease, None)
            kind = self.expired.pop(lease, "")
            if not kind and blamable and parcel.queue not in charged and (parcel.feed or not chunks):
                charged.add(parcel.queue)
                beside = sum(other.queue == parcel.queue and other.feed > 0 for _, other in held) > 1
                last_try = not self.ledger.budget.deaths and parcel.feed
                kind = "" if last_try and beside and not parcel.flags & m.CAREFUL else DIED
            if parcel.feed:
                if kind:
                    self._failed(parcel, kind, wid)
                else:
                    self._back(parcel)
                continue
            self.failures[parcel, DIED] += bool(kind)
            if self.failures[parcel, DIED] > self.ledger.budget.deaths:
                del self.place[parcel]
                self._must_fail[parcel] = wid
                continue
            self.place[parcel] = "kept" if killed else "waiting"
            if killed:
                kept.setdefault((slot, parcel.queue), []).append(parcel)
        for at, parcels in kept.items():
            self.kept[at] = parcels + self.kept.get(at, [])
        del self.held[wid]
        self.paused.discard(wid)
        if not killed:
            self.slot_closed(slot)

    def slot_closed(self, slot: int) -> None:
        for at in [at for at in self.kept if at[0] == slot]:
            for parcel in self.kept.pop(at):
                self.place[parcel] = "waiting"

    def _given_up(self, wid: int, leases: Iterable[int]) -> list[tuple[int, Parcel]]:
        held = self.held.get(wid, {})
        return [(lease, held.pop(lease)) for lease in leases if lease in held]

    def _back(self, parcel: Parcel) -> None:
        if parcel.feed in self.cancelled:
            del self.place[parcel]
        else:
            self.place[parcel] = "waiting"

    def _failed(self, parcel: Parcel, kind: str, wid: int) -> None:
        """What has to follow by the budget, counted here."""
        if parcel.feed in self.cancelled:
            del self.place[parcel]
            return
        self.failures[parcel, kind] += 1
        count, budget = self.failures[parcel, kind], self.ledger.budget
        least = {RAISED: budget.raises, DIED: budget.deaths, TIMED_OUT: budget.timeouts, CANCELLED: 0}[kind]
        may_cut = budget.cuts and parcel.rows > 1 and parcel not in self.whole and not parcel.flags & m.LISTED
        first_death = kind == DIED and count == 1 and budget.deaths and not parcel.piece
        if may_cut and kind in (DIED, TIMED_OUT) and not first_death:
            self.place[parcel] = "being cut"
            self._must_cut[parcel] = wid
        elif count > least:
            del self.place[parcel]
            self._must_fail[parcel] = wid
        elif self.delays and not parcel.flags & m.LISTED:
            self.place[parcel] = "delayed"
            self._must_wait.add(parcel)
        else:
            self.place[parcel] = "waiting"

    # commands

    def command(self, command: Command) -> None:
        if isinstance(command, Send):
            self._send(command.wid, command.parcel)
        elif isinstance(command, Accept):
            check(command.put in self.puts, "a put is accepted once", command)
            self.enter(self.puts.pop(command.put))
        elif isinstance(command, Finish):
            check(command.parcel in self._must_finish, "finished once, by the end of its cycle", command)
            wid, outputs = self._must_finish.pop(command.parcel)
            check(command.wid == wid, "finished by who held it", command)
            check(command.outputs == outputs, "all outputs of the last attempt, no other", command)
        elif isinstance(command, GiveUp):
            check(command.parcel in self._must_fail, "given up when its tries are used up", command)
            check(command.wid == self._must_fail.pop(command.parcel), "given up at its holder", command)
        elif isinstance(command, Later):
            self._later(command.parcel)
        elif isinstance(command, Cut):
            check(command.parcel in self._must_cut, "cut when it cannot be tried whole", command)
            check(command.wid == self._must_cut.pop(command.parcel), "cut where it failed", command)
            check(all(0 < point < command.parcel.rows for point in command.points), "cut inside", command)
        elif isinstance(command, Token):
            self._token(command.wid, command.queue)
        elif isinstance(command, Recall):
            self._recall(command)
        else:
            assert isinstance(command, Remind)
            check(command.queue not in self.reminders, "one reminder at a time", command)
            check(self.hungry(command.queue), "reminders are for those who wait", command)
            self.reminders.add(command.queue)

    def all_said(self) -> None:
        """The event's commands are through."""
        check(not self._must_finish, "finished once, by the end of its cycle", self._must_finish)
        check(not self._must_fail, "given up when its tries are used up", self._must_fail)
        check(not self._must_cut, "cut when it cannot be tried whole", self._must_cut)
        check(not self._must_wait, "put off after a failure", self._must_wait)
        for parcel, place in self.place.items():
            if place == "due":
                self.place[parcel] = "waiting"
        self._may_recall = None

    def _later(self, parcel: Parcel) -> None:
        if self.place.get(parcel) == "due":
            self.place[parcel] = "delayed"  # nobody else is free: looked again
        else:
            check(parcel in self._must_wait, "put off after a failure", parcel)
            self._must_wait.discard(parcel)

    def hungry(self, queue: int) -> list[int]:
        """The workers with an open get at the queue that may be answered."""
        return [
            wid
            for wid in self.held
            if self.wanted[wid, queue] > self.sent[wid, queue] and wid not in self.paused
        ]

    def suffice(self, queue: Queue) -> bool:
        """Whether those who have chunks are enough for the others, and waking one would only disturb."""
        return 0 < queue.few <= queue.busy and queue.brisk

    def open_at(self, wid: int, queue: int) -> int:
        return sum(parcel.queue == queue for parcel in self.held[wid].values())

    def _send(self, wid: int, parcel: Parcel) -> None:
        queue = parcel.queue
        at = (wid, queue)
        check(wid in self.held, "sent to the living", wid)
        check(wid not in self.paused, "nothing is sent to who pauses", wid)
        check(parcel in self.place, "nothing is sent that is over", parcel)
        check(parcel.feed not in self.cancelled, "nothing is sent of a feed that was dropped", parcel)
        check(parcel.lease > self._last_lease, "a lease has a number of its own", parcel)
        self._last_lease = parcel.lease
        asked = self.wanted[at] > self.sent[at]
        if not asked:
            check(parcel.feed, "objects are never ahead of a get", parcel)
            check(at in self.known, "ahead only where chunks were taken before", parcel)
            ahead = self.ledger.workers[wid].lines[queue].credit.ahead
            check(self.open_at(wid, queue) <= ahead, "ahead within the credit", parcel)
            few = self.suffice(self.ledger.queues[queue])
            check(few or not self.hungry(queue), "never past another worker's open get", parcel)
        kept = self.kept.get((self.slots[wid], queue))
        if kept:
            check(parcel is kept[0], "to the next of the slot again, in order, and first", parcel)
            kept.pop(0)
            if not kept:
                del self.kept[self.slots[wid], queue]
        else:
            check(
                self.place[parcel] in ("waiting", "due"),
                "to the next of the slot again, in order, and first",
                parcel,
            )
            self._first(parcel)
        if parcel.feed and at not in self.known and wid not in self.leaving:
            if parcel.flags & m.LISTED:
                self.trial.add(at)
            else:
                self.trial.discard(at)
                self.known.add(at)
        self.sent[at] += 1
        self.held[wid][parcel.lease] = parcel
        self.place[parcel] = "held"

    def _first(self, parcel: Parcel) -> None:
        """First in, first out, for what was never sent."""
        if parcel not in self.tried:
            self.tried.add(parcel)
            entered = self.entered[parcel]
            check(entered > self._last_first[parcel.queue], "first in, first out", parcel)
            self._last_first[parcel.queue] = entered

    def _token(self, wid: int, queue: int) -> None:
        check(wid in self.hungry(queue), "a token answers an open get", wid)
        check(queue in self.feeds and not self.feeds[queue], "no token before the end", queue)
        check(self.ledger.tokens, "no token where they are switched off", queue)
        check((wid, queue) not in self.told, "one token for each worker", wid)
        check(
            not any(
                place in ("waiting", "delayed", "being cut") and parcel.queue == queue
                for parcel, place in self.place.items()
            ),
            "no token while something waits",
            queue,
        )
        check(
            not any(count and at[1] == queue and at[0] in self.held for at, count in self.recalls.items()),
            "no token while something may come back",
            queue,
        )
        self.told.add((wid, queue))
        self.sent[wid, queue] += 1

    def _recall(self, command: Recall) -> None:
        wid, queue = command.wid, command.queue
        check(wid in self.held, "recalled from the living", command)
        check(0 < command.count <= self.open_at(wid, queue), "recalled is what is held", command)
        if self._may_recall != wid:
            check(self.hungry(queue), "recalled for those who wait", command)
            check(not self.recalls[wid, queue], "one recall at a time", command)
        self.recalls[wid, queue] += 1
