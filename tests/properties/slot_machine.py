"""The state machine: all that processes, checks, operators and the clock may do to a slot, in any order."""

from __future__ import annotations

from collections.abc import Callable

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from eisenmp.core.slots import Policy, SlotMachine

from .slot_world import Fake, SlotWorld

PICK = st.integers(0, 7)


class SlotsMachine(RuleBasedStateMachine):
    """Drives one slot; `make_machine` is replaced to see a broken one fail."""

    make_machine: Callable[[Policy], SlotMachine] = staticmethod(SlotMachine)
    world: SlotWorld

    @initialize(
        checked=st.sampled_from([True, True, False]), restarts=st.integers(1, 4), failures=st.integers(1, 3)
    )
    def open(self, checked: bool, restarts: int, failures: int) -> None:
        policy = Policy(
            restarts_max=restarts,
            restarts_within=60.0,
            ready_timeout=5.0,
            drain=10.0,
            calm=20.0,
            checked=checked,
            failures_max=failures,
        )
        self.world = SlotWorld(self.make_machine(policy), policy)
        self.world.begin()

    def teardown(self) -> None:
        if hasattr(self, "world") and not self.world.broken:
            self.world.outlast()
            self.world.finish()

    def _one(self, which: int, able: Callable[[Fake], bool]) -> Fake | None:
        able_ones = [fake for fake in self.world.alive.values() if able(fake)]
        return able_ones[which % len(able_ones)] if able_ones else None

    @rule(which=PICK)
    def come_up(self, which: int) -> None:
        if fake := self._one(which, lambda fake: not fake.up):
            self.world.come_up(fake)

    @rule(which=PICK, passed=st.booleans(), times=st.integers(1, 3))
    def examine(self, which: int, passed: bool, times: int) -> None:
        for _ in range(times if self.world.policy.checked else 0):
            if fake := self._one(which, lambda fake: fake.up):
                self.world.examine(fake, passed)

    @rule(passes=st.integers(0, 1), fails=st.integers(0, 3))
    def sicken(self, passes: int, fails: int) -> None:
        """It comes up, its checks pass, and then they fail."""
        fake = self._one(0, lambda fake: not fake.told)
        if fake is None:
            self.world.begin()
            return
        if not fake.up:
            self.world.come_up(fake)
        for passed in [True] * passes + [False] * fails:
            if self.world.policy.checked and fake.number in self.world.alive:
                self.world.examine(fake, passed)

    @rule(which=PICK, spare=st.booleans())
    def die(self, which: int, spare: bool) -> None:
        if fake := self._one(which, lambda fake: True):
            self.world.die(fake, spare=spare)

    @rule(
        times=st.integers(2, 6),
        spare=st.booleans(),
        gap=st.sampled_from([0.0, 0.0, 61.0]),
        ends=st.booleans(),
    )
    def crash(self, times: int, spare: bool, gap: float, ends: bool) -> None:
        """It comes up and dies, again and again; in the end nobody wants it any more."""
        for turn in range(times):
            if turn == 2:
                self.world.wait(gap)
            fake = self._one(0, lambda fake: not fake.told)
            if fake is not None:
                if not fake.up:
                    self.world.come_up(fake)
                self.world.die(fake, spare=spare)
            elif self.world.machine.due < float("inf"):
                self.world.wait(max(0.0, self.world.machine.due - self.world.now))
        if ends:
            self.world.retire()
            self.world.wait(31.0)

    @rule(seconds=st.sampled_from([0.01, 0.1, 0.5, 3.0, 6.0, 25.0, 70.0]))
    def wait(self, seconds: float) -> None:
        self.world.wait(seconds)

    @rule()
    def replace(self) -> None:
        self.world.replace()

    @precondition(lambda self: self.world.owner is not None)
    @rule(goes_well=st.booleans())
    def reload(self, goes_well: bool) -> None:
        """A successor is asked for, and serves or dies before it does."""
        self.world.replace()
        fake = self._one(0, lambda fake: not fake.up)
        if fake is not None and goes_well:
            self.world.come_up(fake)
            if self.world.policy.checked:
                self.world.examine(fake, True)
        elif fake is not None:
            self.world.die(fake)

    @rule()
    def retire(self) -> None:
        self.world.retire()

    @precondition(lambda self: self.world.owner is not None)
    @rule(seconds=st.sampled_from([5.0, 11.0]))
    def hang(self, seconds: float) -> None:
        """It is told to leave and does not."""
        self.world.retire()
        self.world.wait(seconds)

    @rule()
    def begin(self) -> None:
        self.world.begin()
