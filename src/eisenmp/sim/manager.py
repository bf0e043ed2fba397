"""The manager of a simulation: the real one, made of parts that wait for the schedule."""

from __future__ import annotations

from ..core.failing import Backoff
from ..manager.cause import Coroner
from ..manager.collector import Collector
from ..manager.crew import Crew
from ..manager.dispatcher import Dispatcher
from ..manager.feeder import Feeder
from ..manager.mp import Mp
from ..manager.parts import Parts
from ..manager.supervisor import Supervisor
from .pump import DrivingPump

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any

    from ..core.ledger import Command, GiveUp, Ledger
    from ..core.messages import Message
    from ..engine.base import Engine, Event, Exit
    from ..manager.dispatcher import Dispatcher as RealDispatcher
    from ..manager.feed import Feed
    from .schedule import Steps, Task
    from .simulation import Simulation


class SimCoroner(Coroner):
    """Does not look for what this machine ends for want of memory."""

    def begin(self) -> None:
        pass


class SimSupervisor(Supervisor):
    """Says to the rules which deaths it settles."""

    def __init__(self, dispatcher: RealDispatcher) -> None:
        super().__init__(dispatcher)
        assert isinstance(dispatcher, SimDispatcher)
        self._rules = dispatcher.simulation.rules
        self._coroner = SimCoroner(dispatcher.crew)

    def lost(self, wid: int, exit: Exit, events: Iterable[Event] = ()) -> None:
        self._rules.settles(wid)
        super().lost(wid, exit, events)


class SimDispatcher(Dispatcher):
    """Runs on the clock of the simulation; the rules see all that it hears and does."""

    supervisor_type = SimSupervisor

    def __init__(
        self, simulation: Simulation, engine: Engine, ledger: Ledger, crew: Crew, collector: Collector
    ) -> None:
        self.simulation = simulation
        self.clock = simulation.schedule.clock
        super().__init__(engine, ledger, crew, collector)
        self.pump = DrivingPump(simulation)

    def step(self) -> None:
        """One turn of the loop."""
        self._step(None)

    def _arrived(self, wid: int, messages: list[Message]) -> None:
        for message in messages:
            self.simulation.rules.heard(wid, message)
            super()._arrived(wid, [message])

    def execute(self, commands: Iterable[Command]) -> None:
        commands = list(commands)
        rules = self.simulation.rules
        for command in commands:
            rules.command(command)
        super().execute(commands)

    def _give_up(self, command: GiveUp) -> None:
        self.simulation.rules.given_up(command)
        super()._give_up(command)

    def _remind(self, queue: int) -> None:
        self.simulation.rules.reminded(queue)
        super()._remind(queue)


class SimCrew(Crew):
    """Simulated processes have no environment, and one CPU, wherever this runs."""

    cpus = 1

    def _environment_of(self, procs: int) -> dict[str, str]:
        return {}


class SimCollector(Collector):
    """Shows nothing, and needs no thread for that."""

    def start(self) -> None:
        pass

    def _add(self, call: Callable[..., None], *arguments: Any) -> None:
        pass


class SimThread:
    """Stands for the thread of a feeder."""

    def __init__(self, simulation: Simulation, name: str, steps: Steps) -> None:
        self._simulation = simulation
        self._name = name
        self._steps = steps
        self._task: Task | None = None

    def start(self) -> None:
        self._task = self._simulation.start(self._name, self._steps, self._simulation.latency())

    def is_alive(self) -> bool:
        return self._task is not None and not self._task.is_over

    def join(self, timeout: float | None = None) -> None:
        self._simulation.emp.dispatcher.pump.wait_until(lambda: not self.is_alive(), timeout)


class SimFeeder(Feeder):
    """The real feeder: a step for each chunk, with pauses in between in which anything may happen."""

    def __init__(
        self,
        simulation: Simulation,
        feed: Feed,
        rows: Iterable[Any],
        dispatcher: RealDispatcher,
        rows_max: int | str,
        total: int | None,
    ) -> None:
        super().__init__(feed, rows, dispatcher, rows_max, total)
        self._simulation = simulation
        self._planned = simulation.feed_plan(feed)
        thread: Any = SimThread(simulation, self._planned.name, self._slowly())
        self.thread = thread

    def _slowly(self) -> Steps:
        simulation = self._simulation
        yield from self.steps()
        simulation.log(self._planned.name, f"has ended with {self.feed.next_number} chunks")

    def _wait_for_room(self) -> Any:
        yield self._breath()
        yield from super()._wait_for_room()

    def _feed_chunks(self) -> Any:
        feed = self.feed
        while True:
            yield from self._wait_for_room()
            for _ in range(feed.room()):
                if feed.stopped or not self._feed_some(1):
                    return
                yield self._breath()
            if feed.stopped:
                return

    def _breath(self) -> float:
        simulation = self._simulation
        return simulation.latency() + simulation.draws.random() * self._planned.row_seconds


class SimMp(Mp):
    """A manager whose workers, clock and threads are simulated."""

    _hears_signals = False  # Ctrl-C ends a simulation, and is none of its business

    dispatcher: SimDispatcher

    def __init__(self, simulation: Simulation, ledger: Callable[..., Ledger], **settings: Any) -> None:
        from functools import partial

        self._parts = Parts(
            SimCrew,
            ledger,
            SimCollector,
            partial(SimDispatcher, simulation),
            partial(SimFeeder, simulation),
        )
        self._simulation = simulation
        engine: Any = simulation.engine
        super().__init__("simulated", engine=engine, **settings)

    def _resolve_sources(self) -> None:
        self._crew.sources = NO_SOURCES

    def _apply_settings(self) -> None:
        super()._apply_settings()
        self._ledger.delay = Backoff(self._simulation.draws.random)

    def _start_progress(self) -> None:
        pass


NO_SOURCES: Any = (None,)
