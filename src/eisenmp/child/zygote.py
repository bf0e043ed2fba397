"""The warm process of START_METHOD forkserver: loads modules and tools once, then forks workers on request.

It never has a second thread: a fork copies only the thread that calls it, and a lock that another one holds
at that moment would stay locked in the worker for ever.
"""

from __future__ import annotations

import fcntl
import gc
import os
import select
import sys
from _socket import socket as Socket

from ..core import messages as m
from ..core.messages import Message
from ..core.record import NamedTuple
from ..errors import LoadError
from ..wire import descriptors, platform
from ..wire.frames import FrameReader, encode
from ..wire.pickles import dumps, loads
from .host import Warmth, start_failure
from .loader import load
from .stream import LineStream
from .tools import Tools

assert sys.platform == "linux"

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from .loader import Source
    from .spec import Warm

TASKS = "/proc/self/task"
ENDS = 3  #: descriptors that every worker gets: socket, life line, output


class Child(NamedTuple):
    """A forked worker, as its parent knows it."""

    wid: int
    pid: int


def hatch(socket: Socket, life_line: int) -> tuple[Socket, Warmth]:
    """Fork whatever the manager asks for. Returns in a worker: its socket, and what is loaded there.

    The zygote itself leaves with SystemExit when the manager hangs up.
    """
    platform.set_title("eisenmp:zygote")
    zygote = Zygote(socket, life_line)
    sys.stdout, sys.stderr = zygote.streams
    worker = zygote.serve()
    if worker is None:
        zygote.bury()
        raise SystemExit(0)
    return worker, Warmth(zygote.modules, zygote.tools, zygote.streams)


