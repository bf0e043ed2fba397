"""What a slot machine lives in: processes that obey, die, hang and ignore; and the rules that it is held to."""

from __future__ import annotations

from eisenmp.core.slots import (
    CRASHED,
    FAILED,
    LIVE,
    SERVING,
    UNHEALTHY,
    Begin,
    Checked,
    Command,
    Drain,
    Ended,
    Enter,
    Event,
    GaveUp,
    Kept,
    Kill,
    Policy,
    Ready,
    Replace,
    Retire,
    Rotate,
    SlotMachine,
    Start,
    Terminate,
    Tick,
)

from .audit import Violation

PATIENCE = 200  #: steps in which a slot must come to rest


class Fake:
    """A process as the system sees it."""

    def __init__(self, number: int, now: float) -> None:
        self.number = number
        self.started = now
        self.up = False
        self.entered = 0.0
        self.served = False
        self.failures = 0
        self.told = ""  #: Drain, Terminate or Kill
        self.told_at = now
        self.leaves = False  #: it is not the slot's any more


class SlotWorld:
    """Carries out the commands of a machine, and keeps its own books on what may follow."""

    def __init__(self, machine: SlotMachine, policy: Policy) -> None:
        self.machine = machine
        self.policy = policy
        self.now = 100.0
        self.alive: dict[int, Fake] = {}
        self.used: set[int] = set()
        self.owner: int | None = None  #: the process that serves
        self.takes = False
        self.wanted = False
        self.not_before = 0.0  #: when the pause after a crash is over
        self.pause = policy.backoff
        self.crashes: list[float] = []
        self.gave_up = False
        self.kept = 0
        self.broken = False  #: a rule is: what comes after says nothing

    def check(self, rule: str, holds: bool) -> None:
        if not holds:
            self.broken = True
            raise Violation(rule, "the slot machine")

    # what happens

    def handle(self, event: Event) -> None:
        before = self.owner
        for command in self.machine.handle(event, self.now):
            self._do(command, event)
        self._look(event, before)

    def begin(self) -> None:
        if not self.wanted or self.machine.phase == FAILED:
            self.pause, self.crashes, self.gave_up = self.policy.backoff, [], False
            self.not_before = self.now
        self.wanted = True
        self.handle(Begin())

    def replace(self) -> None:
        if self.machine.phase in (FAILED, CRASHED):
            self.not_before = self.now
        if self.machine.phase == FAILED:
            self.pause, self.crashes, self.gave_up = self.policy.backoff, [], False
        self.handle(Replace("asked for"))

    def retire(self) -> None:
        self.wanted = False
        self.gave_up = False
        self.handle(Retire())
        self.owner = None
        self.check("all leave when none is wanted", all(fake.told for fake in self.alive.values()))

    def come_up(self, fake: Fake) -> None:
        fake.up = True
        self.handle(Ready(fake.number))
        if not self.policy.checked and not fake.told and self.wanted:
            self.check("who is ready serves", fake.served)

    def examine(self, fake: Fake, passed: bool) -> None:
        fake.failures = 0 if passed else fake.failures + 1
        told = fake.told
        self.handle(Checked(fake.number, passed))
        self.check("a check kills nobody", fake.told == told or fake.told != "Kill")
        if fake.number == self.owner and fake.served:
            sick = self.machine.phase == UNHEALTHY
            if passed:
                self.check("healthy again with a check that passes", not sick)
            elif fake.failures >= self.policy.failures_max:
                self.check("unhealthy after failures_max checks", sick)

    def die(self, fake: Fake, *, spare: bool = False) -> None:
        del self.alive[fake.number]
        others = [other.number for other in self.alive.values() if not other.leaves]
        first = fake.number == self.owner or (
            self.owner is None and fake.number < min(others, default=99_999)
        )
        crashed = self.wanted and not fake.leaves and first
        kept, was_owner = self.kept, fake.number == self.owner
        if was_owner:
            self.owner = None
        at_once = crashed and self._crashed(fake, spare, bool(others))
        self.handle(Ended(fake.number, "it died", spare))
        if at_once and len(self.crashes) <= self.policy.restarts_max:
            started = any(other.started == self.now and not other.told for other in self.alive.values())
            self.check("a spare takes over at once", started)
        if not crashed and self.wanted and not fake.leaves and self.owner is not None:
            self.check("a start that fails keeps the old one", self.kept == kept + 1)

    def _crashed(self, fake: Fake, spare: bool, followed: bool) -> bool:
        """Whether a spare is to take over at once."""
        if fake.served and self.now - fake.entered >= self.policy.calm:
            self.pause = self.policy.backoff
        within = self.policy.restarts_within
        self.crashes = [at for at in self.crashes if self.now - at < within] + [self.now]
        if followed:
            return False
        long_enough = self.pause == self.policy.backoff or self.now - fake.entered >= self.pause
        at_once = spare and fake.served and long_enough
        self.not_before = self.now if at_once else self.now + self.pause
        self.pause = min(self.policy.backoff_max, self.pause * 2)
        return at_once

    def wait(self, seconds: float) -> None:
        """Time goes by; the machine is woken when it wants to be."""
        until = self.now + seconds
        for _ in range(PATIENCE):
            due = self.machine.due
            if due > until:
                break
            self.now = max(self.now, due)
            self.handle(Tick())
        else:
            self.check("a tick changes what is due", False)
        self.now = until

    # what the machine says

    def _do(self, command: Command, event: Event) -> None:
        if isinstance(command, Start):
            self._start(command.process, event)
        elif isinstance(command, Enter):
            fake = self.alive.get(command.process)
            self.check("who enters is up", fake is not None and fake.up and not fake.told)
            assert fake is not None
            passed = not self.policy.checked or isinstance(event, Checked)
            self.check("nothing serves before its check", passed)
            self.owner, fake.served, fake.entered = fake.number, True, self.now
        elif isinstance(command, Rotate):
            self.takes = command.takes
        elif isinstance(command, Kept):
            self.kept += 1
        elif isinstance(command, GaveUp):
            self.check("given up over the intensity only", len(self.crashes) > self.policy.restarts_max)
            self.gave_up = True
        else:
            self._tell(command, event)

    def _start(self, number: int, event: Event) -> None:
        self.check("a number is used once", number not in self.used)
        self.used.add(number)
        if self.owner is None and not isinstance(event, Replace):
            self.check("no start before the pause is over", self.now >= self.not_before)
            self.check("no start over the intensity", len(self.crashes) <= self.policy.restarts_max)
        self.check("started only where wanted", self.wanted)
        self.alive[number] = Fake(number, self.now)
        here = [fake for fake in self.alive.values() if not fake.told]
        self.check("one serves and one follows", len(here) <= 2)

    def _tell(self, command: Drain | Terminate | Kill, event: Event) -> None:
        fake = self.alive.get(command.process)
        self.check("only who is there is told", fake is not None)
        assert fake is not None
        word = type(command).__name__
        if isinstance(command, Drain):
            self.check("who drains has served", fake.served)
        elif isinstance(command, Terminate):
            self.check("asked before it is told", fake.told == "Drain")
            self.check("it has its time to drain", self.now >= fake.told_at + self.policy.drain)
        elif fake.told:
            waited = self.now >= fake.told_at + self.policy.stop_timeout
            patient = fake.told == "Kill" or (fake.told == "Terminate" and waited)
            self.check("SIGTERM before SIGKILL", patient)
        elif self.wanted and isinstance(event, Tick):
            late = self.now >= fake.started + self.policy.ready_timeout
            self.check("a start has its time", late and not fake.served)
        if self.wanted and not fake.told and fake.served:
            self.check("the old one stays until the new one serves", self.owner != fake.number)
        fake.leaves = fake.leaves or not isinstance(event, Tick)
        if not (fake.told == "Kill" and word == "Kill"):
            fake.told, fake.told_at = word, self.now

    def _look(self, event: Event, before: int | None) -> None:
        machine = self.machine
        serving = machine.phase == SERVING
        self.check("connections come where somebody serves", self.takes == serving)
        if self.owner is not None and self.wanted:
            self.check("who serves is the slot's", machine.phase in LIVE)
        if self.gave_up:
            self.check(
                "failed stays failed", machine.phase == FAILED or isinstance(event, Begin | Replace | Retire)
            )

    def finish(self) -> None:
        """Every process does what it should from now on: a wanted slot serves, and nobody else is left."""
        for _ in range(PATIENCE):
            for fake in list(self.alive.values()):
                if fake.told in ("Kill", "Drain", "Terminate"):
                    self.die(fake)
                elif not fake.up:
                    self.come_up(fake)
                elif self.policy.checked:
                    self.examine(fake, True)
            if self.machine.settled and not any(fake.told for fake in self.alive.values()):
                break
            if self.machine.due < float("inf"):
                self.wait(max(0.0, self.machine.due - self.now))
        self.check("it comes to rest", self.machine.settled)
        if not self.wanted:
            self.check("a slot that is not wanted is empty", not self.alive)
        elif not self.gave_up:
            self.check("a wanted slot serves", self.machine.phase == SERVING and len(self.alive) == 1)

    def outlast(self) -> None:
        """Nobody obeys but to SIGKILL: whoever leaves is gone in bounded time."""
        for _ in range(PATIENCE):
            for fake in [fake for fake in self.alive.values() if fake.told == "Kill"]:
                self.die(fake)
            if not self.machine.leaving:
                return
            if self.machine.due == float("inf"):
                break
            self.wait(max(0.0, self.machine.due - self.now))
        self.check("whoever leaves is gone in the end", False)
