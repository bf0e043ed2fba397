"""The state machine of a supervised server slot: `handle(event, now)` returns what is to be done.

    starting ─▶ ready ─▶ serving ⇄ unhealthy      a successor passes through the same states beside it and
       │          │         │          │          takes its place when it serves; then the old one drains
       └──────────┴── ends ─┴──────────┘
                        ▼
    crashed ── pause, doubled each time ──▶ starting      too many in a short time: failed
    draining ─▶ stopping ─▶ stopped

Each process of the slot has a number, never used twice, by which events and commands speak of it. Time is
seconds on any clock; `due` says when the next `Tick` is wanted.
"""

from __future__ import annotations

from .record import NamedTuple

STARTING = "starting"
READY = "ready"  #: it accepts, and its first health check is awaited
SERVING = "serving"
UNHEALTHY = "unhealthy"
DRAINING = "draining"
STOPPING = "stopping"
STOPPED = "stopped"
CRASHED = "crashed"  #: no process; one is started after a pause
FAILED = "failed"  #: given up
LIVE = (SERVING, UNHEALTHY)
COMING = (STARTING, READY)
NEVER = float("inf")


class Policy(NamedTuple):
    """How patient the machine is; seconds, but for the numbers of restarts and of failed checks."""

    restarts_max: int = 5
    restarts_within: float = 60.0
    backoff: float = 0.1
    backoff_max: float = 30.0
    calm: float = 60.0  #: so long without a crash, and pauses are short again
    ready_timeout: float = 30.0
    drain: float = 30.0  #: for the requests of a process that leaves, the lame duck included
    stop_timeout: float = 2.0  #: between SIGTERM and SIGKILL
    checked: bool = False  #: there is a health check: nothing serves before it has passed once
    failures_max: int = 3  #: failed checks in a row that make a process unhealthy


# events


class Begin(NamedTuple):
    """A process is wanted, also where the slot was stopped or given up."""


class Ready(NamedTuple):
    """The process accepts connections."""

    process: int


class Checked(NamedTuple):
    """A health check of the process has passed or failed."""

    process: int
    passed: bool


class Ended(NamedTuple):
    """The process is gone. `spare`: another one that has loaded could take its place at once."""

    process: int
    cause: str = ""
    spare: bool = False


class Replace(NamedTuple):
    """A new process is wanted in place of the one that is there."""

    reason: str = ""


class Retire(NamedTuple):
    """No process is wanted any more; requests that are running may end."""


class Tick(NamedTuple):
    """The time has come that `due` spoke of."""


# commands


class Start(NamedTuple):
    """Start a process under this number."""

    process: int


class Enter(NamedTuple):
    """From now on this process is the slot's: it serves."""

    process: int


class Rotate(NamedTuple):
    """Let new connections come to the slot, or where others can take them keep them away."""

    takes: bool


class Drain(NamedTuple):
    """Have the process end its requests and leave."""

    process: int


class Terminate(NamedTuple):
    """SIGTERM."""

    process: int


class Kill(NamedTuple):
    """SIGKILL, to all that it has started too."""

    process: int
    cause: str = ""


class Kept(NamedTuple):
    """The process that was to follow has failed; the old one stays."""

    cause: str


class GaveUp(NamedTuple):
    """The slot has failed for good."""

    cause: str


Event = Begin | Ready | Checked | Ended | Replace | Retire | Tick
Command = Start | Enter | Rotate | Drain | Terminate | Kill | Kept | GaveUp


class Process:
    """One process of the slot."""

    __slots__ = ("cause", "deadline", "failures", "number", "phase", "since")

    def __init__(self, number: int, deadline: float) -> None:
        self.number = number
        self.phase = STARTING
        self.deadline = deadline  #: when its phase has taken too long
        self.since = 0.0  #: when it began to serve
        self.failures = 0
        self.cause = ""  #: why it was killed


