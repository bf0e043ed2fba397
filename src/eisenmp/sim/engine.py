"""An engine whose processes, wire and clock are simulated."""

from __future__ import annotations

from ..engine.base import Arrived, Exit, Lost, Started
from ..wire.pickles import dumps, loads
from ..wire.platform import SIGKILL, SIGTERM
from .process import Process

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any

    from ..core.messages import Message
    from ..engine.base import Event, Launch
    from .simulation import Simulation


class SimEngine:
    """One per run. What happens reaches `poll` when its time has come."""

    def __init__(self, simulation: Simulation) -> None:
        self._simulation = simulation
        self.processes: dict[int, Process] = {}  #: of which the manager has not heard that they are gone
        self.wait: float | None = None  #: how long the last `poll` might have waited
        self._news: list[Event] = []

    # for the manager

    def open(self) -> None:
        """Nothing to open."""

    def nodes(self) -> Sequence[str]:
        return ("simulated",)

    def put(self, name: str, obj: Any) -> bytes:
        return dumps(obj, f"tool {name!r}")

    def drop(self, reference: bytes) -> None:
        """A tool lives in its pickle alone."""

    def spawn(self, wid: int, launch: Launch, *, node: str | None = None) -> int:
        """Start a process; OSError where the system has no room for one."""
        simulation = self._simulation
        if simulation.spawn_is_refused():
            simulation.log("system", f"has no room for worker {wid}")
            raise OSError(11, "no room for a process")
        process = Process(simulation, loads(launch.spec))
        self.processes[wid] = process
        simulation.processes.append(process)
        simulation.rules.started(process)
        simulation.log("manager", f"starts worker {wid} in slot {process.slot}")
        if simulation.plan.pid_comes_late:
            simulation.schedule.after(simulation.latency(), self._started, process)
            return 0
        return process.pid

    def send(self, wid: int, messages: Sequence[Message]) -> None:
        simulation = self._simulation
        if simulation.trace is not None:
            for message in messages:
                simulation.log("manager", f"tells worker {wid} {simulation.trace.message(message)}")
        simulation.rules.sent(wid, messages)
        process = self.processes.get(wid)
        if process is not None:
            process.send(list(messages))

    def poll(self, timeout: float | None) -> list[Event]:
        self.wait = timeout
        news, self._news = self._news, []
        return news

    def watch(self, descriptor: int, call: Callable[[], None]) -> None:
        """No signal reaches a simulation."""

    def wake(self) -> None:
        self._simulation.manager_soon()

    def terminate(self, wid: int) -> None:
        self._signal(wid, SIGTERM)

    def kill(self, wid: int) -> None:
        self._signal(wid, SIGKILL)

    def dump(self, wid: int) -> None:
        """Simulated processes have no stacks to write."""
        self._simulation.rules.signalled(wid, 0)

    def close(self, grace: float) -> None:
        """Kill what is left."""
        for process in list(self.processes.values()):
            process.signal(SIGKILL)

    def abandon(self) -> None:
        """There are no copies of a simulation."""

    def _signal(self, wid: int, number: int) -> None:
        simulation = self._simulation
        simulation.log("manager", f"sends signal {number} to worker {wid}")
        simulation.rules.signalled(wid, number)
        process = self.processes.get(wid)
        if process is not None:
            simulation.schedule.after(simulation.latency(), process.signal, number)

    # for the processes

    def _started(self, process: Process) -> None:
        if process.alive:
            self._tell(Started(process.wid, process.pid))

    def arrive(self, process: Process, messages: list[Message]) -> None:
        """Messages of a process come out of the wire."""
        if process.cut_at is None or self._simulation.schedule.now < process.cut_at:
            self._tell(Arrived(process.wid, messages))

    def gone(self, process: Process, exit: Exit) -> None:
        """The news that a process is gone."""
        self.processes.pop(process.wid, None)
        self._tell(Lost(process.wid, exit))

    def _tell(self, event: Event) -> None:
        self._news.append(event)
        self._simulation.manager_soon()


__all__ = ["SimEngine"]
