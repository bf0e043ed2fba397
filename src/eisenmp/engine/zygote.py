"""The warm process of START_METHOD forkserver, from the manager's side.

It is sent START, TOOLS and, with the descriptors of the worker-to-be, FORK; it answers with FORKED and a
pidfd, REFUSED or FAILED_START, and with ENDED when one of its children has.
"""

from __future__ import annotations

import os
import threading
from collections import deque

from ..core import messages as m
from ..core.messages import Message
from ..wire import descriptors, platform
from ..wire.frames import FrameError, FrameReader, encode
from ..wire.pickles import dumps
from . import process
from .base import Launch
from .local import LocalWorker

TYPE_CHECKING = False
if TYPE_CHECKING:
    from _socket import socket as Socket
    from collections.abc import Sequence

    from ..wire.platform import Poller
    from .base import Event
    from .forks import ForkServer
    from .local import LocalEngine

WRITE_MAX = 1 << 20
TASKS = "/proc/self/task"


def cannot_fork() -> str:
    """Why this system cannot fork workers from a zygote; nothing when it can."""
    if not hasattr(os, "fork"):
        return "there is no os.fork"
    if platform.portable():
        return "the portable path passes no descriptors to other processes"
    if not os.path.isdir(TASKS):
        return f"{TASKS} is missing, which tells whether an import has started threads"
    return ""


def copies(descriptors: Sequence[int]) -> tuple[int, ...]:
    """A copy of each, or OSError and none."""
    made: list[int] = []
    try:
        for descriptor in descriptors:
            made.append(os.dup(descriptor))
    except OSError:
        for descriptor in made:
            os.close(descriptor)
        raise
    return tuple(made)


class Line:
    """The manager's end of the stream to a zygote: never blocks; a message may carry descriptors."""

    def __init__(self, socket: Socket, poller: Poller) -> None:
        socket.setblocking(False)
        self.ended = False  #: nothing more comes
        self._socket = socket
        self._poller = poller
        self._reader = FrameReader()
        self._received: deque[int] = deque()
        self._lock = threading.Lock()
        self._unsent: deque[tuple[memoryview, tuple[int, ...]]] = deque()
        self._waiting = False

    def watch(self, token: object) -> None:
        """Take part in the loop, which another thread may run at this moment."""
        self._poller.add(self._socket.fileno(), token)

    def send(self, messages: Sequence[Message], carried: Sequence[int] = ()) -> None:
        """Send; the first message brings copies of `carried`, which stay the caller's."""
        with self._lock:
            if self.ended:
                return
            kept = copies(carried)
            for buffer in encode(messages):
                self._unsent.append((memoryview(buffer), kept))
                kept = ()
            if not self._waiting:
                self._write()

    def writable(self) -> None:
        """The socket takes more."""
        with self._lock:
            if not self.ended:
                self._write()

    def _write(self) -> None:
        waiting = False
        try:
            while self._unsent:
                data, kept = self._unsent[0]
                sent = descriptors.send(self._socket, data[:WRITE_MAX], kept)
                self._unsent[0] = (data[sent:], ())
                for descriptor in kept:
                    os.close(descriptor)
                if sent == len(data):
                    self._unsent.popleft()
        except BlockingIOError:
            waiting = True
        except OSError:
            # the zygote is gone; that is reported when its process has ended
            self._drop()
        if waiting is not self._waiting:
            self._waiting = waiting
            self._poller.writing(self._socket.fileno(), waiting)

    def receive(self) -> list[tuple[Message, int]] | None:
        """What has come, each with its descriptor or -1; None when nothing can be read."""
        if self.ended:
            return None
        try:
            data, received = descriptors.receive(self._socket)
        except BlockingIOError:
            return None
        except OSError:
            data, received = b"", []
        self._received.extend(received)
        try:
            messages = self._reader.feed(data)
        except FrameError:
            data, messages = b"", []
        answers = [(message, self._descriptor_of(message)) for message in messages]
        if not data:
            self.end()
        return answers

    def _descriptor_of(self, message: Message) -> int:
        if message.kind == m.FORKED and self._received:
            return self._received.popleft()
        return -1

    def end(self) -> None:
        """Hang up, and take no part in the loop any more."""
        with self._lock:
            if not self.ended:
                self.ended = True
                self._poller.remove(self._socket.fileno())
                self.abandon()

    def abandon(self) -> None:
        """Close the descriptors and nothing else."""
        self._drop()
        while self._received:
            os.close(self._received.popleft())
        self._socket.close()

    def _drop(self) -> None:
        for _, kept in self._unsent:
            for descriptor in kept:
                os.close(descriptor)
        self._unsent.clear()


