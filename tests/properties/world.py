"""Everything around a ledger: queues, feeders, putters, processes, and the messages between them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import NamedTuple

from eisenmp.core.ledger import Command, Cut, Later, Ledger, Parcel, Recall, Send, Token
from eisenmp.core.parcel import singly

from . import process as p
from .audit import Audit, check
from .books import check_books
from .process import Process

ROUNDS_MAX = 300  # of a drain; a world at rest needs a few per parcel


class Feeder(NamedTuple):
    number: int
    queue: int
    flags: int = 0  # of its chunks


class World:
    """A manager with its workers. Every event goes through `_tell`, which checks what the ledger answers."""

    def __init__(self, ledger: Ledger, maxsizes: Iterable[int], slots: int) -> None:
        self.ledger = ledger
        self.audit = Audit(ledger)
        self.processes: dict[int, Process] = {}
        self.feeders: list[Feeder] = []
        self.over: list[Feeder] = []  # ended or dropped
        self.broken = False
        self._queues = 0
        self._wids = 0
        self._feeds = 0
        self._puts = 0
        self._slots = slots
        self._numbers: dict[int, int] = {}
        self.later: list[Parcel] = []  # to be tried again
        self._cuts: list[Cut] = []
        self.cutting_fails = False
        self._closing: set[int] = set()  # slots that get no replacement
        for maxsize in maxsizes:
            ledger.queue_made(self._queues, maxsize)
            self._queues += 1
        for slot in range(slots):
            self.start(slot)

    @property
    def queues(self) -> int:
        return self._queues

    @property
    def alive(self) -> list[Process]:
        return [process for process in self.processes.values() if process.running]

    def _tell(self, event: Callable[[], list[Command]]) -> None:
        try:
            for command in singly(event()):
                self.audit.command(command)
                self._execute(command)
            self.audit.all_said()
            check_books(self.ledger, self.audit)
            while self._cuts:
                self._cut(self._cuts.pop(0))
        except BaseException:
            self.broken = True
            raise

    def _execute(self, command: Command) -> None:
        if isinstance(command, Send):
            parcel = command.parcel
            self._say(command.wid, p.Deliver(parcel.queue, p.Item(parcel.lease, parcel)))
        elif isinstance(command, Token):
            self._say(command.wid, p.Deliver(command.queue, p.Item(0, None)))
        elif isinstance(command, Recall):
            self._say(command.wid, p.GiveBack(command.queue, command.count))
        elif isinstance(command, Later):
            self.later.append(command.parcel)
        elif isinstance(command, Cut):
            self._cuts.append(command)

    def _cut(self, cut: Cut) -> None:
        parcel = cut.parcel
        if self.cutting_fails:
            self.audit.uncut(parcel, cut.wid)
            self._tell(lambda: self.ledger.uncut(cut))
            return
        self._tell(lambda: self._into_pieces(cut))

    def _into_pieces(self, cut: Cut) -> list[Command]:
        before = set(self._parcels())
        commands = self.ledger.pieces(cut, [b""] * (len(cut.points) + 1))
        sent = [command.parcel for command in singly(commands) if isinstance(command, Send)]
        new = {parcel: None for parcel in (*sent, *self._parcels()) if parcel not in before and parcel.piece}
        parcel = cut.parcel
        pieces = [
            piece
            for piece in new
            if piece not in self.audit.place and (piece.number, piece.feed) == (parcel.number, parcel.feed)
        ]
        self.audit.in_pieces(parcel, sorted(pieces, key=lambda piece: piece.start))
        return commands

    def _parcels(self) -> Iterable[Parcel]:
        for queue in self.ledger.queues.values():
            yield from queue.waiting

    def due(self, parcel: Parcel) -> None:
        self.later.remove(parcel)
        self.audit.due(parcel)
        self._tell(lambda: self.ledger.due(parcel))

    def expire(self, process: Process, lease: int, kind: str, done: int) -> None:
        held = self.audit.expire(process.wid, lease, kind)
        told = self.ledger.expire(process.wid, lease, kind, "expired", done=done)
        check(held is told, "expired is what is held", lease)

    def drop_ticket(self, parcel: Parcel) -> None:
        """Cancel one chunk that waits, with all its pieces."""

        def event() -> list[Command]:
            for dropped in self.ledger.ticket_dropped(parcel.queue, parcel.feed, parcel.number):
                self.audit.ticket_dropped(dropped)
            return self.ledger.room_made(parcel.queue)

        self._tell(event)

    def _say(self, wid: int, message: p.Down) -> None:
        if self.processes[wid].running:
            self.processes[wid].down.append(message)

    # feeders and putters

    def open_feed(self, queue: int, flags: int = 0) -> None:
        self._feeds += 1
        feeder = Feeder(self._feeds, queue, flags)
        self.feeders.append(feeder)
        self.audit.feed_opened(queue, feeder.number)
        self.ledger.feed_opened(queue, feeder.number)

    def offer(self, feeder: Feeder, count: int = 1) -> None:
        """So many chunks, as far as there is room; as the feeder's thread looks for it."""
        queue = self.ledger.queues[feeder.queue]
        free = max(1, queue.maxsize) - len(queue.waiting)
        parcels = []
        for _ in range(min(count, queue.at_once + free) if free > 0 else 0):
            number = self._numbers.get(feeder.number, 0)
            self._numbers[feeder.number] = number + 1
            parcel = Parcel(feeder.queue, b"", feed=feeder.number, number=number, flags=feeder.flags)
            parcel.rows = 1 + number % 5
            parcels.append(parcel)
            self.audit.enter(parcels[-1])
        self._tell(lambda: self.ledger.offered_all(feeder.queue, parcels))

    def end_feed(self, feeder: Feeder) -> None:
        self.feeders.remove(feeder)
        self.over.append(feeder)
        self.audit.feed_ended(feeder.queue, feeder.number)
        self._tell(lambda: self.ledger.feed_ended(feeder.queue, feeder.number))

    def drop_feed(self, feeder: Feeder) -> None:
        """Cancel: also of a feed that has ended."""
        expected = self.audit.feed_dropped(feeder.number)

        def event() -> list[Command]:
            dropped = self.ledger.feed_dropped(feeder.queue, feeder.number)
            check(set(dropped) == set(expected), "dropped is what waited", dropped)
            return self.ledger.room_made(feeder.queue)

        self._tell(event)
        if feeder in self.feeders:
            self.end_feed(feeder)

    def put(self, queue: int) -> None:
        self._puts += 1
        put, parcel = f"put {self._puts}", Parcel(queue, b"")
        self.audit.put(put, parcel)
        self._tell(lambda: self.ledger.put(put, parcel))

    def withdraw(self, put: object, queue: int) -> None:
        def event() -> list[Command]:
            is_waiting = put in self.audit.puts
            check(self.ledger.put_withdrawn(queue, put) is is_waiting, "a put is withdrawn or accepted", put)
            if is_waiting:
                self.audit.withdrawn(put)
            return []

        self._tell(event)

    def take(self, queue: int) -> None:
        """A get of the manager itself."""

        def event() -> list[Command]:
            parcel, commands = self.ledger.take(queue)
            if parcel is not None:
                self.audit.taken_here(parcel)
            return commands

        self._tell(event)

    def remind(self, queue: int) -> None:
        self.audit.reminders.discard(queue)
        self._tell(lambda: self.ledger.reminded(queue))

    # processes

    def start(self, slot: int | None = None) -> None:
        if slot is None:
            slot = self._slots
            self._slots += 1
        self._wids += 1
        wid = self._wids
        self.processes[wid] = Process(wid, slot, self._queues)
        self.audit.started(wid, slot)
        self.ledger.worker_started(wid, slot)

    def kill(self, process: Process, unsent: int, *, replaced: bool) -> None:
        if not replaced:
            self._closing.add(process.slot)
        process.die(unsent)

    def listen(self, process: Process) -> None:
        """The next message of the process reaches the manager."""
        message = process.up.popleft()
        wid, audit, ledger = process.wid, self.audit, self.ledger
        if isinstance(message, p.Want):
            self._want(wid, message.queue, message.total)
        elif isinstance(message, p.AskNow):
            is_there = ledger.available(wid, message.queue)
            if is_there:
                self._want(wid, message.queue, audit.sent[wid, message.queue] + 1)
            self._say(wid, p.Answer(message.queue, is_there))
        elif isinstance(message, p.Output):
            kept = audit.output(wid, message.lease, message.body)
            check(ledger.output(wid, message.lease, message.body) is kept, "outputs of leases", message)
        elif isinstance(message, p.Final):
            self._leaving(wid, message.leaving)
            audit.output(wid, message.lease, message.body)
            audit.done(wid, (message.lease,))
            more = self._following(process, message)
            for final in more:
                audit.output(wid, final.lease, final.body)
                audit.done(wid, (final.lease,))
            self._tell(lambda: self._finished(wid, [message, *more]))
        elif isinstance(message, p.Done):
            self._leaving(wid, message.leaving)
            audit.done(wid, message.leases)
            self._tell(lambda: ledger.done(wid, message.leases, message.seconds))
        elif isinstance(message, p.Raised):
            audit.raised(wid, message.leases)
            self._tell(lambda: ledger.raised(wid, message.leases, "error"))
        elif isinstance(message, p.Back):
            audit.returned(wid, message.queue, message.leases)
            self._tell(lambda: ledger.returned(wid, message.queue, message.leases))
        elif isinstance(message, p.Pause):
            audit.pause(wid, message.paused)
            self._tell(lambda: ledger.paused(wid, message.paused))
        elif isinstance(message, p.Left):
            self._leaving(wid, True)
        else:
            self._lost(process)

    def _leaving(self, wid: int, leaving: bool) -> None:
        if leaving:
            self.audit.leave(wid)
            self.ledger.leaving(wid)

    def _following(self, process: p.Process, message: p.Final) -> list[p.Final]:
        """Ends of cycles under the leases that follow, which have come together with this one."""
        more: list[p.Final] = []
        while process.up and not message.leaving:
            final = process.up[0]
            if (
                not isinstance(final, p.Final)
                or final.leaving
                or final.lease != message.lease + len(more) + 1
            ):
                break
            more.append(final)
            process.up.popleft()
        return more

    def _finished(self, wid: int, finals: list[p.Final]) -> list[Command]:
        if len(finals) > 1:
            outputs, seconds = [final.body for final in finals], sum(final.seconds for final in finals)
            commands = self.ledger.finished_all(wid, finals[0].lease, outputs, seconds)
            if commands is not None:
                return commands
        return [
            command
            for final in finals
            for command in self.ledger.finished(wid, final.lease, final.body, final.seconds)
        ]

    def _want(self, wid: int, queue: int, count: int) -> None:
        if wid in self.audit.held:
            self.audit.wanted[wid, queue] = count
        self._tell(lambda: self.ledger.wanted(wid, queue, count))

    def _lost(self, process: Process) -> None:
        wid, slot = process.wid, process.slot
        del self.processes[wid]
        self.audit.gone(wid, killed=not process.left)
        self._tell(lambda: (self.ledger.left if process.left else self.ledger.lost)(wid, *_cause(process)))
        if not process.left and slot not in self._closing:
            self.start(slot)
        else:
            self.audit.slot_closed(slot)
            self._tell(lambda: self.ledger.slot_closed(slot))

    # to the end

    def settle(self) -> None:
        """All messages arrive, all who wait wake up."""
        for _ in range(ROUNDS_MAX):
            moved = False
            for process in list(self.processes.values()):
                while process.down:
                    process.hear()
                    moved = True
                while process.up and process.wid in self.processes:
                    self.listen(process)
                    moved = True
                for queue in range(self._queues) if process.running else ():
                    while process.may_wake(queue):
                        process.wake(queue)
                        moved = True
            if not moved:
                return
        check(False, "messages come to an end", [process.up for process in self.processes.values()])

    def drain(self) -> None:
        """Nothing new comes, everybody works: first past one who does not, then all."""
        for feeder in list(self.feeders):
            self.end_feed(feeder)
        self.settle()
        for process in self.alive:
            if process.left:
                process.die(0)
        self.settle()
        if not self.alive:
            self.start()
        stuck = self._choose_stuck()
        for process in self.alive:
            if process.paused and process is not stuck:
                process.pause(False)
        self.settle()
        if stuck is not None:
            self._work_until_still(without=stuck)
            others = {parcel for parcel, place in self.audit.place.items() if place != "kept"}
            hoarded = others - stuck.beyond_recall
            check(not hoarded, "nothing waits behind a long chunk", hoarded)
            if stuck.paused:
                stuck.pause(False)
        self._work_until_still()
        check(not self.audit.place, "everything comes to its end", self.audit.place)
        check(not self.audit.puts, "every put goes in", self.audit.puts)
        self._check_told()

    def _choose_stuck(self) -> Process | None:
        """The one who holds most that it has not taken: its main thread does nothing more for a while."""
        held = [
            process for process in self.alive if process.main_is_free and any(map(_hoard, process.inboxes))
        ]
        if len(self.alive) < 2 or not held:
            return None
        return max(held, key=lambda process: sum(map(_hoard, process.inboxes)))

    def _work_until_still(self, without: Process | None = None) -> None:
        for _ in range(ROUNDS_MAX):
            self.settle()
            moved = False
            for process in [process for process in self.alive if process is not without]:
                moved |= self._work(process)
            if not moved and not any(process.up or process.down for process in self.processes.values()):
                if self.later:
                    self.due(self.later[0])
                    continue
                if not self.audit.reminders:
                    return
                self.remind(min(self.audit.reminders))
        check(False, "work comes to an end", self.audit.place)

    def _work(self, process: Process) -> bool:
        """Take all that is here, end the cycle, and let a mate wait at every queue."""
        moved = False
        for queue, inbox in enumerate(process.inboxes):
            while process.main_is_free and inbox.items:
                process.get(queue)
                moved = True
            if not process.mates_at[queue]:
                process.get(queue, mate=True)
                moved = True
        if process.cycle and process.main_is_free:
            process.end_cycle(0.001)
            moved = True
        elif process.cycle and process.main_at is not None and not process.inboxes[process.main_at].items:
            process.time_out(process.main_at)
            moved = True
        return moved

    def _check_told(self) -> None:
        """At an ended queue everyone who waits was told so once, if tokens are on."""
        for queue, feeds in self.audit.feeds.items():
            if not feeds and self.ledger.tokens:
                waiting = {(wid, queue) for wid in self.audit.hungry(queue)}
                check(waiting <= self.audit.told, "every worker is told to stop", waiting - self.audit.told)


def _hoard(inbox: p.Inbox) -> int:
    return max(0, sum(item.lease > 0 for item in inbox.items) - inbox.waiting)


def _cause(process: Process) -> tuple[str, ...]:
    return () if process.left else ("killed",)
