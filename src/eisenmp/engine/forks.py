"""Workers that are forked from a zygote: asked for, adopted, and buried by their parent's word."""

from __future__ import annotations

import os
from time import monotonic

from ..core import messages as m
from ..wire import platform
from ..wire.pickles import dumps, loads
from . import process
from .base import Arrived, Exit, Lost, Notice, Started
from .local import LocalWorker
from .zygote import Zygote

TYPE_CHECKING = False
if TYPE_CHECKING:
    from _socket import socket as Socket

    from ..child.spec import Spec, Warm
    from ..core.messages import Message
    from .base import Event, Launch
    from .local import LocalEngine

DEATHS_MAX = 8  #: of zygotes; then workers are spawned
PATIENCE = 1.0  #: seconds that the exit code of a worker, or the leave of a zygote, is waited for
FAILED_START_CODE = 3


def complete(launch: Launch) -> Launch:
    """The same worker for a fresh interpreter, which has nothing loaded."""
    spec: Spec = loads(launch.spec)
    warm: Warm = loads(launch.warm)
    spec = spec._replace(sources=warm.sources, tools=tuple(launch.tools))
    return launch._replace(spec=dumps(spec), warm=b"", tools=())


class ForkedWorker(LocalWorker):
    """A worker that a zygote is asked for: what is sent to it waits until it is there."""

    def __init__(self, wid: int, engine: LocalEngine, forks: ForkServer, launch: Launch) -> None:
        super().__init__(wid, engine)
        self.launch = launch
        self.zygote: Zygote | None = None  #: its parent, while that lives
        self.socket: Socket | None = None  #: until it is there
        self.code: int | None = None
        self.buried = False  #: by the zygote: the pid may be another process's
        self._forks = forks

    @property
    def waiting(self) -> bool:
        return self.socket is not None

    def on_exit(self, events: list[Event], readable: bool, writable: bool) -> None:
        if self.sentinel < 0:
            return
        if self.zygote is None:
            self.engine.lost(self, events)
        else:
            self.engine.poller.remove(self.sentinel)
            self._forks.expect_code(self)

    def kill(self) -> None:
        super().kill()
        if self.waiting and self.zygote is not None and not self.zygote.answered:
            # an import that hangs: the next attempt gets a new interpreter
            self._forks.give_up(self.zygote)

    def dump(self) -> None:
        if self.waiting:
            # what hangs is an import, and that is the zygote's
            if self.zygote is not None:
                self.zygote.dump()
        elif not self.buried:
            super().dump()

    def signal_group(self, number: int) -> None:
        """Signal it once it is there, and what is in its process group."""
        if self.waiting:
            self.engine.post(lambda events: self._cancelled(number, events))
        elif not self.buried and not (self.sentinel >= 0 and process.has_ended(self.sentinel, 0.0)):
            process.signal_group(self.pid, number)

    def _cancelled(self, number: int, events: list[Event]) -> None:
        with self.engine.lock:
            if self.waiting:
                # should it still be forked, it ends at once: its life line is closed
                self.bury(-number, 0 if self.zygote is None else self.zygote.pid)
                self.engine.lost(self, events)
                return
            # in its place may be one that was spawned meanwhile
            worker = self.engine.workers.get(self.wid)
            if isinstance(worker, LocalWorker):
                worker.signal_group(number)

    def bury(self, code: int | None, pid: int) -> None:
        """Nothing is left of the process but its exit code."""
        self.buried, self.code, self.pid = True, code, pid

    def reap(self) -> int | None:
        if not self.buried and self.pid:
            process.signal_group(self.pid, platform.SIGKILL)
            if self.sentinel >= 0:
                process.has_ended(self.sentinel, PATIENCE)
        return self.code

    def release(self) -> None:
        super().release()
        self._drop()

    def abandon(self) -> None:
        super().abandon()
        self._drop()

    def _drop(self) -> None:
        if self.socket is not None:
            self.socket.close()
            self.socket = None


