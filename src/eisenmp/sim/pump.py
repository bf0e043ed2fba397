"""Pumps without a thread: what waits for the manager drives the simulation, in the worker nothing waits."""

from __future__ import annotations

from ..wire.pump import Pump
from .violation import Violation

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from .process import Process
    from .simulation import Simulation


class StillPump(Pump):
    """The base of both: nothing runs in the background, so nobody has to be told anything."""

    def __init__(self) -> None:
        """No thread, no lock."""

    def start(self) -> None:
        pass

    def touch(self) -> None:
        pass

    def glance(self) -> None:
        pass

    def poke(self) -> None:
        pass

    def interrupt(self) -> None:
        pass

    def fail(self, error: BaseException) -> None:
        pass  # whoever steps the simulation gets it

    def close(self, join: bool = True) -> None:
        pass


class DrivingPump(StillPump):
    """The manager's: the program waits, so everybody else goes on."""

    def __init__(self, simulation: Simulation) -> None:
        self._simulation = simulation
        self._closed = False

    @property
    def somebody_leads(self) -> bool:
        return self._simulation.stepping

    @property
    def leads_here(self) -> bool:
        return self._simulation.stepping

    def interrupt(self) -> None:
        self._simulation.manager_soon()

    def close(self, join: bool = True) -> None:
        self._closed = True

    def wait_until(
        self, ready: Callable[[], bool], timeout: float | None = None, *, may_lead: bool = True
    ) -> bool:
        if ready():
            return True
        simulation = self._simulation
        if simulation.stepping:
            if timeout is None:
                raise Violation("the loop never waits for itself", "a step waits for what only a step brings")
            return False
        simulation.program.look()
        until = None if timeout is None else simulation.schedule.now + timeout
        while not self._closed:
            if not simulation.step(until):
                if until is None:
                    simulation.violation = Violation(
                        "what is waited for comes", "nothing will ever happen again"
                    )
                    raise simulation.violation
                return ready()
            if ready():
                return True
        return ready()


class WorkerPump(StillPump):
    """A worker's: its waits are those of tasks. Whether a thread sits in a read is left to chance."""

    def __init__(self, process: Process) -> None:
        self._process = process

    @property
    def somebody_leads(self) -> bool:
        return self._process.simulation.draws.chance(0.3)

    def interrupt(self) -> None:
        self._process.look()

    def wait_until(
        self, ready: Callable[[], bool], timeout: float | None = None, *, may_lead: bool = True
    ) -> bool:
        raise AssertionError("a simulated worker waits in its tasks")
