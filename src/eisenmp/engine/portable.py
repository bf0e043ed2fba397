"""Workers as processes of this machine, with nothing that only one system has.

Each worker connects to a loopback port and proves that it knows the key which it got on its standard input.
Two threads per worker wait where the loop cannot: for its output, and for its end.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
from functools import partial

from ..core import messages as m
from ..core.messages import Message
from ..wire import platform
from ..wire.handshake import ADDRESS, KEY_SIZE, Greeting
from . import process
from .base import Log
from .strays import below, end
from .stream import StreamEngine, StreamWorker

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from .base import Event, Launch

OUTPUT_SIZE = 1 << 16
OUTPUT_PATIENCE = 1.0  #: seconds for the rest of the output, which a process left behind may hold open
END_PATIENCE = 2.0  #: seconds for a process to end after the end of its connection
GREETINGS_MAX = 64  #: connections that have not proved anything yet


class PortableWorker(StreamWorker):
    """One worker process, its pipes, and the threads that wait for it."""

    def __init__(self, wid: int, engine: StreamEngine) -> None:
        super().__init__(wid, engine)
        self.key = os.urandom(KEY_SIZE)
        self.connected = False
        self._reaped = False
        self._code: int | None = None
        self._job: Any = None
        self._reader = threading.Thread(target=self._read, name=f"eisenmp-reader-{wid}", daemon=True)
        self._waiter = threading.Thread(target=self._wait, name=f"eisenmp-waiter-{wid}", daemon=True)
        self._deadline: threading.Timer | None = None

    def start(self, launch: Launch, port: int) -> None:
        """Start the interpreter, in a process group or job of its own, and tell it the key."""
        options: dict[str, Any] = {}
        if sys.platform == "win32":
            options["creationflags"] = subprocess.CREATE_NO_WINDOW
        else:
            options["process_group"] = 0
        self._process = subprocess.Popen(
            process.command(launch.name, ["connect", str(port)]),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            bufsize=0,
            env=dict(launch.environment),
            **options,
        )
        self.pid = self._process.pid
        assert self._process.stdin is not None and self._process.stdout is not None
        with self._process.stdin as stdin:
            try:
                self._watch()
            except BaseException:
                self.kill()
                self._collect()
                if not self._reader.is_alive():
                    self._process.stdout.close()
                raise
            try:
                stdin.write(self.key.hex().encode() + b"\n")
            except OSError:
                return  # it has ended already, and the waiter says so

    def _watch(self) -> None:
        if sys.platform == "win32":
            from .job import Job

            # it starts nothing before it has read the key, so that whatever it starts is in the job too
            self._job = Job(self.pid)
        self._reader.start()
        self._waiter.start()

    # threads

    def _read(self) -> None:
        output = self._process.stdout
        assert output is not None
        with output:
            while data := os.read(output.fileno(), OUTPUT_SIZE):
                self.engine.post(partial(self._log, data))

    def _log(self, data: bytes, events: list[Event]) -> None:
        events.append(Log(self.wid, data))

    def _wait(self) -> None:
        if sys.platform == "win32" or not hasattr(os, "waitid"):
            self._collect()
        else:
            try:
                # its pid stays its own until what it started has been ended
                os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOWAIT)
            except ChildProcessError:
                self._reaped = True  # somebody else in this program has collected it
        with self.engine.lock:
            self._kill_group()
            self._collect()
        self._reader.join(OUTPUT_PATIENCE)
        self.engine.post(self._gone)

    def _collect(self) -> None:
        if not self._reaped:
            if sys.platform == "win32":
                self._code = self._process.wait()
            else:
                self._code = process.exit_code(self.pid, wait=True)
            self._reaped = True
        self._process.returncode = 0 if self._code is None else self._code

    def _gone(self, events: list[Event]) -> None:
        self.engine.lost(self, events)

    # for the engine

    def on_end(self, events: list[Event]) -> None:
        """It has said all; that this side closes too is what it waits for, before it ends."""
        self.connection.close()
        self._deadline = threading.Timer(END_PATIENCE, self.engine.kill, (self.wid,))
        self._deadline.name = f"eisenmp-deadline-{self.wid}"
        self._deadline.daemon = True
        self._deadline.start()

    def terminate(self) -> None:
        if sys.platform == "win32":
            self.kill()
        elif not self._reaped:
            self.engine.strays.note(below(self.pid))
            process.signal_group(self.pid, platform.SIGTERM)

    def kill(self) -> None:
        away = [] if self._reaped else below(self.pid)
        self._kill_group()
        end(away)

    def _kill_group(self) -> None:
        if self._job is not None:
            self._job.terminate()
        elif not self._reaped:
            process.signal_group(self.pid, platform.SIGKILL)

    def dump(self) -> None:
        if not self._reaped:
            process.ask_for_stacks(self.pid)

    def reap(self) -> int | None:
        self._waiter.join()
        return self._code

    def release(self) -> None:
        super().release()
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline.join()
        if self._job is not None:
            self._job.close()

    def abandon(self) -> None:
        super().abandon()
        self._process.returncode = 0
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()


class PortableEngine(StreamEngine):
    """Starts, feeds and watches the worker processes of one manager, on any system."""

    measurable = True  #: a worker is a process of this machine
    opens_files = True  #: and has the same files

    def open(self) -> None:
        self._greetings: dict[Greeting, None] = {}
        self._listener = socket.create_server((ADDRESS, 0), backlog=128)
        self._listener.setblocking(False)
        self._listening = False
        super().open()

    def spawn(self, wid: int, launch: Launch, *, node: str | None = None) -> int:
        """Start a fresh interpreter. Returns its pid; raises OSError when the system has no room for it."""
        worker = PortableWorker(wid, self)
        launch = launch._replace(environment=self.strays.marked(launch.environment))
        with self.lock:
            if not self._listening:
                self._listening = True
                self.poller.add(self._listener.fileno(), self._on_knock)
            worker.start(launch, self._listener.getsockname()[1])
            self.workers[wid] = worker
        worker.connection.send([Message(m.START, body=launch.spec)])
        return worker.pid

    def _on_knock(self, events: list[Event], readable: bool, writable: bool) -> None:
        try:
            connected, _ = self._listener.accept()
        except (BlockingIOError, ConnectionError):
            return
        except OSError as error:
            self._refuse(error)
            return
        platform.speak_at_once(connected)
        if len(self._greetings) >= GREETINGS_MAX:
            self._dismiss(next(iter(self._greetings)))
        greeting = Greeting(connected)
        self._greetings[greeting] = None
        self.poller.add(connected.fileno(), partial(self._on_answer, greeting))

    def _refuse(self, error: OSError) -> None:
        """No descriptor is left: end those who wait to be let in, or they would knock for ever."""
        self._listening = False
        self.poller.remove(self._listener.fileno())
        with self.lock:
            for worker in self.workers.values():
                if isinstance(worker, PortableWorker) and not worker.connected:
                    worker.reason = f"the connection of process {worker.pid} could not be accepted: {error}"
                    worker.kill()

    def _on_answer(self, greeting: Greeting, events: list[Event], readable: bool, writable: bool) -> None:
        if greeting not in self._greetings:
            return  # dismissed by an earlier event of this round
        try:
            if not greeting.receive():
                return
            with self.lock:
                worker = self._who(greeting)
            if worker is None:
                self._dismiss(greeting)
                return
            greeting.confirm(worker.key)
        except BlockingIOError:
            return
        except OSError:
            self._dismiss(greeting)
            return
        del self._greetings[greeting]
        self.poller.remove(greeting.socket.fileno())
        worker.connection.attach(greeting.socket, worker.on_socket)

    def _who(self, greeting: Greeting) -> PortableWorker | None:
        """The worker whose key the other side knows; each connects once."""
        for worker in self.workers.values():
            if isinstance(worker, PortableWorker) and not worker.connected and greeting.knows(worker.key):
                worker.connected = True
                return worker
        return None

    def _dismiss(self, greeting: Greeting) -> None:
        del self._greetings[greeting]
        self.poller.remove(greeting.socket.fileno())
        greeting.socket.close()

    def close(self, grace: float) -> None:
        """Kill what is left, reap it, close everything."""
        super().close(grace)
        self._close_ports()

    def abandon(self) -> None:
        super().abandon()
        self._close_ports()

    def _close_ports(self) -> None:
        if not self._opened:
            self._listener.close()
            for greeting in self._greetings:
                greeting.socket.close()
            self._greetings.clear()
