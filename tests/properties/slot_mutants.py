"""Slot machines with one defect each. The state machine has to find every one, by the rule that it breaks."""

from __future__ import annotations

from eisenmp.core.slots import (
    CRASHED,
    NEVER,
    SERVING,
    STARTING,
    Checked,
    Command,
    Drain,
    Ended,
    Kept,
    Kill,
    Process,
    Rotate,
    SlotMachine,
    Start,
    Terminate,
)


class Mutant(SlotMachine):
    """`breaks`: the rules of which one must be found broken."""

    breaks: frozenset[str] = frozenset()


class NoPause(Mutant):
    """A crashed process is started at once."""

    breaks = frozenset({"no start before the pause is over"})

    def _ended(self, event: Ended, now: float) -> list[Command]:
        commands = super()._ended(event, now)
        if self.rest == CRASHED and self.current is None and self.resume_at < NEVER:
            self.resume_at = now
        return commands


class SpareInHaste(Mutant):
    """A spare takes over at once, however short the one before it has served."""

    breaks = frozenset({"no start before the pause is over"})

    def _ended(self, event: Ended, now: float) -> list[Command]:
        commands = super()._ended(event, now)
        if event.spare and self.rest == CRASHED and self.resume_at < NEVER:
            self.resume_at = now
        return commands


class SpareUnused(Mutant):
    """A spare waits like everybody."""

    breaks = frozenset({"a spare takes over at once"})

    def _ended(self, event: Ended, now: float) -> list[Command]:
        return super()._ended(event._replace(spare=False), now)


class SamePause(Mutant):
    """Pauses do not grow."""

    breaks = frozenset({"no start before the pause is over"})

    def _ended(self, event: Ended, now: float) -> list[Command]:
        self.attempts = 0
        return super()._ended(event, now)


class NeverGivesUp(Mutant):
    """The number of restarts does not count."""

    breaks = frozenset({"no start over the intensity"})

    def _ended(self, event: Ended, now: float) -> list[Command]:
        self.restarts = []
        return super()._ended(event, now)


class GivesUpEarly(Mutant):
    """Crashes of long ago count for ever."""

    breaks = frozenset({"given up over the intensity only"})

    def _ended(self, event: Ended, now: float) -> list[Command]:
        self.restarts = [now for _ in self.restarts]
        return super()._ended(event, now)


class OldFirst(Mutant):
    """A reload ends the old process before there is a new one."""

    breaks = frozenset({"the old one stays until the new one serves"})

    def _replace(self, now: float) -> list[Command]:
        commands = super()._replace(now)
        if self.successor is not None and self.current is not None and self.current.phase == SERVING:
            commands.append(Drain(self.current.number))
        return commands


class BadReload(Mutant):
    """The old process goes when its successor has failed."""

    breaks = frozenset({"the old one stays until the new one serves"})

    def _ended(self, event: Ended, now: float) -> list[Command]:
        commands = super()._ended(event, now)
        kept = any(isinstance(command, Kept) for command in commands)
        if kept and self.current is not None and self.current.phase == SERVING:
            commands += self._kill(self.current, "its successor has failed")
        return commands


class ForgetsOld(Mutant):
    """The old process is not told that it may go."""

    breaks = frozenset(
        {
            "no start over the intensity",
            "it comes to rest",
            "a wanted slot serves",
            "all leave when none is wanted",
            "one serves and one follows",
        }
    )

    def _leave(self, process: Process, now: float) -> list[Command]:
        if self.current is process:
            return super()._leave(process, now)
        return []


class KillsTheSick(Mutant):
    """A failed check kills a process that is still starting."""

    breaks = frozenset({"a check kills nobody"})

    def _checked(self, event: Checked, now: float) -> list[Command]:
        process = self._find(event.process)
        if process is not None and not event.passed and process.phase != SERVING and not process.cause:
            return self._kill(process, "a check has failed")
        return super()._checked(event, now)


class Hasty(Mutant):
    """A start has half of its time."""

    breaks = frozenset({"a start has its time"})

    def _new(self, now: float) -> Process:
        process = super()._new(now)
        process.deadline = now + self.policy.ready_timeout / 2
        return process


class Unchecked(Mutant):
    """A process serves before its first check."""

    breaks = frozenset({"nothing serves before its check"})

    def _ready(self, number: int, now: float) -> list[Command]:
        process = self._find(number)
        return self._serve(process, now) if process is not None and process.phase == STARTING else []


class StaysInRotation(Mutant):
    """A sick process gets connections."""

    breaks = frozenset({"connections come where somebody serves"})

    def _checked(self, event: Checked, now: float) -> list[Command]:
        commands = super()._checked(event, now)
        return [command for command in commands if command != Rotate(False)]


class NoPatience(Mutant):
    """Whoever drains is killed."""

    breaks = frozenset({"SIGTERM before SIGKILL"})

    def _tick(self, now: float) -> list[Command]:
        commands = super()._tick(now)
        return [Kill(command.process) if isinstance(command, Terminate) else command for command in commands]


class EndlessDrain(Mutant):
    """Whoever drains may take for ever."""

    breaks = frozenset({"whoever leaves is gone in the end"})

    def _leave(self, process: Process, now: float) -> list[Command]:
        commands = super()._leave(process, now)
        process.deadline = NEVER
        return commands


class NeverComesBack(Mutant):
    """A crash in the pause of another is the end."""

    breaks = frozenset({"it comes to rest"})

    def _ended(self, event: Ended, now: float) -> list[Command]:
        commands = super()._ended(event, now)
        if self.rest == CRASHED and self.attempts > 1:
            self.resume_at = NEVER
        return commands


class SecondLife(Mutant):
    """A slot that is not wanted any more is started again."""

    breaks = frozenset({"started only where wanted"})

    def _retire(self, now: float) -> list[Command]:
        resume_at, rest = self.resume_at, self.rest
        commands = super()._retire(now)
        self.resume_at, self.rest = resume_at, rest
        return commands


class OldNumber(Mutant):
    """Numbers come again."""

    breaks = frozenset({"a number is used once"})

    def _start(self, now: float) -> list[Command]:
        self._numbers = 0
        commands = super()._start(now)
        assert isinstance(commands[0], Start)
        return commands


MUTANTS: tuple[type[Mutant], ...] = tuple(Mutant.__subclasses__())