class ForkServer:
    """The part of the local engine that has workers forked, from one zygote at a time."""

    def __init__(self, engine: LocalEngine) -> None:
        self._engine = engine
        self._zygote: Zygote | None = None  # the one to ask
        self._zygotes: list[Zygote] = []  # that are not gone
        self._deaths = 0
        self._refusal = ""
        self._told: set[str] = set()
        self._expected: dict[ForkedWorker, float] = {}  # whose exit code is to come, and until when

    def spawn(self, wid: int, launch: Launch) -> bool:
        """Have the worker forked; False where it needs an interpreter of its own."""
        engine = self._engine
        with engine.lock:
            zygote = self._zygote
            if self._refusal:
                return False
            if zygote is None and self._deaths >= DEATHS_MAX:
                self._tell(f"the zygote has ended {self._deaths} times; workers are spawned from now on")
                return False
            if zygote is not None and not zygote.suits(launch):
                self._tell(f"{launch.name} is spawned: its environment or its modules are not the zygote's")
                return False
            if zygote is None:
                zygote = self._zygote = Zygote(engine, self, launch)
                self._zygotes.append(zygote)
            worker = ForkedWorker(wid, engine, self, launch)
            worker.zygote = asked = zygote
            worker.socket = engine.connect(worker, lambda ends: asked.ask(wid, launch, ends))
            engine.workers[wid] = worker
            return True

    # what the zygote says; called by the loop

    def on_message(self, zygote: Zygote, message: Message, pidfd: int, events: list[Event]) -> None:
        if message.kind == m.LOG:
            events.append(Arrived(zygote.wid, [message]))
            return
        with self._engine.lock:
            self._answered(zygote, message, pidfd, events)
            self._dismiss(zygote)

    def _answered(self, zygote: Zygote, message: Message, pidfd: int, events: list[Event]) -> None:
        kind = message.kind
        zygote.answered = True
        worker = self._engine.workers.get(message.a)
        if not isinstance(worker, ForkedWorker):
            worker = None
        if kind == m.FORKED:
            self._forked(zygote, worker, message, pidfd, events)
        elif kind == m.ENDED:
            zygote.children.discard(message.a)
            if worker is not None:
                self._expected.pop(worker, None)
                if worker.waiting:
                    worker.reason = "the zygote could not fork a process"
                worker.bury(loads(message.body), worker.pid)
                self._engine.lost(worker, events)
        elif worker is not None and kind == m.FAILED_START:
            events.append(Arrived(worker.wid, [message._replace(a=0)]))
            worker.bury(FAILED_START_CODE, zygote.pid)
            self._engine.lost(worker, events)
        elif kind == m.REFUSED:
            reason = message.body.decode("utf-8", "replace")
            if message.b:
                self._refusal = reason
            self._tell(f"workers are spawned, not forked: {reason}")
            if worker is not None:
                self._spawn_after_all(worker, events)

    def _forked(
        self, zygote: Zygote, worker: ForkedWorker | None, message: Message, pidfd: int, events: list[Event]
    ) -> None:
        zygote.children.add(message.a)
        if worker is None or worker.socket is None:
            if pidfd >= 0:
                os.close(pidfd)
            return
        socket, worker.socket = worker.socket, None
        worker.pid, worker.sentinel = message.b, pidfd
        self._engine.adopt(worker, socket, worker.launch.spec)
        events.append(Started(worker.wid, worker.pid))

    def _spawn_after_all(self, worker: ForkedWorker, events: list[Event]) -> None:
        engine = self._engine
        fresh = LocalWorker(worker.wid, engine)
        launch = complete(worker.launch)
        # what was sent to it waits in the connection
        fresh.connection, worker.connection = worker.connection, fresh.connection
        worker.release()
        try:
            socket = engine.connect(fresh, lambda ends: process.spawn(launch, ends))
        except OSError as error:
            del engine.workers[worker.wid]
            events.append(Lost(worker.wid, Exit(None, 0, f"no process could be started: {error}")))
            return
        engine.adopt(fresh, socket, launch.spec)
        events.append(Started(fresh.wid, fresh.pid))

    def died(self, zygote: Zygote, events: list[Event]) -> None:
        """The zygote has ended. Its workers go on; who was to be forked is lost."""
        engine = self._engine
        with engine.lock:
            if zygote not in self._zygotes:
                return
            self._zygotes.remove(zygote)
            if self._zygote is zygote:
                self._zygote = None
            self._deaths += not zygote.leaving
            code = zygote.reap()
            zygote.rest(events)
            zygote.release()
            for worker in self._workers():
                if worker.zygote is not zygote:
                    continue
                worker.zygote = None
                if worker.waiting:
                    worker.bury(code, zygote.pid)
                    engine.lost(worker, events)
                elif self._expected.pop(worker, None) is not None:
                    engine.lost(worker, events)

    def give_up(self, zygote: Zygote) -> None:
        """End it; who asks from now on gets a new one. Under the lock."""
        if self._zygote is zygote:
            self._zygote = None
        zygote.kill()

    def renew(self) -> None:
        """Who asks from now on gets a zygote that loads everything anew. Under the lock."""
        zygote, self._zygote = self._zygote, None
        if zygote is not None:
            zygote.outdated = True
            self._dismiss(zygote)

    def _dismiss(self, zygote: Zygote) -> None:
        """A zygote that forks no more has nothing to do, once all have their answer and are buried."""
        if not (self._refusal or zygote.outdated) or zygote.leaving or zygote.children:
            return
        if not any(worker.waiting and worker.zygote is zygote for worker in self._workers()):
            zygote.hang_up()

    def _workers(self) -> list[ForkedWorker]:
        return [worker for worker in self._engine.workers.values() if isinstance(worker, ForkedWorker)]

    def _tell(self, text: str) -> None:
        if text not in self._told:
            self._told.add(text)
            self._engine.post(lambda events: events.append(Notice(text)))

    # exit codes that are to come

    def expect_code(self, worker: ForkedWorker) -> None:
        """The worker has ended, and its parent will say how, unless that hangs."""
        self._expected[worker] = monotonic() + PATIENCE

    def patience(self, timeout: float | None) -> float | None:
        """How long the loop may wait, at most `timeout` seconds."""
        if not self._expected:
            return timeout
        left = max(0.0, min(self._expected.values()) - monotonic())
        return left if timeout is None else min(timeout, left)

    def settle(self, events: list[Event]) -> None:
        """Wait no longer for codes that are overdue."""
        if self._expected:
            now = monotonic()
            for worker in [worker for worker, until in self._expected.items() if until <= now]:
                del self._expected[worker]
                self._engine.lost(worker, events)

    # the end

    def close(self) -> None:
        """End the workers, then the zygote, so that it can bury them."""
        with self._engine.lock:
            workers = self._workers()
            for worker in workers:
                worker.kill()
            for worker in workers:
                worker.reap()
                worker.bury(None, worker.pid)
            for zygote in self._zygotes:
                if zygote.answered and zygote.sentinel >= 0:
                    zygote.hang_up()
                    process.has_ended(zygote.sentinel, PATIENCE)
                zygote.reap()
                zygote.release()
            self._zygotes.clear()
            self._zygote = None

    def abandon(self) -> None:
        """In a copy of the program made by os.fork(): let go of the descriptors."""
        for zygote in self._zygotes:
            zygote.abandon()