class SlotMachine:
    """One slot: its process, the one that is to follow, and those that leave."""

    def __init__(self, policy: Policy) -> None:
        self.policy = policy
        self.current: Process | None = None
        self.successor: Process | None = None
        self.leaving: dict[int, Process] = {}
        self.rest = STOPPED  #: what the slot is while no process is in it
        self.resume_at = NEVER
        self.restarts: list[float] = []  #: when, within the time that counts
        self.attempts = 0  #: since it was calm
        self.cause = ""  #: of the last crash
        self._numbers = 0
        self._again = False

    @property
    def phase(self) -> str:
        """What the slot is doing, in one of the words above."""
        if self.current is not None:
            return self.current.phase
        return self.rest if not self.leaving or self.rest != STOPPED else DRAINING

    @property
    def settled(self) -> bool:
        """Whether nothing is about to change by itself."""
        alone = self.successor is None and not self.leaving
        return alone and self.phase in (*LIVE, STOPPED, FAILED)

    @property
    def due(self) -> float:
        """When a Tick is wanted; infinity when none is."""
        deadlines = [process.deadline for process in self._processes()]
        return min([self.resume_at, *deadlines])

    def _processes(self) -> list[Process]:
        present = [process for process in (self.current, self.successor) if process is not None]
        return [*present, *self.leaving.values()]

    def _find(self, number: int) -> Process | None:
        return next((process for process in self._processes() if process.number == number), None)

    def handle(self, event: Event, now: float) -> list[Command]:
        """What is to be done about it, in this order."""
        if isinstance(event, Begin):
            return self._begin(now)
        if isinstance(event, Ready):
            return self._ready(event.process, now)
        if isinstance(event, Checked):
            return self._checked(event, now)
        if isinstance(event, Ended):
            return self._ended(event, now)
        if isinstance(event, Replace):
            return self._replace(now)
        if isinstance(event, Retire):
            return self._retire(now)
        return self._tick(now)

    # coming

    def _begin(self, now: float) -> list[Command]:
        if self.current is not None or self.rest == CRASHED:
            return []
        self.restarts.clear()
        self.attempts = 0
        return self._start(now)

    def _start(self, now: float) -> list[Command]:
        self.rest, self.resume_at = STOPPED, NEVER
        self.current = self._new(now)
        return [Start(self.current.number)]

    def _new(self, now: float) -> Process:
        self._numbers += 1
        return Process(self._numbers, now + self.policy.ready_timeout)

    def _ready(self, number: int, now: float) -> list[Command]:
        process = self._find(number)
        if process is None or process.phase != STARTING:
            return []
        process.phase = READY
        return [] if self.policy.checked else self._serve(process, now)

    def _serve(self, process: Process, now: float) -> list[Command]:
        before = self.current
        process.phase, process.since, process.deadline, process.failures = SERVING, now, NEVER, 0
        commands: list[Command] = [Enter(process.number), Rotate(True)]
        if process is self.successor:
            self.current, self.successor = process, None
            if before is not None:
                commands += self._leave(before, now)
        if self._again:
            self._again = False
            commands += self._replace(now)
        return commands

    def _leave(self, process: Process, now: float) -> list[Command]:
        """It is not the slot's any more: it drains, or ends at once where it has never served."""
        self.leaving[process.number] = process
        if process.phase in LIVE:
            process.phase, process.deadline = DRAINING, now + self.policy.drain
            return [Drain(process.number)]
        return self._kill(process, "it was not needed any more")

    def _kill(self, process: Process, cause: str) -> list[Command]:
        process.phase, process.deadline = STOPPING, NEVER
        process.cause = process.cause or cause
        return [Kill(process.number, process.cause)]

    # health

    def _checked(self, event: Checked, now: float) -> list[Command]:
        process = self._find(event.process)
        if process is None:
            return []
        if event.passed:
            process.failures = 0
            if process.phase == READY:
                return self._serve(process, now)
            if process.phase == UNHEALTHY:
                process.phase = SERVING
                return [Rotate(True)] if process is self.current else []
        elif process.phase == SERVING:
            process.failures += 1
            if process.failures >= self.policy.failures_max:
                process.phase = UNHEALTHY
                return [Rotate(False)] if process is self.current else []
        return []

    # going

    def _ended(self, event: Ended, now: float) -> list[Command]:
        process = self._find(event.process)
        if process is None:
            return []
        if process.number in self.leaving:
            del self.leaving[process.number]
            return []
        cause = process.cause or event.cause
        if process is self.successor:
            self.successor, self._again = None, False
            return [Kept(cause)]
        self.cause = cause
        served, self.current = process.phase in LIVE, None
        if served and now - process.since >= self.policy.calm:
            self.attempts = 0
        self.restarts = [at for at in self.restarts if now - at < self.policy.restarts_within] + [now]
        if self.successor is not None:
            # who was to follow is on its way already
            self.current, self.successor = self.successor, None
            return [Rotate(False)]
        if len(self.restarts) > self.policy.restarts_max:
            self.rest = FAILED
            return [Rotate(False), GaveUp(cause)]
        pause = min(self.policy.backoff_max, self.policy.backoff * 2.0 ** min(self.attempts, 32))
        self.attempts += 1
        if event.spare and served and (self.attempts == 1 or now - process.since >= pause):
            # it has served for longer than the pause would be: no crash follows another here
            return [Rotate(False), *self._start(now)]
        self.rest, self.resume_at = CRASHED, now + pause
        return [Rotate(False)]

    def _replace(self, now: float) -> list[Command]:
        if self.current is None:
            # nothing is there that could go on meanwhile
            if self.rest == CRASHED:
                return self._start(now)
            return self._begin(now) if self.rest == FAILED else []
        if self.successor is not None:
            self._again = True
            return []
        self.successor = self._new(now)
        return [Start(self.successor.number)]

    def _retire(self, now: float) -> list[Command]:
        commands: list[Command] = [Rotate(False)]
        self._again = False
        self.rest, self.resume_at = STOPPED, NEVER
        for process in (self.successor, self.current):
            if process is not None:
                commands += self._leave(process, now)
        self.current = self.successor = None
        return commands

    # time

    def _tick(self, now: float) -> list[Command]:
        commands: list[Command] = []
        for process in self._processes():
            if process.deadline > now:
                continue
            if process.phase in COMING:
                what = "ready" if process.phase == STARTING else "healthy"
                commands += self._kill(
                    process, f"it was not {what} within ready_timeout = {self.policy.ready_timeout:g} s"
                )
            elif process.phase == DRAINING:
                process.phase, process.deadline = STOPPING, now + self.policy.stop_timeout
                commands.append(Terminate(process.number))
            else:
                commands += self._kill(process, "it did not end on SIGTERM")
        if self.resume_at <= now:
            commands += self._start(now)
        return commands
