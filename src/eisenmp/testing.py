"""For tests and debugging: `Mp(…, engine="inline")` runs every worker in a thread of this process.

The path of each message is that of the real engines; breakpoints, coverage and debuggers see the workers. A
thread cannot be killed: `kill` closes its connection, so that its next queue operation raises Stopped. What
workers print goes to the stdout of this process. A worker module is imported here once, like any module.
"""

from __future__ import annotations

import sys
import threading
from os import getpid
from os.path import dirname
from time import monotonic

from .child.__main__ import read_spec
from .child.host import Host
from .core import messages as m
from .core import queues
from .core.messages import Message
from .engine.stream import StreamEngine, StreamWorker
from .errors import QueueUnknown, Stopped
from .wire.link import Link
from .wire.platform import SIGKILL, SIGTERM, loopback_pair

TYPE_CHECKING = False
if TYPE_CHECKING:
    from _socket import socket as Socket
    from collections.abc import Callable
    from typing import TypeVar

    from .engine.base import Event, Launch

    Value = TypeVar("Value")

__all__ = ["InlineEngine", "eventually"]

PATIENCE = 1.0  #: seconds for threads of workers that were stopped
INTERVAL = 0.005  #: seconds between two looks of `eventually`


def eventually(predicate: Callable[[], Value], timeout: float = 10.0) -> Value:
    """The first true value of `predicate()`; AssertionError when there is none within `timeout` seconds."""
    deadline = monotonic() + timeout
    pause = threading.Event()
    while True:
        value = predicate()
        if value:
            return value
        if monotonic() >= deadline:
            raise AssertionError(f"not true within {timeout} s: {predicate!r} gives {value!r}")
        pause.wait(INTERVAL)


class Resolvers:
    """Pickled queues become those of the worker in whose thread they are unpickled, else the manager's."""

    def __init__(self) -> None:
        self._here = threading.local()
        self._lock = threading.Lock()

    def register(self, manager: str, resolve: Callable[[str], object]) -> None:
        """Resolve queues of the manager by `resolve` in this thread, and as before in others."""
        known: dict[str, Callable[[str], object]] = vars(self._here)
        known[manager] = resolve
        with self._lock:
            others = queues.resolver(manager)
            if not isinstance(others, _Resolver):
                queues.register_resolver(manager, _Resolver(self._here, manager, others))


class _Resolver:
    def __init__(self, here: threading.local, manager: str, others: Callable[[str], object] | None) -> None:
        self._here = here
        self._manager = manager
        self._others = others

    def __call__(self, name: str) -> object:
        resolve = vars(self._here).get(self._manager) or self._others
        if resolve is None:
            raise QueueUnknown(f"queue {name!r} belongs to a manager that this thread has no part in")
        return resolve(name)


_resolvers = Resolvers()


def _nothing() -> None:
    """The end of the connection ends no process here."""


class InlineWorker(StreamWorker):
    """A worker in a thread."""

    def __init__(self, wid: int, engine: InlineEngine, socket: Socket, name: str) -> None:
        super().__init__(wid, engine)
        self._host = engine.host
        self.pid = getpid()
        self.thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._socket = socket
        self._code: int | None = None
        self.folders: set[str] = set()  #: that loading the modules may put on sys.path

    def _run(self) -> None:
        host: Host | None = None
        code = 1
        try:
            spec = read_spec(self._socket)
            # of a file in a package both: see `child.loader`
            self.folders = {
                folder for source in spec.sources for folder in (source.base, dirname(source.path)) if folder
            }
            host = self._host(spec, Link(self._socket), on_eof=_nothing, register=_resolvers.register)
            code = 0 if host.run() else 3
        except Stopped:
            code = 0
        except SystemExit as leaving:
            code = leaving.code if isinstance(leaving.code, int) else int(leaving.code is not None)
        except BaseException:  # in a process of its own it would end that process
            import traceback

            traceback.print_exc()
        finally:
            self._end(code)
            if host is None:
                self._socket.close()
            else:
                try:
                    host.channel.stocks.close()
                finally:
                    host.channel.close()

    def _end(self, code: int) -> None:
        with self.engine.lock:
            if self._code is None:
                self._code = code

    def on_end(self, events: list[Event]) -> None:
        self.engine.lost(self, events)

    def terminate(self) -> None:
        self._end(-SIGTERM)
        self.connection.cut()

    def kill(self) -> None:
        self.reason = f"inline worker {self.thread.name} was killed: its connection was closed"
        self._end(-SIGKILL)
        self.connection.cut()

    def reap(self) -> int | None:
        return self._code


class InlineEngine(StreamEngine):
    """Runs workers in threads, over the same frames as the engines that start processes."""

    passes_descriptors = sys.platform == "linux"
    host: type[Host] = Host  #: what lives a worker's life

    def open(self) -> None:
        super().open()
        self._started: list[InlineWorker] = []
        self._path = frozenset(sys.path)

    def spawn(self, wid: int, launch: Launch, *, node: str | None = None) -> int:
        """Start a thread; returns the pid of this process."""
        ours, theirs = loopback_pair()
        with self.lock:
            worker = InlineWorker(wid, self, theirs, launch.name)
            self.workers[wid] = worker
            worker.connection.send([Message(m.START, body=launch.spec)])
            worker.connection.attach(ours, worker.on_socket)
            self._started.append(worker)
            worker.thread.start()
        return worker.pid

    def close(self, grace: float) -> None:
        """Close all connections and join the threads; one that does not come back is named in a warning."""
        super().close(grace)
        until = monotonic() + max(grace, PATIENCE)
        for worker in self._started:
            worker.thread.join(max(0.0, until - monotonic()))
            if worker.thread.is_alive():
                import warnings

                warnings.warn(
                    f"inline worker {worker.thread.name} does not come back: its thread is left behind",
                    RuntimeWarning,
                    stacklevel=2,
                )
            for folder in worker.folders - self._path:
                try:
                    sys.path.remove(folder)
                except ValueError:
                    continue  # nobody has come to need it, or another manager has just removed it
        self._started.clear()
