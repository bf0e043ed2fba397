"""What happens when: a clock that stands still between two steps, and tasks in place of threads."""

from __future__ import annotations

from heapq import heappop, heappush

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Generator
    from typing import Any

    #: a task gives out what it waits for: seconds, a condition, or a condition and the seconds it has
    Wait = float | Callable[[], bool] | tuple[Callable[[], bool], float]
    Steps = Generator[Wait, None, Any]


class Schedule:
    """Steps by time; those of one time in the order in which they were planned."""

    def __init__(self) -> None:
        self.now = 0.0
        self.taken = 0
        self._planned: list[tuple[float, int, Callable[..., None], tuple[Any, ...]]] = []
        self._number = 0

    def clock(self) -> float:
        return self.now

    def at(self, time: float, call: Callable[..., None], *arguments: Any) -> None:
        self._number = number = self._number + 1
        heappush(self._planned, (time, number, call, arguments))

    def after(self, seconds: float, call: Callable[..., None], *arguments: Any) -> None:
        self.at(self.now + seconds, call, *arguments)

    def step(self, until: float | None = None) -> bool:
        """Take the next step; False when there is none before `until`."""
        planned = self._planned
        if not planned or (until is not None and planned[0][0] > until):
            if until is not None and until > self.now:
                self.now = until
            return False
        time, _, call, arguments = heappop(planned)
        if time > self.now:
            self.now = time
        self.taken += 1
        call(*arguments)
        return True


class Task:
    """What a thread does, as a generator of what it waits for. Tasks of one place wake each other."""

    __slots__ = ("is_over", "name", "place", "ready", "steps", "turn")

    def __init__(self, name: str, place: Place, steps: Steps) -> None:
        self.name = name
        self.place = place
        self.steps = steps
        self.ready: Callable[[], bool] | None = None
        self.turn = 0
        self.is_over = False

    def run(self, turn: int = 0) -> None:
        """Go on to the next wait."""
        place = self.place
        if self.is_over or turn != self.turn:
            return  # what it waited for came before the time was over
        if not place.lets_run(self.run, turn):
            return
        self.turn += 1
        if self.ready is not None:
            self.ready = None
            place.waiting.remove(self)
        try:
            wait = next(self.steps)
        except StopIteration:
            self.is_over = True
        else:
            self._wait(wait)
        place.look()

    def _wait(self, wait: Wait) -> None:
        schedule = self.place.schedule
        if isinstance(wait, float):
            schedule.after(wait, self.run, self.turn)
            return
        if isinstance(wait, tuple):
            wait, seconds = wait
            schedule.after(seconds, self.run, self.turn)
        self.ready = wait
        self.place.waiting.append(self)

    def close(self) -> None:
        """It does nothing more."""
        self.is_over = True
        self.steps.close()


class Place:
    """Where tasks share what they wait for: the manager's program, or one process."""

    def __init__(self, schedule: Schedule, hesitate: Callable[[], float]) -> None:
        self.schedule = schedule
        self.tasks: list[Task] = []
        self.waiting: list[Task] = []
        self.hesitate = hesitate

    def start(self, name: str, steps: Steps, seconds: float = 0.0) -> Task:
        task = Task(name, self, steps)
        self.tasks.append(task)
        self.schedule.after(seconds, task.run, 0)
        return task

    def lets_run(self, call: Callable[..., None], *arguments: Any) -> bool:
        """Whether a step may be taken here now."""
        return True

    def look(self) -> None:
        """Something has changed: who waited for it goes on soon."""
        if not self.waiting:
            return
        waiting, self.waiting = self.waiting, []
        for task in waiting:
            if task.is_over or task.ready is None:
                continue
            if task.ready():
                task.ready = None
                task.turn += 1
                self.schedule.after(self.hesitate(), task.run, task.turn)
            else:
                self.waiting.append(task)
