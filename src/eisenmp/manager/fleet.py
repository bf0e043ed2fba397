"""The server slots of a manager: does what their state machines say. Under the lock of the loop.

supervisor, reception ── up, ended ──▶ SlotMachine ── Start, Drain, Kill … ──▶ crew, engine, kernel
"""

from __future__ import annotations

from functools import partial
from random import uniform

from ..core import messages as m
from ..core import slots as s
from ..core.site import Serving
from ..errors import SettingsError, SlotFailed
from .crew import Slot
from .health import Health
from .rollouts import Rollouts
from .rotation import Rotation
from .server_slot import ServerSlot
from .spares import Spares

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from ..child.loader import Source
    from ..core.ports import PortGroup
    from ..core.rollout import Rollout
    from ..core.settings import Settings
    from ..core.site import Site
    from .cause import Blame
    from .dispatcher import Dispatcher

JITTER = 0.1  #: part of a limit
MARGIN = 0.001  #: seconds: timers may come a little early


class Fleet:
    """All server slots of one manager."""

    def __init__(
        self, dispatcher: Dispatcher, settings: Settings, groups: Sequence[PortGroup], site: Site | None
    ) -> None:
        if not getattr(dispatcher.engine, "inherits", False):
            name = type(dispatcher.engine).__name__
            raise SettingsError(f"port_groups needs processes that inherit sockets; {name} has none")
        self.rotation = Rotation(groups)
        self.rollouts = Rollouts(self)
        self.slots: list[ServerSlot] = []
        self.stopping = False
        self.failures: list[str] = []
        self._dispatcher = dispatcher
        self._settings = settings
        self._site = site
        self._policy = s.Policy(
            restarts_max=settings.restarts_max,
            ready_timeout=settings.ready_timeout,
            drain=settings.lame_duck + settings.drain_timeout,
            checked=settings.health is not None,
            failures_max=settings.health_failures_max,
        )
        self.spares = Spares(dispatcher, settings, self)
        self.health = Health(dispatcher, settings, self.handle)
        self._check = _source(settings.health)
        try:
            for group in groups:
                for _ in range(group.slots):
                    self._add(group, len(self.slots))
        except BaseException:
            self.close()
            raise

    def _add(self, group: PortGroup, number: int) -> ServerSlot:
        index = sum(slot.seat.group == group.name for slot in self.slots)
        seat = group.seat(index)
        sockets = self.rotation.open(seat)
        slot = ServerSlot(number, seat, sockets, self._policy)
        self.slots.append(slot)
        return slot

    def start(self) -> None:
        """Start a process in every slot."""
        crew = self._dispatcher.crew
        for server in self.slots:
            crew.add_slot().server = server
        for server in self.slots:
            self.handle(server, s.Begin())

    def launched(self, slot: Slot) -> tuple[Serving, tuple[int, ...]]:
        """What the process that is started there is told, and the cores that it is bound to."""
        if slot.server is not None:
            return self.serving(slot.server), slot.server.seat.cores
        return self.spares.serving(slot.group), self.rotation.groups[slot.group].cores

    def serving(self, server: ServerSlot) -> Serving:
        """What its processes are told."""
        return self.told(server.seat.group)._replace(
            place=server.seat.place,
            ports=tuple(each.getsockname()[1] for each in server.sockets),
            sockets=tuple((each.fileno(), int(each.family)) for each in server.sockets),
        )

    def told(self, group: str) -> Serving:
        """What all processes of a group are told."""
        site = self._site
        return Serving(
            group=group,
            place=0,
            ports=(),
            sockets=(),
            grace=self._settings.drain_timeout,
            requests_max=self._requests_max(),
            server="" if site is None else site.server,
            factory=site is not None and site.factory,
            health=self._how_healthy(),
            health_timeout=self._settings.health_timeout,
            check=self._check,
        )

    def _how_healthy(self) -> str:
        how = self._settings.health
        return "" if how is None else str(how) if self._check is None else "function"

    def _requests_max(self) -> int:
        most = self._settings.requests_max
        return 0 if most is None else max(1, round(most * uniform(1 - JITTER, 1)))

    def stop(self) -> None:
        """The servers are told to leave: nothing is started any more."""
        self.stopping = True
        for server in self.slots:
            slot = self._dispatcher.crew.slots[server.number]
            if not slot.alive:
                slot.retired = True

    def close(self) -> None:
        """Nobody listens any more."""
        self.rotation.close()

    # what happens

    def handle(self, server: ServerSlot, event: s.Event) -> None:
        """Tell the machine, and do what it says."""
        if self.stopping:
            return
        for command in server.machine.handle(event, self._dispatcher.clock()):
            self._do(server, command)
        self._arm(server)
        self.rollouts.look(server)
        self.refill(server.seat.group)

    def refill(self, group: str) -> None:
        """Have spares once the slots of the group have what they need, and none where no slot is left."""
        if not self.spares.wanted or self.stopping or self.rollouts.running(group):
            return
        machines = [server.machine for server in self.members(group)]
        if all(machine.phase in (s.STOPPED, s.FAILED) for machine in machines):
            self.spares.dismiss(group)
        elif all(machine.settled for machine in machines):
            self.spares.fill(group)

    def _arm(self, server: ServerSlot) -> None:
        due = server.machine.due
        if due < server.armed:
            server.armed = due
            self._dispatcher.after(
                max(0.0, due - self._dispatcher.clock()) + MARGIN, partial(self._tick, server)
            )

    def _tick(self, server: ServerSlot) -> None:
        server.armed = float("inf")
        self.handle(server, s.Tick())

    def up(self, slot: Slot) -> None:
        """A process accepts connections."""
        if slot.server is not None:
            self.handle(slot.server, s.Ready(slot.process))
            self.health.begin(slot)

    def left(self, slot: Slot) -> None:
        """A server has returned; its process ends."""
        slot.left = True

    def lost(self, slot: Slot, blame: Blame) -> None:
        """A process has ended."""
        server, crew = slot.server, self._dispatcher.crew
        assert server is not None
        server.processes.pop(slot.process, None)
        self.health.gone(slot)
        slot.left = False
        if crew.is_spare(slot):
            crew.drop_spare(slot)
            slot.retired = True
        if self.stopping:
            slot.retired = True
            return
        current = server.machine.current
        unwanted = current is not None and current.number == slot.process
        cause = slot.wrong or blame.cause
        if unwanted and self._dispatcher.emit is not None:
            self._dispatcher.emit("WorkerDied", (slot.number, slot.name, blame.pid, blame.exitcode, cause))
        server.restarts += unwanted
        server.tail = list(slot.tail)
        self.handle(server, s.Ended(slot.process, cause, self.spares.count(server.seat.group) > 0))
        if slot is crew.slots[server.number]:
            # who was to follow it is the one now
            crew.promote(slot)
        self._settle(server)

    def _settle(self, server: ServerSlot) -> None:
        """The crew counts on a slot as long as a process is in it or will be."""
        place = self._dispatcher.crew.slots[server.number]
        if not place.alive:
            place.retired = server.machine.phase in (s.STOPPED, s.FAILED)

    # what the machine says

    def _do(self, server: ServerSlot, command: s.Command) -> None:
        if isinstance(command, s.Start):
            self._start(server, command.process)
        elif isinstance(command, s.Enter):
            self._enter(server, command.process)
        elif isinstance(command, s.Rotate):
            if server.takes != command.takes:
                server.takes = command.takes
                self.steer(server.seat.group)
        elif isinstance(command, s.Kept):
            self._kept(server, command.cause)
        elif isinstance(command, s.GaveUp):
            self._gave_up(server, command.cause)
        else:
            self._tell(server, command)

    def _start(self, server: ServerSlot, process: int) -> None:
        crew = self._dispatcher.crew
        before = crew.slots[server.number]
        if before.alive:
            crew.dismiss_heir(before)
            slot = crew.make_heir(before)
            assert slot is not None
        else:
            spare = self.spares.take(server)
            if spare is not None:
                spare.server, spare.process = server, process
                server.processes[process] = spare
                return
            slot = crew.slots[server.number] = Slot(server.number, before)
        slot.server, slot.process = server, process
        server.processes[process] = slot
        try:
            self._dispatcher.supervisor.start_slot(slot)
        except OSError as error:
            # the system has no room for it: a crash like any other
            server.processes.pop(process, None)
            crew.drop_spare(slot)
            ended = s.Ended(process, f"no process could be started: {error}")
            self._dispatcher.after(0.0, partial(self.handle, server, ended))

    def _enter(self, server: ServerSlot, process: int) -> None:
        crew = self._dispatcher.crew
        slot = server.processes[process]
        if crew.is_heir(slot):
            crew.promote(crew.slots[server.number])
        if self._settings.age_max is not None:
            # slots that started together need not be replaced together
            self._dispatcher.after(self._settings.age_max * uniform(1 - JITTER, 1), partial(self._old, slot))
        if self._dispatcher.emit is not None:
            self._dispatcher.emit("SlotServing", (server.number, server.name, slot.pid, server.listens))

    def _tell(self, server: ServerSlot, command: s.Drain | s.Terminate | s.Kill) -> None:
        slot = server.processes.get(command.process)
        if slot is None or not slot.alive:
            return
        engine = self._dispatcher.engine
        if isinstance(command, s.Drain):
            slot.handed_over = True
            self._dispatcher.order(slot.wid, m.ORDER_DRAIN, b=max(1, round(self._settings.lame_duck * 1000)))
        elif isinstance(command, s.Terminate):
            engine.terminate(slot.wid)
        else:
            slot.restart_reason = command.cause
            engine.kill(slot.wid)

    def _kept(self, server: ServerSlot, cause: str) -> None:
        self._dispatcher.collector.warned(f"{server.name} keeps its process; the new one failed: {cause}")
        self.rollouts.broke(server, cause)

    def _gave_up(self, server: ServerSlot, cause: str) -> None:
        text = f"{server.name} was given up after {len(server.machine.restarts)} crashes: {cause}"
        self.failures.append(text)
        self._dispatcher.collector.warned(text)
        if self._dispatcher.emit is not None:
            self._dispatcher.emit("SlotFailed", (server.number, server.name, cause))

    def steer(self, group: str) -> None:
        """Have connections to a shared port come to the slots that serve."""
        self.rotation.steer(group, self.members(group))

    # what the operator wants

    def find(self, slot: int | str) -> ServerSlot:
        """The slot of this number, or name such as 'blue/0'. Raises SettingsError."""
        for server in self.slots:
            if slot in (server.number, server.name):
                return server
        names = ", ".join(server.name for server in self.slots)
        raise SettingsError(f"there is no slot {slot!r}; there are {names}")

    def members(self, group: str) -> list[ServerSlot]:
        """The slots of a group. Raises SettingsError."""
        self.rotation.check(group)
        return [server for server in self.slots if server.seat.group == group]

    def reload(self, group: str | None, canary: float | None = None) -> list[Rollout]:
        """Replace the processes one slot after the other; with `canary`, of one slot in each group."""
        names = list(self.rotation.groups) if group is None else [group]
        for name in names:
            self.rotation.check(name)
        getattr(self._dispatcher.engine, "renew", _nothing)()
        return [self.rollouts.begin(name, canary) for name in names]

    def reload_all(self) -> None:
        """Reload everything, where a reload is running once more after it; from the loop."""
        if not self.stopping:
            for name in self.rotation.groups:
                self.rollouts.begin_or_repeat(name)

    def replace(self, slot: Slot, reason: str) -> None:
        """The process of a slot has reached a limit: another one follows it."""
        server = slot.server
        assert server is not None
        current, following = server.machine.current, server.machine.successor
        if current is None or current.number != slot.process or following is not None:
            return
        if self._dispatcher.emit is not None:
            self._dispatcher.emit("WorkerRecycled", (slot.number, slot.name, slot.pid, reason))
        self.handle(server, s.Replace(reason))

    def _old(self, slot: Slot) -> None:
        if slot.alive:
            self.replace(slot, f"age_max = {self._settings.age_max:g} s reached")

    def drain(self, slot: int | str) -> ServerSlot:
        """Let the slot end its requests, and have no process in it any more."""
        server = self.find(slot)
        self.handle(server, s.Retire())
        self._settle(server)
        return server

    def scale(self, group: str, count: int) -> list[ServerSlot]:
        """Have so many slots in the group that are not stopped; returns those that change."""
        members = self.members(group)
        self.rotation.groups[group].check_slots(count)
        while len(members) < count:
            crew = self._dispatcher.crew
            server = self._add(self.rotation.groups[group], len(crew.slots))
            crew.add_slot().server = server
            members.append(server)
        changed = []
        for place, server in enumerate(members):
            stopped = server.machine.phase in (s.STOPPED, s.DRAINING)
            if place < count and stopped:
                self._dispatcher.crew.slots[server.number].retired = False
                self.handle(server, s.Begin())
                changed.append(server)
            elif place >= count and not stopped:
                self.drain(server.number)
                changed.append(server)
        self.steer(group)
        return changed

    # waiting

    def ready(self, servers: Iterable[ServerSlot] | None = None) -> bool:
        """Whether every slot serves, or is stopped, or was given up."""
        over = (s.SERVING, s.STOPPED, s.FAILED)
        return all(server.machine.phase in over for server in (self.slots if servers is None else servers))

    def check_failed(self) -> None:
        """Raise SlotFailed for slots that were given up."""
        failed = [server for server in self.slots if server.machine.phase == s.FAILED]
        if failed:
            first = failed[0]
            more = f" (and {len(failed) - 1} more slots)" if len(failed) > 1 else ""
            raise SlotFailed(f"{first.name} was given up: {first.machine.cause}{more}")


def _nothing() -> None:
    """What an engine does that loads nothing ahead."""


def _source(health: object) -> Source | None:
    """Where the function comes from that checks a server; None where the server itself is asked."""
    if health is None or (isinstance(health, str) and ":" not in health):
        return None
    from .source import resolve

    return resolve(health)  # type: ignore[arg-type]
