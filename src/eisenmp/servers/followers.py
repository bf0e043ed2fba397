"""Threads of which one leads: it waits for events, and does at once what they ask for.

Handing each request to another thread costs two switches between threads, which is more than many requests
take. So the leader does it itself. When that takes long, a watch sees it and another thread leads meanwhile;
where it usually takes long, the next one leads before it begins.
"""

from __future__ import annotations

import logging
import threading
from _thread import allocate_lock, get_ident
from collections import deque
from time import perf_counter

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Protocol

    class Task(Protocol):
        """What a thread does, which may take its time."""

        def service(self) -> None: ...


PATIENCE = 0.005  #: seconds that a leader may be busy before another one leads: a switch interval
USUAL = 0.001  #: seconds of a usual task from which on another thread leads before it begins
WEIGHT = 1 / 8  #: of the last task in what is usual
QUIET = 20  #: looks of the watch without a task before it sleeps


class Followers:
    """`threads` tasks run at once at most; one thread more, so that somebody always waits for events.

    `look(may_wait)` is called by the leader alone: it waits for events unless it may not, calls `add_task`
    for what they ask for, and returns False when there is nothing more to lead.
    """

    def __init__(self, threads: int, look: Callable[[bool], bool], name: str) -> None:
        self._threads = threads
        self._look = look
        self._name = name
        self._tasks: deque[Task] = deque()
        self._lock = allocate_lock()
        self._baton = allocate_lock()  # held while somebody leads
        self._leader = 0  # the thread that leads, or none
        self._running = 0  # tasks
        self._started = 0  # tasks, ever
        self._at_work = 0  # the number of the leader's task, while it runs
        self._usual = 0.0  # seconds
        self._watches = False
        self._alarm = allocate_lock()  # held while the watch sleeps, or nothing calls it
        self._alarm.acquire()
        self._ended = threading.Event()
        self._life: list[threading.Thread] = []
        self.error: BaseException | None = None  #: what `look` raised; it is over then

    def start(self) -> None:
        """Start the threads. Raises RuntimeError where the system has no room for them."""
        targets = [self._follow] * (self._threads + 1) + [self._watch]
        for number, target in enumerate(targets):
            thread = threading.Thread(target=target, name=f"{self._name}-{number}", daemon=True)
            thread.start()
            self._life.append(thread)

    def wait(self) -> None:
        """Return when `look` has said that there is nothing more to lead; raises what it raised."""
        self._ended.wait()
        if self.error is not None:
            raise self.error

    def close(self, timeout: float) -> bool:
        """End the threads; False when a task has not ended after `timeout` seconds."""
        self._end()
        until = perf_counter() + timeout
        for thread in self._life:
            thread.join(max(0.0, until - perf_counter()))
        return not any(thread.is_alive() for thread in self._life)

    def leads(self) -> bool:
        """Whether the thread that asks is the leader."""
        return self._leader == get_ident()

    def add_task(self, task: Task) -> None:
        """Have it run by the leader, or by whoever is free. From `look`, or from a task."""
        self._tasks.append(task)

    # the threads

    def _follow(self) -> None:
        while not self._ended.is_set():
            self._baton.acquire()
            if self._ended.is_set():
                self._let_go()  # the next one goes too
                return
            self._leader = get_ident()
            try:
                self._lead()
            except BaseException as error:
                self.error = error
                self._end()

    def _lead(self) -> None:
        while not self._ended.is_set():
            task = self._take()
            if task is not None:
                if not self._work(task):
                    self._work_on()
                    return
            elif not self._look(not self._tasks or self._running >= self._threads):
                self._end()

    def _take(self) -> Task | None:
        with self._lock:
            if not self._tasks or self._running >= self._threads:
                return None
            self._running += 1
            return self._tasks.popleft()

    def _work(self, task: Task) -> bool:
        """Run it; whether this thread still leads."""
        with self._lock:
            self._started += 1
            number = self._started
            ahead = self._usual > USUAL
            if ahead:
                self._pass_on()
            else:
                self._at_work = number
                if not self._watches:
                    self._watches = True
                    self._alarm.release()
        begin = perf_counter()
        self._run(task)
        took = perf_counter() - begin
        with self._lock:
            self._running -= 1
            self._usual += (took - self._usual) * WEIGHT
            leads = self._at_work == number and not ahead
            if leads:
                self._at_work = 0
        return leads

    def _work_on(self) -> None:
        """Not the leader any more: run what waits for a thread."""
        while (task := self._take()) is not None:
            with self._lock:
                self._started += 1
            begin = perf_counter()
            self._run(task)
            with self._lock:
                self._running -= 1
                self._usual += (perf_counter() - begin - self._usual) * WEIGHT

    @staticmethod
    def _run(task: Task) -> None:
        try:
            task.service()
        except BaseException:  # an application may raise anything, and others are served by this thread
            logging.getLogger("eisenmp").exception("a request failed")

    def _pass_on(self) -> None:
        """Another thread leads from now on. Under the lock."""
        self._leader = self._at_work = 0
        self._let_go()

    def _let_go(self) -> None:
        try:
            self._baton.release()
        except RuntimeError:
            pass  # nobody holds it: at the end several let go

    def _end(self) -> None:
        with self._lock:
            self._ended.set()
            self._pass_on()
            if not self._watches:
                self._watches = True
                self._alarm.release()

    # the watch

    def _watch(self) -> None:
        while True:
            self._alarm.acquire()
            quiet = leading = started = 0
            while True:
                if self._ended.wait(PATIENCE):
                    return
                with self._lock:
                    if self._at_work and self._at_work == leading:
                        self._pass_on()
                    quiet = quiet + 1 if self._started == started and not self._at_work else 0
                    leading, started = self._at_work, self._started
                    if quiet == QUIET:
                        self._watches = False
                        break
