"""Workers as processes of this machine: a fresh interpreter each, over one socket pair and a life line."""

from __future__ import annotations

import os
from _socket import socket as Socket

from ..core import messages as m
from ..core.messages import Message
from ..wire import platform
from ..wire.frames import FrameError
from . import process
from .base import Arrived, Exit, Log, Lost
from .connection import Connection

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from .base import Event, Launch

EXIT = "exit"
SOCKET = "socket"
OUTPUT = "output"
WAKE = "wake"
OUTPUT_SIZE = 1 << 16


class LocalWorker:
    """One worker process and the manager's ends of its descriptors."""

    def __init__(self, wid: int, connection: Connection) -> None:
        self.wid = wid
        self.connection = connection
        self.pid = 0
        self.sentinel = -1  # a pidfd
        self.life_line = -1
        self.output = -1


class LocalEngine:
    """Starts, feeds and watches the worker processes of one manager."""

    def __init__(self) -> None:
        self._workers: dict[int, LocalWorker] = {}
        self._events: list[Event] = []
        self._owner = 0
        self._opened = False

    def open(self) -> None:
        self._owner = os.getpid()
        self._poller = platform.Poller()
        self._wakes, self._waker = platform.loopback_pair()
        self._wakes.setblocking(False)
        self._waker.setblocking(False)
        self._opened = True
        self._poller.add(self._wakes.fileno(), (WAKE, None))

    def nodes(self) -> Sequence[str]:
        return ("localhost",)

    def put(self, name: str, obj: Any) -> bytes:
        from ..wire.pickles import dumps

        return dumps(obj, f"tool {name!r}")

    def drop(self, reference: bytes) -> None:
        """A tool lives in its pickle alone; there is nothing to free here."""

    def spawn(self, wid: int, launch: Launch, *, node: str | None = None) -> int:
        """Start a fresh interpreter. Returns its pid."""
        worker = LocalWorker(wid, Connection(wid, self._poller))
        ours, theirs = platform.loopback_pair()
        life_theirs, worker.life_line = os.pipe()
        worker.output, output_theirs = os.pipe()
        ends = process.Ends(theirs.fileno(), process.high(life_theirs), process.high(output_theirs))
        try:
            worker.pid = process.spawn(launch, ends)
        except BaseException:
            ours.close()
            os.close(worker.life_line)
            os.close(worker.output)
            raise
        finally:
            theirs.close()
            os.close(ends.life_line)
            os.close(ends.output)
        self._adopt(worker, ours, launch)
        return worker.pid

    def _adopt(self, worker: LocalWorker, ours: Socket, launch: Launch) -> None:
        self._workers[worker.wid] = worker
        os.set_blocking(worker.output, False)
        worker.connection.send([Message(m.START, body=launch.spec)])
        worker.connection.attach(ours, (SOCKET, worker))
        self._poller.add(worker.output, (OUTPUT, worker))
        sentinel = platform.pidfd(worker.pid)
        if sentinel is None:
            # without a sentinel the end of the socket is the news
            return
        worker.sentinel = sentinel
        self._poller.add(sentinel, (EXIT, worker))

    def send(self, wid: int, messages: Sequence[Message]) -> None:
        worker = self._workers.get(wid)
        if worker is not None:
            worker.connection.send(messages)

    def poll(self, timeout: float | None) -> list[Event]:
        """Wait for events; returns at once when some are left from before."""
        events, self._events = self._events, []
        for token, readable, writable in self._poller.wait(0.0 if events else timeout):
            if token is None:
                continue  # removed by an earlier event of this round
            what, worker = token  # type: ignore[misc]
            if what is SOCKET:
                if writable:
                    worker.connection.writable()
                if readable:
                    self._receive(worker, events)
            elif what is EXIT:
                self._lost(worker, events)
            elif what is OUTPUT:
                self._read_output(worker, events)
            else:
                self._drain_wakes()
        return events

    def _receive(self, worker: LocalWorker, events: list[Event]) -> None:
        try:
            messages = worker.connection.receive()
        except FrameError:
            worker.connection.end()
            self.kill(worker.wid)
            return
        if messages:
            events.append(Arrived(worker.wid, messages))
        if worker.connection.ended and worker.sentinel < 0:
            self._lost(worker, events)

    def _read_output(self, worker: LocalWorker, events: list[Event]) -> None:
        if worker.output < 0:
            return
        try:
            data = os.read(worker.output, OUTPUT_SIZE)
        except BlockingIOError:
            return
        if data:
            events.append(Log(worker.wid, data))
        else:
            self._poller.remove(worker.output)

    def _lost(self, worker: LocalWorker, events: list[Event]) -> None:
        """The process has ended: first all that it sent and wrote, then the news."""
        if self._workers.pop(worker.wid, None) is None:
            return
        try:
            messages = worker.connection.drain()
        except FrameError:
            messages = []
        if messages:
            events.append(Arrived(worker.wid, messages))
        # whatever the worker started in its group ends with it; before the pid is free for others
        process.signal_group(worker.pid, platform.SIGKILL)
        code = self._reap(worker)
        while True:
            before = len(events)
            self._read_output(worker, events)
            if len(events) == before:
                break
        self._release(worker)
        events.append(Lost(worker.wid, Exit(code, worker.pid)))

    def _reap(self, worker: LocalWorker) -> int | None:
        return process.exit_code(worker.pid, wait=True)

    def _release(self, worker: LocalWorker) -> None:
        worker.connection.close()
        for descriptor in (worker.sentinel, worker.output):
            if descriptor >= 0:
                self._poller.remove(descriptor)
                os.close(descriptor)
        if worker.life_line >= 0:
            os.close(worker.life_line)
        worker.sentinel = worker.output = worker.life_line = -1

    def wake(self) -> None:
        if not self._opened:
            return
        try:
            self._waker.send(b"\0")
        except (BlockingIOError, OSError):
            return  # enough wakes are on their way

    def _drain_wakes(self) -> None:
        try:
            while len(self._wakes.recv(4096)) == 4096:
                pass
        except BlockingIOError:
            return

    def terminate(self, wid: int) -> None:
        worker = self._workers.get(wid)
        if worker is not None:
            process.signal_group(worker.pid, platform.SIGTERM)

    def kill(self, wid: int) -> None:
        worker = self._workers.get(wid)
        if worker is not None:
            process.signal_group(worker.pid, platform.SIGKILL)

    def close(self, grace: float) -> None:
        """Kill what is left, reap it, close everything."""
        if not self._opened or os.getpid() != self._owner:
            return
        self._opened = False
        for worker in list(self._workers.values()):
            process.signal_group(worker.pid, platform.SIGKILL)
        for worker in list(self._workers.values()):
            self._reap(worker)
            self._release(worker)
        self._workers.clear()
        self._poller.close()
        self._wakes.close()
        self._waker.close()

    def abandon(self) -> None:
        """In a copy of the program made by os.fork(): let go of all descriptors, touch no process."""
        for worker in self._workers.values():
            if worker.connection.socket is not None:
                worker.connection.socket.close()
            for descriptor in (worker.sentinel, worker.output, worker.life_line):
                if descriptor >= 0:
                    os.close(descriptor)
        self._workers.clear()
