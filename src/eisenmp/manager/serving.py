"""What a manager does for its servers: ready, map, reload, drain, scale."""

from __future__ import annotations

from ..core.record import NamedTuple
from ..errors import EisenmpError, SettingsError, SlotFailed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from ..child.loader import Source
    from ..core.settings import Settings
    from ..core.site import Site
    from .collector import Collector
    from .control import Control
    from .crew import Crew
    from .dispatcher import Dispatcher
    from .fleet import Fleet


class SlotInfo(NamedTuple):
    """A server slot as it is now. `listens`: its addresses, such as '127.0.0.1:13000'."""

    number: int
    name: str
    group: str
    state: str
    pid: int
    cores: tuple[int, ...]
    listens: tuple[str, ...]
    restarts: int


class ServerHost:
    """The part of `Mp` that speaks of servers."""

    settings: Settings
    dispatcher: Dispatcher
    _crew: Crew
    _fleet: Fleet | None = None
    _site: Site | None = None
    _control: Control | None = None
    collector: Collector
    _check_started: Any
    check_open: Any

    def _resolve_compute(self) -> tuple[Source, ...]:
        """Where the workers beside the servers come from."""
        module: Any = self.settings.compute
        if module is None:
            return ()
        if not self.settings.port_groups:
            raise SettingsError("compute is for workers beside servers: without port_groups give it to Mp")
        from .source import resolve

        return (resolve(module),)

    def _open_fleet(self) -> None:
        """Bind the sockets of the port groups, before any process starts."""
        groups: Any = self.settings.port_groups
        if not groups:
            if self._site is not None:
                raise EisenmpError("a Site needs port_groups: where is it to be served?")
            return
        from .fleet import Fleet

        self._fleet = Fleet(self.dispatcher, self.settings, groups, self._site)
        self.dispatcher.supervisor.fleet = self._crew.fleet = self._fleet

    def _open_control(self) -> None:
        """Have `eisenmp reload` and the like find this manager; where that cannot be, they do not."""
        if self._fleet is None:
            return
        from .control import Control

        try:
            self._control = Control(self)  # type: ignore[arg-type]
        except OSError as error:
            self.collector.warned(f"no control socket: {error}")

    def _close_fleet(self) -> None:
        if self._control is not None:
            self._control.close()
            self._control = None
        if self._fleet is not None:
            self._fleet.close()
            from ..core.container import SERVER as CONTAINER

            if self._site is not None and self._site.server == CONTAINER:
                from ..containers.ending import remove_what_is_left

                remove_what_is_left()

    @property
    def fleet(self) -> Fleet:
        """The server slots; EisenmpError where there are none."""
        self._check_started()
        if self._fleet is None:
            raise EisenmpError("this manager has no port_groups")
        return self._fleet

    def ready(self, timeout: float | None = None) -> None:
        """Wait until every server accepts connections. Raises TimeoutError, SlotFailed for one given up."""
        fleet, dispatcher = self.fleet, self.dispatcher
        done = dispatcher.wait(lambda: fleet.ready() or dispatcher.error is not None, timeout)
        if dispatcher.error is not None:
            raise dispatcher.error
        if not done:
            late = [server for server in fleet.slots if not fleet.ready([server])]
            causes = "; ".join(f"{each.name} is {each.machine.phase}{_why(each)}" for each in late)
            raise TimeoutError(f"not ready within {timeout:g} s: {causes}")
        fleet.check_failed()

    def map(self) -> list[SlotInfo]:
        """Which slot is where: a SlotInfo for each, in their order."""
        fleet = self.fleet
        with self.dispatcher.lock:
            return [
                SlotInfo(
                    server.number,
                    server.name,
                    server.seat.group,
                    server.machine.phase,
                    server.pid,
                    server.seat.cores,
                    server.listens,
                    server.restarts,
                )
                for server in fleet.slots
            ]

    def reload(
        self, group: str | None = None, *, canary: float | None = None, timeout: float | None = None
    ) -> list[str]:
        """Replace the processes of a group, or of all, one slot after the other; returns the names of them.

        A new process serves before the old one leaves, and no request is lost. `canary`: replace one slot
        only, and give it that share of the connections of a shared port until the next reload. Raises
        SlotFailed when a new process does not serve: the old one stays, and the other slots keep theirs.
        """
        fleet = self.fleet
        with self.dispatcher.lock:
            self.check_open()
            rollouts = fleet.reload(group, canary)
        self._wait_or_time_out(lambda: all(rollout.over for rollout in rollouts), timeout, "the reload")
        for rollout in rollouts:
            if rollout.cause:
                raise SlotFailed(f"the reload was broken off: {rollout.cause}")
        return [fleet.find(number).name for rollout in rollouts for number in rollout.done]

    def last_lines(self, slot: int | str) -> list[str]:
        """What the process of a slot wrote last; where none is in it, what the last one wrote."""
        fleet = self.fleet
        with self.dispatcher.lock:
            server = fleet.find(slot)
            return list(self._crew.slots[server.number].tail) or server.tail

    def reload_soon(self) -> bool:
        """Have all servers reloaded; False where there are none. From any thread or handler."""
        fleet = self._fleet
        if fleet is None:
            return False
        self.dispatcher.post(fleet.reload_all)
        return True

    def drain(self, slot: int | str, *, timeout: float | None = None) -> None:
        """Let a slot, by its number or as 'blue/0', end its requests and stop; `scale` starts it again."""
        fleet = self.fleet
        with self.dispatcher.lock:
            self.check_open()
            server = fleet.drain(slot)
        from ..core.slots import STOPPED

        self._wait_or_time_out(lambda: server.machine.phase == STOPPED, timeout, f"slot {slot!r}")

    def scale(self, group: str, slots: int, *, timeout: float | None = None) -> None:
        """Have so many slots in a group; waits until new ones serve and surplus ones have ended."""
        fleet = self.fleet
        with self.dispatcher.lock:
            self.check_open()
            changed = fleet.scale(group, slots)
        self._wait_or_time_out(
            lambda: all(server.machine.settled for server in changed), timeout, f"group {group!r}"
        )
        fleet.check_failed()

    def _wait_or_time_out(self, ready: Any, timeout: float | None, what: str) -> None:
        dispatcher = self.dispatcher
        done = dispatcher.wait(lambda: ready() or dispatcher.stopping, timeout)
        if not done and timeout is not None:
            raise TimeoutError(f"{what} did not come to its end within {timeout:g} s")
        self.check_open()


def _why(server: Any) -> str:
    return f" ({server.machine.cause})" if server.machine.cause else ""
