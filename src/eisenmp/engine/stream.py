"""What the engines of this machine have in common: one stream per worker, one loop over all of them."""

from __future__ import annotations

import os
import threading
from collections import deque

from ..wire.frames import FrameError
from ..wire.platform import Poller
from .base import Arrived, Exit, Lost
from .connection import Connection
from .strays import Strays

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any

    from ..core.messages import Message
    from .base import Event, Launch


class StreamWorker:
    """One worker, and the manager's ends of what connects it.

    `terminate`, `kill` and `reap` are called under the engine's lock, the others by the loop.
    """

    def __init__(self, wid: int, engine: StreamEngine) -> None:
        self.wid = wid
        self.pid = 0
        self.reason = ""  #: why it was ended, where its exit code does not say so
        self.engine = engine
        self.connection = Connection(wid, engine.poller)

    def on_socket(self, events: list[Event], readable: bool, writable: bool) -> None:
        connection = self.connection
        if writable:
            connection.writable()
        if not readable:
            return
        try:
            messages = connection.receive()
        except FrameError as error:
            self._spoke_nonsense(error)
            return
        if messages:
            events.append(Arrived(self.wid, messages))
        if connection.ended:
            self.on_end(events)

    def _spoke_nonsense(self, error: FrameError) -> None:
        self.connection.end()
        self.reason = f"process {self.pid} was ended: {error}, and came over its socket to the manager"
        with self.engine.lock:
            self.kill()

    def on_end(self, events: list[Event]) -> None:
        """The stream has ended: nothing more comes."""
        raise NotImplementedError

    def terminate(self) -> None:
        """Ask it to end."""
        raise NotImplementedError

    def kill(self) -> None:
        """End it, and what it has started."""
        raise NotImplementedError

    def dump(self) -> None:
        """Have it write the stacks of its threads to its output, where it can."""

    def reap(self) -> int | None:
        """Wait for its end, which is near; its exit code if it can be known."""
        raise NotImplementedError

    def rest(self, events: list[Event]) -> None:
        """What it wrote besides messages before it ended."""

    def release(self) -> None:
        """Close everything."""
        self.connection.close()

    def abandon(self) -> None:
        """In a copy of the program made by os.fork(): let go of the descriptors, touch no process."""
        if self.connection.socket is not None:
            self.connection.socket.close()


class StreamEngine:
    """The loop over the streams of all workers of one manager. Subclasses start the workers."""

    poller: Poller
    passes_descriptors = False  #: `send_with` works
    opens_files = False  #: workers can open a file of this process by its path

    def __init__(self) -> None:
        self.workers: dict[int, StreamWorker] = {}
        #: held while a worker comes, is signalled or goes: no signal may reach a pid that was given away
        self.lock = threading.RLock()
        self._posted: deque[Callable[[list[Event]], None]] = deque()
        self._owner = 0
        self._opened = False

    def open(self) -> None:
        self._owner = os.getpid()
        self.poller = Poller()
        self.strays = Strays()
        self._opened = True

    def nodes(self) -> Sequence[str]:
        return ("localhost",)

    def put(self, name: str, obj: Any) -> bytes:
        from ..wire.pickles import dumps

        return dumps(obj, f"tool {name!r}")

    def drop(self, reference: bytes) -> None:
        """A tool lives in its pickle alone; there is nothing to free here."""

    def spawn(self, wid: int, launch: Launch, *, node: str | None = None) -> int:
        """Start a worker; returns its pid."""
        raise NotImplementedError

    def send(self, wid: int, messages: Sequence[Message]) -> None:
        worker = self.workers.get(wid)
        if worker is not None:
            worker.connection.send(messages)

    def send_with(self, wid: int, message: Message, descriptor: int) -> None:
        """Like `send`, with a copy of the descriptor."""
        worker = self.workers.get(wid)
        if worker is not None:
            worker.connection.send_with(message, descriptor)

    def poll(self, timeout: float | None) -> list[Event]:
        """Wait for events; returns at once when some are left from before."""
        events: list[Event] = []
        if self._posted:
            self._run_posted(events)
        for handler, readable, writable in self.poller.wait(0.0 if events else timeout):
            handler(events, readable, writable)
        if self._posted:
            self._run_posted(events)
        return events

    def post(self, call: Callable[[list[Event]], None]) -> None:
        """Have the loop call it, with the list of events to add to; from any thread."""
        self._posted.append(call)
        self.poller.wake()

    def _run_posted(self, events: list[Event]) -> None:
        while self._posted:
            self._posted.popleft()(events)

    def lost(self, worker: StreamWorker, events: list[Event]) -> None:
        """The worker has ended: first all that it sent and wrote, then the news."""
        with self.lock:
            if self.workers.pop(worker.wid, None) is None:
                return
            messages = worker.connection.drain()
            code = worker.reap()
        if messages:
            events.append(Arrived(worker.wid, messages))
        worker.rest(events)
        worker.release()
        events.append(Lost(worker.wid, Exit(code, worker.pid, worker.reason)))

    def wake(self) -> None:
        if self._opened:
            self.poller.wake()

    def watch(self, descriptor: int, call: Callable[[], None]) -> None:
        self.poller.add(descriptor, lambda events, readable, writable: call())

    def terminate(self, wid: int) -> None:
        with self.lock:
            worker = self.workers.get(wid)
            if worker is not None:
                worker.terminate()

    def kill(self, wid: int) -> None:
        with self.lock:
            worker = self.workers.get(wid)
            if worker is not None:
                worker.kill()

    def dump(self, wid: int) -> None:
        with self.lock:
            worker = self.workers.get(wid)
            if worker is not None:
                worker.dump()

    def close(self, grace: float) -> None:
        """Kill what is left, reap it, close everything."""
        if not self._opened or os.getpid() != self._owner:
            return
        self._opened = False
        with self.lock:
            workers = list(self.workers.values())
            self.workers.clear()
            for worker in workers:
                worker.kill()
        for worker in workers:
            worker.reap()
            worker.release()
        self.end_strays()
        self.poller.close()
        self._posted.clear()

    def end_strays(self) -> None:
        """End what the workers have left behind; they are gone themselves."""
        self.strays.end()

    def abandon(self) -> None:
        """In a copy of the program made by os.fork(): the engine is not ours."""
        if not self._opened:
            return
        self._opened = False
        for worker in self.workers.values():
            worker.abandon()
        self.workers.clear()
        self.poller.close()
