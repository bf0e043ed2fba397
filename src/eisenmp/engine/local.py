"""Workers as processes of this machine: a fresh interpreter each, over one socket pair and a life line."""

from __future__ import annotations

import os
import sys

from ..core import messages as m
from ..core.messages import Message
from ..wire import platform
from ..wire.descriptors import make_room
from . import cgroup, process
from .base import Log
from .strays import below, end
from .stream import StreamEngine, StreamWorker

TYPE_CHECKING = False
if TYPE_CHECKING:
    from _socket import socket as Socket
    from collections.abc import Callable

    from .base import Event, Launch
    from .cgroup import Cgroup
    from .forks import ForkServer

OUTPUT_SIZE = 1 << 16
OUTPUT_LEFT_MAX = 32  #: reads; more than any pipe holds


class LocalWorker(StreamWorker):
    """One worker process and the manager's ends of its descriptors."""

    def __init__(self, wid: int, engine: StreamEngine) -> None:
        super().__init__(wid, engine)
        self.sentinel = -1  # a pidfd
        self.life_line = -1
        self.output = -1

    def on_end(self, events: list[Event]) -> None:
        """Its process ends too: where it does not, it can do nothing for us any more.

        SIGKILL does not change the exit code of a process that is on its way out.
        """
        if self.sentinel < 0:
            # without a sentinel the end of the socket is the news
            self.engine.lost(self, events)
            return
        with self.engine.lock:
            # what has left its group stays until the manager stops, as when it had ended by itself
            self.signal_group(platform.SIGKILL)

    def on_exit(self, events: list[Event], readable: bool, writable: bool) -> None:
        self.engine.lost(self, events)

    def on_output(self, events: list[Event], readable: bool, writable: bool) -> None:
        self._read_output(events)

    def _read_output(self, events: list[Event]) -> bool:
        if self.output < 0:
            return False
        try:
            data = os.read(self.output, OUTPUT_SIZE)
        except BlockingIOError:
            return False
        if not data:
            self.engine.poller.remove(self.output)
            return False
        events.append(Log(self.wid, data))
        return True

    def terminate(self) -> None:
        if self.sentinel >= 0:
            self.engine.strays.note(below(self.pid))
        self.signal_group(platform.SIGTERM)

    def kill(self) -> None:
        away = below(self.pid) if self.sentinel >= 0 else []
        self.signal_group(platform.SIGKILL)
        end(away)

    def signal_group(self, number: int) -> None:
        """Signal it, and what is in its process group."""
        process.signal_group(self.pid, number)

    def dump(self) -> None:
        process.ask_for_stacks(self.pid)

    def reap(self) -> int | None:
        # whatever the worker started in its group ends with it; before the pid is free for others
        self.signal_group(platform.SIGKILL)
        return process.exit_code(self.pid, wait=True)

    def rest(self, events: list[Event]) -> None:
        # bounded: a process that left the group may hold the other end and write for ever
        for _ in range(OUTPUT_LEFT_MAX):
            if not self._read_output(events):
                break

    def release(self) -> None:
        super().release()
        for descriptor in (self.sentinel, self.output):
            if descriptor >= 0:
                self.engine.poller.remove(descriptor)
        self._close()

    def abandon(self) -> None:
        super().abandon()
        self._close()

    def _close(self) -> None:
        for descriptor in (self.sentinel, self.output, self.life_line):
            if descriptor >= 0:
                os.close(descriptor)
        self.sentinel = self.output = self.life_line = -1


class LocalEngine(StreamEngine):
    """Starts, feeds and watches the worker processes of one manager."""

    passes_descriptors = sys.platform == "linux"
    inherits = True  #: descriptors of a Launch reach the worker
    measurable = True  #: a worker is a process of this machine

    def __init__(self) -> None:
        super().__init__()
        self.forks: ForkServer | None = None
        self.cgroup: Cgroup | None = None
        self._enclosed = False  # it was tried

    def cannot_fork(self) -> str:
        """Why workers cannot be forked from a zygote on this system; nothing when they can."""
        from .zygote import cannot_fork

        return cannot_fork()

    def poll(self, timeout: float | None) -> list[Event]:
        """Wait for events; returns at once when some are left from before."""
        forks = self.forks
        if forks is None:
            return super().poll(timeout)
        events = super().poll(forks.patience(timeout))
        forks.settle(events)
        return events

    def close(self, grace: float) -> None:
        """Kill what is left, reap it, close everything."""
        if self.forks is not None and self._opened and os.getpid() == self._owner:
            self.forks.close()
        super().close(grace)

    def abandon(self) -> None:
        """In a copy of the program made by os.fork(): the engine is not ours."""
        if self.forks is not None and self._opened:
            self.forks.abandon()
        if self.cgroup is not None and self._opened:
            self.cgroup.abandon()
        super().abandon()

    def spawn(self, wid: int, launch: Launch, *, node: str | None = None) -> int:
        """Start a fresh interpreter. Returns its pid; raises OSError when the system has no room for it."""
        make_room(len(self.workers) + 1)
        environment = self.strays.marked(launch.environment)
        launch = launch._replace(environment=environment, entrance=self._entrance())
        if launch.warm:
            from .forks import ForkServer, complete

            if self.forks is None:
                self.forks = ForkServer(self)
            if self.forks.spawn(wid, launch):
                return 0
            launch = complete(launch)
        worker = LocalWorker(wid, self)
        ours = self.connect(worker, lambda ends: process.spawn(launch, ends))
        self.adopt(worker, ours, launch.spec)
        return worker.pid

    def renew(self) -> None:
        """Workers that are started from now on load their modules anew."""
        if self.forks is not None:
            with self.lock:
                self.forks.renew()

    def _entrance(self) -> int:
        """What a process joins the cgroup of all workers by; -1 where there is none."""
        if not self._enclosed:
            self._enclosed = True
            self.cgroup = cgroup.make(self.strays.mark)
            if self.cgroup is not None:
                # before the workers: while they start, no processor is free for it, and this process waits
                self.cgroup.guard()
        return -1 if self.cgroup is None else self.cgroup.entrance

    def end_strays(self) -> None:
        """End what the workers have left behind; they are gone themselves."""
        if self.cgroup is None or not self.cgroup.close():
            super().end_strays()

    def connect(self, worker: LocalWorker, start: Callable[[process.Ends], int]) -> Socket:
        """Open what connects a worker; `start` gives the other ends to a process and returns its pid."""
        ours, theirs = platform.loopback_pair()
        far = [theirs.detach()]
        try:
            life_theirs, worker.life_line = os.pipe()
            far.append(life_theirs)
            worker.output, output_theirs = os.pipe()
            process.unblock(worker.output)
            far.append(output_theirs)
            for index, descriptor in enumerate(far):
                far[index] = process.high(descriptor)
            worker.pid = start(process.Ends(*far))
        except BaseException:
            ours.close()
            worker.release()
            raise
        finally:
            for descriptor in far:
                os.close(descriptor)
        return ours

    def adopt(self, worker: LocalWorker, ours: Socket, spec: bytes) -> None:
        """From now on the worker, whose process runs, is part of the loop."""
        with self.lock:
            self.workers[worker.wid] = worker
            if worker.sentinel < 0:
                worker.sentinel = -1 if (sentinel := platform.pidfd(worker.pid)) is None else sentinel
            worker.connection.attach(ours, worker.on_socket, [Message(m.START, body=spec)])
            self.poller.add(worker.output, worker.on_output)
            if worker.sentinel >= 0:
                self.poller.add(worker.sentinel, worker.on_exit)
