"""The state machine: all that feeders, putters, workers and the wire may do, in any order."""

from __future__ import annotations

from collections.abc import Callable

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from eisenmp.core import messages as m
from eisenmp.core.failing import CANCELLED, TIMED_OUT
from eisenmp.core.ledger import Ledger

from .process import Process
from .world import World

PICK = st.integers(0, 11)
TINY = 0.00001
SECONDS = st.sampled_from([TINY, 0.0008, 0.02, 3.0])
MATES_MAX = 2
LIVING_MAX = 4


class LedgerMachine(RuleBasedStateMachine):
    """Drives a ledger; `make_ledger` is replaced to see a broken one fail."""

    few = 0  #: workers that are kept busy with tiny chunks
    make_ledger: Callable[..., Ledger] = staticmethod(Ledger)
    world: World

    @initialize(
        maxsizes=st.lists(st.sampled_from([0, 1, 1, 2, 5]), min_size=1, max_size=3),
        slots=st.integers(2, 3),
        tries=st.tuples(st.integers(0, 2), st.integers(0, 1)),
        tokens=st.sampled_from([True, True, True, False]),
        taken=st.integers(0, 3),
        flags=st.sampled_from([0, 0, m.LISTED]),
        failing=st.sampled_from([(False, False), (True, True), (True, False), (False, True)]),
    )
    def open(
        self,
        maxsizes: list[int],
        slots: int,
        tries: tuple[int, int],
        tokens: bool,
        taken: int,
        flags: int,
        failing: tuple[bool, bool],
    ) -> None:
        ledger = self.make_ledger(deaths=tries[0], raises=tries[1])
        ledger.tokens = tokens
        ledger.few = self.few
        delays, ledger.budget.cuts = failing
        if delays:
            ledger.delay = float
        self.world = World(ledger, maxsizes, slots)
        self.world.audit.delays = delays
        self.world.open_feed(0, flags)
        for process in self.world.alive[:taken]:
            process.get(0)
            self.world.offer(self.world.feeders[0])
        self.world.settle()

    def teardown(self) -> None:
        world = getattr(self, "world", None)
        if world is not None and not world.broken:
            world.drain()

    def _took(self, seconds: float) -> float:
        return min(seconds, TINY) if self.few else seconds

    # feeders and putters

    @precondition(lambda self: self.world.feeders)
    @rule(which=PICK, count=st.integers(1, 8))
    def offer(self, which: int, count: int) -> None:
        feeders = self.world.feeders
        self.world.offer(feeders[which % len(feeders)], count)

    @rule(kind=st.sampled_from(["open", "end", "drop"]), which=PICK)
    def feed(self, kind: str, which: int) -> None:
        world = self.world
        if kind == "drop":
            feeders = [*world.feeders, *world.over]
            world.drop_feed(feeders[which % len(feeders)])
        elif kind == "end" and world.feeders:
            world.end_feed(world.feeders[which % len(world.feeders)])
        elif len(world.feeders) < 3:
            world.open_feed(which % world.queues, m.LISTED if which % 2 else 0)

    @rule(kind=st.sampled_from(["put", "put", "take", "withdraw"]), which=PICK)
    def put(self, kind: str, which: int) -> None:
        world = self.world
        queue = (world.queues - 1 - which) % world.queues
        if kind == "put":
            world.put(queue)
        elif kind == "take":
            world.take(queue)
        elif puts := list(world.audit.puts.items()):
            put, parcel = puts[which % len(puts)]
            world.withdraw(put, parcel.queue)

    @precondition(lambda self: self.world.feeders)
    @rule(which=PICK, puts=st.integers(0, 2), drops=st.booleans())
    def fill(self, which: int, puts: int, drops: bool) -> None:
        """Chunks until nobody takes more, then puts that have to wait if there is a bound."""
        feeder = self.world.feeders[which % len(self.world.feeders)]
        for _ in range(4):
            self.world.offer(feeder, 8)
        for _ in range(puts):
            self.world.put(feeder.queue)
        if drops:
            self.world.drop_feed(feeder)

    @precondition(lambda self: self.world.later)
    @rule(which=PICK)
    def due(self, which: int) -> None:
        later = self.world.later
        self.world.due(later[which % len(later)])

    @rule(
        which=PICK,
        lease=PICK,
        kind=st.sampled_from([TIMED_OUT, TIMED_OUT, CANCELLED]),
        done=st.integers(-1, 4),
        cutting_fails=st.booleans(),
        killed=st.booleans(),
    )
    def expire(self, which: int, lease: int, kind: str, done: int, cutting_fails: bool, killed: bool) -> None:
        """A chunk takes too long or is cancelled; then its worker is killed, or lets go of it in time."""
        world = self.world
        process = self._any(which, lambda process: bool(world.audit.held.get(process.wid)))
        if process is None:
            return
        leases = [number for number, parcel in world.audit.held[process.wid].items() if parcel.feed]
        if not leases:
            return
        world.cutting_fails = cutting_fails
        world.expire(process, leases[lease % len(leases)], kind, done)
        if killed:
            world.kill(process, 0, replaced=True)

    @rule(which=PICK)
    def drop_ticket(self, which: int) -> None:
        audit = self.world.audit
        waiting = [
            parcel for parcel, place in audit.place.items() if parcel.feed and place in ("waiting", "delayed")
        ]
        if waiting:
            self.world.drop_ticket(waiting[which % len(waiting)])

    @precondition(lambda self: self.world.audit.reminders)
    @rule()
    def remind(self) -> None:
        self.world.remind(min(self.world.audit.reminders))

    # processes

    def _one(self, which: int, able: Callable[[Process], bool] = lambda process: True) -> Process | None:
        """One whose worker is called, if there is one that is able."""
        return self._any(which, lambda process: not process.left and able(process))

    def _any(self, which: int, able: Callable[[Process], bool]) -> Process | None:
        processes = [process for process in self.world.alive if able(process)]
        return processes[which % len(processes)] if processes else None

    @rule(kind=st.sampled_from(["main", "main", "mate", "poll", "now"]), which=PICK, queue=PICK)
    def get(self, kind: str, which: int, queue: int) -> None:
        queue %= self.world.queues
        process = self._any(which, lambda process: kind in ("mate", "poll") or process.may_take)
        if process is None:
            return
        if kind == "main":
            process.get(queue)
        elif kind == "mate" and process.mates_at.total() < MATES_MAX:
            process.get(queue, mate=True)
        elif kind == "now":
            process.ask_now(queue)
        elif kind == "poll" and self.world.ledger.queues[queue].fed:
            process.poll(queue)

    @rule(which=PICK, queue=PICK, times_out=st.booleans())
    def stop_waiting(self, which: int, queue: int, times_out: bool) -> None:
        queue %= self.world.queues
        if process := self._any(which, lambda process: process.waits_at(queue)):
            (process.time_out if times_out else process.wake)(queue)

    @rule(kind=st.sampled_from(["end", "end", "output", "output", "raise"]), which=PICK, seconds=SECONDS)
    def cycle(self, kind: str, which: int, seconds: float) -> None:
        process = self._one(which, lambda process: process.main_is_free and bool(process.cycle))
        if process is None:
            return
        if kind == "end":
            process.end_cycle(self._took(seconds))
        elif kind == "output":
            process.output(which, f"output {which}")
        else:
            process.fail_cycle()

    @rule(which=PICK, seconds=SECONDS, count=st.integers(1, 6))
    def work(self, which: int, seconds: float, count: int) -> None:
        """Whole cycles of one chunk each, and what comes in is heard."""
        process = self._one(which, lambda process: process.main_is_free)
        for _ in range(count if process is not None else 0):
            assert process is not None
            process.end_cycle(self._took(seconds))
            queue = next((queue for queue, inbox in enumerate(process.inboxes) if inbox.items), None)
            if queue is None or not process.may_take:
                return
            process.get(queue)

    @rule(
        kind=st.sampled_from(["kill", "kill", "kill", "pause", "pause", "start", "leave"]),
        which=PICK,
        how=st.integers(0, 3),
    )
    def disturb(self, kind: str, which: int, how: int) -> None:
        world = self.world
        process = self._any(which, lambda process: not process.left or kind == "kill")
        if kind == "start" or process is None:
            if len(world.alive) < LIVING_MAX:
                world.start()
        elif kind == "pause":
            process.pause(not process.paused)
        elif kind == "kill":
            world.kill(process, how, replaced=how < 3)
        elif process.asking is None:
            for queue in range(world.queues if how > 1 else 0):
                if world.ledger.queues[queue].fed:
                    process.poll(queue)
            if how and process.main_at is None:
                process.end_cycle(0.001, leaving=True)
            process.leave()

    @rule(which=PICK, queue=PICK, count=st.integers(1, 3), replaced=st.sampled_from([True, True, False]))
    def crash(self, which: int, queue: int, count: int, replaced: bool) -> None:
        """A worker takes something, sends something, and dies of it."""
        process = self._one(which, lambda process: process.may_take)
        if process is None:
            return
        for _ in range(count):
            if process.may_take:
                process.get(queue % self.world.queues)
                self.world.settle()
            if process.main_at is not None:
                process.time_out(process.main_at)
        for item in range(len(process.cycle)):
            process.output(item, "output before a death")
        while process.up:
            self.world.listen(process)
        self.world.kill(process, 0, replaced=replaced)

    @rule(which=PICK, times=st.integers(2, 5))
    def poison(self, which: int, times: int) -> None:
        """Whoever takes what stands first dies of it, again and again."""
        world = self.world
        if world.feeders:
            world.offer(world.feeders[which % len(world.feeders)], 2)
        for _ in range(times):
            while world.later:
                world.due(world.later[0])
            heads = [queue.waiting[0] for queue in world.ledger.queues.values() if queue.waiting]
            heads += [parcel for held in world.audit.held.values() for parcel in held.values()]
            process = self._one(which, lambda process: process.may_take)
            if process is None or not heads:
                return
            process.get(heads[0].queue)
            world.settle()
            while process.up:
                world.listen(process)
            world.kill(process, 0, replaced=True)
            world.settle()

    @rule(which=PICK, queue=PICK)
    def nap(self, which: int, queue: int) -> None:
        """A worker that waits is paused, misses something, and goes on."""
        process = self._one(which, lambda process: not process.paused)
        if process is not None:
            queue %= self.world.queues
            if not process.waits_at(queue):
                process.get(queue, mate=True)
            process.pause(True)
            self.world.settle()
            self.world.put(queue)
            self.world.settle()
            process.pause(False)

    # the wire

    @precondition(lambda self: any(process.up for process in self.world.processes.values()))
    @rule(which=PICK, count=st.integers(1, 4))
    def listen(self, which: int, count: int) -> None:
        speaking = [process for process in self.world.processes.values() if process.up]
        process = speaking[which % len(speaking)]
        for _ in range(min(count, len(process.up))):
            self.world.listen(process)

    @precondition(lambda self: any(process.down for process in self.world.alive))
    @rule(which=PICK, count=st.integers(1, 4))
    def hear(self, which: int, count: int) -> None:
        spoken_to = [process for process in self.world.alive if process.down]
        process = spoken_to[which % len(spoken_to)]
        for _ in range(min(count, len(process.down))):
            process.hear()

    @rule()
    def settle(self) -> None:
        self.world.settle()


class CrowdMachine(LedgerMachine):
    """Tiny chunks, for which one or two of the workers are enough."""

    few = 1

    @precondition(lambda self: self.world.feeders)
    @rule(which=PICK, count=st.integers(1, 70), pauses=st.booleans())
    def flood(self, which: int, count: int, pauses: bool) -> None:
        """All have taken chunks before and are idle, but for some; then come more."""
        world = self.world
        feeder = world.feeders[which % len(world.feeders)]
        free = [process for process in world.alive if process.main_is_free and not process.paused]
        for process in free:
            if process.may_take:
                process.get(feeder.queue)
                world.offer(feeder)
                world.settle()
        for process in free[self.few :]:
            if process.main_is_free and process.cycle:
                process.end_cycle(TINY)
                world.settle()
            if process.may_take:
                process.get(feeder.queue)
                world.settle()
        if pauses and len(free) > self.few:
            free[-1].pause(True)
            world.settle()
        for _ in range(3):
            world.offer(feeder, count)