class Zygote(LocalWorker):
    """One warm process. The workers are its children, and live on without it."""

    def __init__(self, engine: LocalEngine, forks: ForkServer, launch: Launch) -> None:
        super().__init__(0, engine)  # the wid of whom its output is shown as
        self.answered = False  #: the modules are imported, or cannot be
        self.children: set[int] = set()  #: wids of the workers that it has not reported as ended
        self.leaving = False
        self.outdated = False  #: what it has loaded may have changed
        self._warm, self._environment = launch.warm, launch.environment
        self._tools = 0  # how many broadcasts it was sent
        self._forks = forks
        own = Launch(b"", "zygote", launch.environment, entrance=launch.entrance)
        socket = engine.connect(self, lambda ends: process.spawn(own, ends, "zygote"))
        sentinel = platform.pidfd(self.pid)
        self.sentinel = -1 if sentinel is None else sentinel
        self.line = Line(socket, engine.poller)
        self.line.watch(self.on_line)
        self.line.send([Message(m.START, body=launch.warm)])
        engine.poller.add(self.output, self.on_output)
        if self.sentinel >= 0:
            engine.poller.add(self.sentinel, self.on_exit)

    def terminate(self) -> None:
        self.signal_group(platform.SIGTERM)

    def kill(self) -> None:
        # what is below are the workers, which live on
        self.signal_group(platform.SIGKILL)

    def suits(self, launch: Launch) -> bool:
        """Whether what was imported here, under this environment, is what the worker is to have."""
        return self._warm == launch.warm and self._environment == launch.environment

    def ask(self, wid: int, launch: Launch, ends: process.Ends) -> int:
        """Ask for a worker: FORKED, REFUSED, FAILED_START or ENDED will say what became of it. Returns 0."""
        if self.wid not in self.engine.workers:
            self.wid = wid
        missing = launch.tools[self._tools :]
        self._tools += len(missing)
        for body in missing:
            self.line.send([Message(m.TOOLS, body=body)])
        request = Message(m.FORK, a=wid, body=dumps(tuple(launch.descriptors)))
        self.line.send([request], (*ends, *launch.descriptors))
        return 0

    def on_line(self, events: list[Event], readable: bool, writable: bool) -> None:
        if writable:
            self.line.writable()
        if readable:
            for message, descriptor in self.line.receive() or ():
                self._forks.on_message(self, message, descriptor, events)
            if self.line.ended and not self.leaving and self.pid:
                # it has ended, or speaks nonsense
                self.on_end(events)

    def on_end(self, events: list[Event]) -> None:
        """Its process ends too."""
        if self.sentinel < 0:
            self._forks.died(self, events)
        else:
            self.kill()

    def on_exit(self, events: list[Event], readable: bool, writable: bool) -> None:
        self._forks.died(self, events)

    def rest(self, events: list[Event]) -> None:
        """The answers that it gave before it ended, and what it wrote."""
        while (answers := self.line.receive()) is not None:
            for message, descriptor in answers:
                self._forks.on_message(self, message, descriptor, events)
        super().rest(events)

    def hang_up(self) -> None:
        """Have it leave by itself: it buries its dead first."""
        self.leaving = True
        self.line.end()

    def release(self) -> None:
        self.line.end()
        super().release()

    def abandon(self) -> None:
        if not self.line.ended:
            self.line.abandon()
        super().abandon()
