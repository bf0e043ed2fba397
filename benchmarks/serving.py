"""Servers as whole processes: ours, those of the peers, and the layout of eisenmp 1.0."""

from __future__ import annotations

import json
import os
import select
import signal
import socket
import subprocess
import sys
from collections.abc import Sequence
from http.client import HTTPConnection, HTTPException
from importlib.util import find_spec
from time import monotonic, sleep
from types import TracebackType
from typing import Any, Self

import psutil

from benchmarks import whole
from benchmarks.side import WORKERS, Wrong

PATIENCE = 60.0
APP = "benchmarks.works.sites:asgi"
PEERS = {
    "uvicorn --workers": (
        "uvicorn",
        f"-m uvicorn {APP} --workers 2 --log-level critical --no-access-log --port",
    ),
    "granian": (
        "granian",
        f"-m granian {APP} --interface asgi --workers 2 --log-level critical --respawn-failed-workers --port",
    ),
    "gunicorn, uvicorn_worker": (
        "uvicorn_worker",
        f"-m gunicorn {APP} -w 2 -k uvicorn_worker.UvicornWorker --log-level critical -b",
    ),
}  #: name: (module that must be there, arguments up to the port)


class Served:
    """A program with servers, from `with` to its end; `places` is where they listen."""

    def __init__(self, command: Sequence[str], places: Sequence[str] = (), *, workers: int = WORKERS) -> None:
        self.places = list(places)
        self._workers = workers
        self.process = subprocess.Popen(
            list(command),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            cwd=whole.ROOT,
            env=whole.environment(),
            start_new_session=True,
        )

    def __enter__(self) -> Self:
        try:
            if not self.places:
                self.places = self._line()
            self.pids = self.wait_for(self._workers)
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end()

    def order(self, text: str) -> list[int]:
        """Have ours do something; returns the pids of its slots."""
        assert self.process.stdin is not None
        self.process.stdin.write(text + "\n")
        self.process.stdin.flush()
        pids: list[int] = self._line()
        return pids

    def reload(self) -> None:
        """As operators do it."""
        self.process.send_signal(signal.SIGHUP)

    def wait_for(self, workers: int) -> set[int]:
        """The pids of so many processes, once they have answered."""
        found: set[int] = set()
        until = monotonic() + PATIENCE
        while len(found) < workers:
            if monotonic() > until or self.process.poll() is not None:
                raise Wrong(f"{len(found)} of {workers} servers answer; exit code {self.process.poll()}")
            found |= _pids(self.places)
        return found

    def memory(self) -> float:
        """MiB of the whole tree, what is shared counted once."""
        root = psutil.Process(self.process.pid)
        return sum(each.memory_full_info().pss for each in (root, *root.children(recursive=True))) / 2**20

    def _line(self) -> Any:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            raise Wrong(f"the servers ended with {self.process.wait()}")
        return json.loads(line)

    def _end(self) -> None:
        whole.end_group(self.process.pid)
        self.process.wait()
        for stream in (self.process.stdin, self.process.stdout):
            if stream is not None:
                stream.close()


def _pids(places: Sequence[str]) -> set[int]:
    """Who answers, over new connections."""
    found = set()
    for place in [*places] * max(1, 8 // len(places)):
        connection = HTTPConnection(place, timeout=PATIENCE)
        try:
            connection.request("GET", "/")
            found.add(int(connection.getresponse().read()))
        except (OSError, HTTPException):
            sleep(0.02)
        finally:
            connection.close()
    return found


def ours(
    app: str = "asgi", *, group: dict[str, Any] | None = None, slots: int = WORKERS, **settings: Any
) -> Served:
    """Servers of eisenmp: by default a port for each of two."""
    asked = {
        "app": f"benchmarks.works.sites:{app}",
        "factory": app.startswith("make_"),
        "group": group or {"ports": [0] * slots},
        "settings": settings,
    }
    return Served(whole.module("serve_ours", json.dumps(asked)), workers=slots)


def peer(name: str) -> Served | None:
    """One of PEERS with two workers; None where it is not installed."""
    module, arguments = PEERS[name]
    if find_spec(module) is None:
        return None
    place = f"127.0.0.1:{free_port()}"
    last = place if arguments.endswith("-b") else place.rpartition(":")[2]
    return Served([sys.executable, *arguments.split(), last], [place])


def old(servers: int = 6) -> Served:
    """The layout of 1.0: two processes with so many threaded servers each."""
    ports = [free_port() for _ in range(servers * WORKERS)]
    return Served(whole.module("serve_old", *ports), [f"127.0.0.1:{port}" for port in ports])


def free_port() -> int:
    """One that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def is_free(place: str) -> bool:
    """Whether somebody else could listen there now."""
    host, _, port = place.rpartition(":")
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, int(port)))
            probe.listen()
        except OSError:
            return False
    return True


def gone_after(served: Served, patience: float) -> float | None:
    """Seconds from a SIGKILL of the manager until all servers are gone and their ports free, or None."""
    # a process that has ended and that nobody has waited for is gone too
    sentinels = [os.pidfd_open(pid) for pid in served.pids]
    started = monotonic()
    served.process.kill()
    try:
        while monotonic() - started < patience:
            ended = select.select(sentinels, [], [], 0)[0]
            if len(ended) == len(sentinels) and all(map(is_free, served.places)):
                return monotonic() - started
            sleep(0.005)
        return None
    finally:
        for sentinel in sentinels:
            if not select.select([sentinel], [], [], 0)[0]:
                signal.pidfd_send_signal(sentinel, signal.SIGKILL)
            os.close(sentinel)