class Zygote:
    """Answers the manager, in the order asked."""

    def __init__(self, socket: Socket, life_line: int) -> None:
        self.streams = (LineStream(1, 1, self), LineStream(2, 2, self))
        self.modules: list[Callable[..., Any] | Source] = []
        self.tools = Tools()
        self._socket = socket
        self._life_line = life_line
        self._reader = FrameReader()
        self._received: list[int] = []
        self._children: dict[int, Child] = {}  # by pidfd
        self._failure = b""
        self._refusal = ""
        self._poll = select.poll()
        self._poll.register(socket.fileno(), select.POLLIN)

    def serve(self) -> Socket | None:
        """None when the manager has hung up; in a forked worker its socket."""
        try:
            while True:
                for descriptor, _ in self._poll.poll():
                    if descriptor != self._socket.fileno():
                        self._ended(descriptor)
                        continue
                    data, received = descriptors.receive(self._socket)
                    if not data:
                        return None
                    self._received += received
                    for message in self._reader.feed(data):
                        if message.kind == m.FORK:
                            worker = self._fork(message)
                            if worker is not None:
                                return worker
                        else:
                            self._take(message)
        except ConnectionError:
            return None

    def bury(self) -> None:
        """Collect the workers that have ended; the others end by their own life lines."""
        for descriptor, _ in self._poll.poll(0):
            if descriptor in self._children:
                self._collect(self._children.pop(descriptor))

    # what all workers share

    def _take(self, message: Message) -> None:
        if message.kind == m.START:
            self._load(loads(message.body))
        elif message.kind == m.TOOLS:
            self.tools.arrived(message.body)
            self.tools.unpickle()
            self._count_threads("unpickling a tool")
        for stream in self.streams:
            # half a line would be printed again by every worker
            stream.finish()

    def _load(self, warm: Warm) -> None:
        sys.path[:] = warm.sys_path
        sys.argv[:] = warm.argv
        for source in warm.sources:
            try:
                self.modules.append(load(source))
            except LoadError as error:
                if source.kind != "value":
                    self._failure = dumps(start_failure(error))
                    return
                # it may refer to queues, which only a worker has
                self.modules.append(source)
            self._count_threads(f"importing {source.path or source.module or source.name}")

    def _count_threads(self, what: str) -> None:
        number = os.stat(TASKS).st_nlink - 3  # besides the main thread and the two links of any folder
        if number < 1 or self._refusal:
            return
        threading = sys.modules["threading"]
        names = [thread.name for thread in threading.enumerate() if thread is not threading.main_thread()]
        if names:
            which = ", ".join(names)
        else:
            which = "none of Python; threads_max=1 keeps libraries for linear algebra from starting any"
        self._refusal = f"{what} started {number} thread{'s' * (number > 1)} ({which})"

    # forking

    def _fork(self, message: Message) -> Socket | None:
        received, self._received = self._received, []
        wid, numbers = message.a, loads(message.body)
        refusal = self._refusal or self._taken(numbers, received)
        if self._failure:
            self._send(Message(m.FAILED_START, a=wid, body=self._failure))
        elif refusal:
            self._send(Message(m.REFUSED, a=wid, b=int(bool(self._refusal)), body=refusal.encode()))
        elif len(received) != ENDS + len(numbers):
            self._give_up(wid, "the zygote cannot open more descriptors")
        else:
            descriptors.make_room(len(self._children) + 1)
            # the collector of a worker leaves these objects alone, so that their pages stay shared
            gc.freeze()
            try:
                pid = os.fork()
            except OSError as error:
                self._give_up(wid, f"the zygote cannot fork: {error}")
            else:
                if not pid:
                    return self._become_worker(received, numbers)
                self._adopt(Child(wid, pid))
        for descriptor in received:
            os.close(descriptor)
        return None

    def _adopt(self, child: Child) -> None:
        # also done by the worker itself: whoever comes first, the manager can signal the group
        os.setpgid(child.pid, child.pid)
        try:
            pidfd = os.pidfd_open(child.pid)
        except OSError as error:
            os.kill(child.pid, platform.SIGKILL)
            os.waitpid(child.pid, 0)
            self._give_up(child.wid, f"the zygote cannot watch a worker: {error}")
            return
        self._children[pidfd] = child
        self._poll.register(pidfd, select.POLLIN)
        self._send(Message(m.FORKED, a=child.wid, b=child.pid), pidfd)

    def _ended(self, pidfd: int) -> None:
        self._poll.unregister(pidfd)
        os.close(pidfd)
        child = self._children.pop(pidfd)
        code = self._collect(child)
        self._send(Message(m.ENDED, a=child.wid, body=dumps(code)))

    def _collect(self, child: Child) -> int:
        # what the worker started in its group ends with it; before the number is free for others
        try:
            os.killpg(child.pid, platform.SIGKILL)
        except OSError:
            pass  # it has left the group, and nobody else is in it
        _, status = os.waitpid(child.pid, 0)
        return os.waitstatus_to_exitcode(status)

    def _give_up(self, wid: int, text: str) -> None:
        self.log(2, f"eisenmp: {text}\n")
        self._send(Message(m.ENDED, a=wid, body=dumps(None)))

    def _become_worker(self, received: list[int], numbers: tuple[int, ...]) -> Socket:
        os.setpgid(0, 0)
        for descriptor in self._own():
            os.close(descriptor)
        self._socket.detach()
        socket, life_line, output, *others = _moved(received, above=max((2, *numbers)))
        for descriptor, number in zip(others, numbers, strict=True):
            os.dup2(descriptor, number)
            os.close(descriptor)
        os.dup2(output, 1)
        os.dup2(output, 2)
        os.close(output)
        platform.end_with_life_line(life_line)
        reseed()
        return Socket(fileno=socket)

    def _own(self) -> tuple[int, ...]:
        """The descriptors that no worker keeps."""
        return self._socket.fileno(), self._life_line, *self._children

    def _taken(self, numbers: tuple[int, ...], received: list[int]) -> str:
        """Why a worker cannot have its descriptors under these numbers; nothing when it can."""
        free = {*received, *self._own()}
        for number, descriptor in zip(numbers, received[ENDS:], strict=False):
            try:
                known, wanted = os.fstat(number), os.fstat(descriptor)
            except OSError:
                continue  # it is free
            if number not in free and not os.path.samestat(known, wanted):
                return f"what was imported holds descriptor {number}, which the worker is to have"
        return ""

    # to the manager

    def _send(self, message: Message, *carried: int) -> None:
        for buffer in encode([message]):
            view = memoryview(buffer)
            while view:
                view = view[descriptors.send(self._socket, view, carried) :]
                carried = ()

    def log(self, stream: int, text: str) -> None:
        """What is printed while the modules are imported."""
        self._send(Message(m.LOG, a=stream, body=text.encode("utf-8", "backslashreplace")))

    def flush(self) -> None:
        """Nothing waits here."""


def reseed() -> None:
    """Give a worker random numbers of its own; the module `random` does that at a fork by itself."""
    random = sys.modules.get("numpy.random")
    if random is not None:
        try:
            random.seed()
        except (TypeError, ValueError):
            return  # the user has put in a generator that cannot be seeded like this


def _moved(received: list[int], *, above: int) -> list[int]:
    """The same descriptors under numbers above `above`."""
    moved = [fcntl.fcntl(number, fcntl.F_DUPFD_CLOEXEC, above + 1) for number in received]
    for number in received:
        os.close(number)
    return moved
