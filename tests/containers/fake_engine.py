"""A container engine on a unix socket, whose containers are small servers in threads of the test.

It says what Docker Engine says, and fails the way it is told to.
"""

from __future__ import annotations

import json
import re
import socket
import struct
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from socketserver import ThreadingMixIn, UnixStreamServer
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qs, unquote, urlsplit

VERSION = "1.41"
KILLED = 137


@dataclass
class Faults:
    """What the engine does wrong."""

    create: str = ""  #: the message of a 500
    start: str = ""
    pull: str = "manifest unknown"
    ends_with: int | None = None  #: the exit code of containers, as soon as they are started
    oom: bool = False
    silent: bool = False  #: containers never listen
    deaf: bool = False  #: containers end on SIGKILL only
    unpublished: bool = False  #: it does not say where a port is
    raw: dict[str, bytes] = field(
        default_factory=dict
    )  #: by the end of a path: what is answered in its place


class Answer(BaseHTTPRequestHandler):
    """The program in a container: HTTP/1.1, with connections that are kept."""

    protocol_version = "HTTP/1.1"

    def setup(self) -> None:
        super().setup()
        self.server.connections.add(self.connection)  # type: ignore[attr-defined]

    def finish(self) -> None:
        self.server.connections.discard(self.connection)  # type: ignore[attr-defined]
        super().finish()

    def do_GET(self) -> None:
        container: Container = self.server.container  # type: ignore[attr-defined]
        body = f"{container.number} {self.headers.get_all('Connection')} {self.path}\n".encode()
        there = self.path != "/nothing"
        self.send_response(200 if there else 404)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
        if there:
            container.write(1, f"{self.path}\n".encode())

    def log_message(self, format: str, *args: Any) -> None:
        pass


class Site(ThreadingHTTPServer):
    daemon_threads = False
    block_on_close = True
    request_queue_size = 128


class Container:
    """One container of the engine."""

    def __init__(self, number: str, request: dict[str, Any]) -> None:
        self.number = number
        self.request = request
        self.state = "created"
        self.code = 0
        self.signals: list[str] = []
        self.output: list[tuple[int, bytes]] = []
        self.changed = threading.Condition()
        self.port = 0
        self._site: Site | None = None
        self._thread: threading.Thread | None = None

    def start(self, silent: bool) -> None:
        self.write(1, b"one\ntwo\nthr")
        self.write(2, b"wrong\n")
        self.write(1, b"ee\n")
        self.state = "running"
        if silent:
            with socket.create_server(("127.0.0.1", 0)) as free:
                self.port = free.getsockname()[1]
            return
        told = dict(entry.split("=", 1) for entry in self.request["Env"])
        on_host = self.request["HostConfig"]["NetworkMode"] == "host"
        self._site = site = Site(("127.0.0.1", int(told["PORT"]) if on_host else 0), Answer)
        site.container, site.connections = self, set()  # type: ignore[attr-defined]
        self.port = site.server_port
        self._thread = threading.Thread(target=site.serve_forever, args=(0.02,))
        self._thread.start()

    def write(self, stream: int, data: bytes) -> None:
        with self.changed:
            self.output.append((stream, data))
            self.changed.notify_all()

    def end(self, code: int) -> None:
        if self._site is not None and self._thread is not None:
            self._site.shutdown()
            self._thread.join()
            for connection in list(self._site.connections):  # type: ignore[attr-defined]
                try:
                    connection.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass  # its client was faster
            self._site.server_close()
            self._site = None
        with self.changed:
            if self.state != "exited":
                self.state, self.code = "exited", code
            self.changed.notify_all()


class Server(ThreadingMixIn, UnixStreamServer):
    daemon_threads = False
    block_on_close = True
    request_queue_size = 128

    def get_request(self) -> tuple[socket.socket, Any]:
        connection, _ = super().get_request()
        return connection, ("engine", 0)


class FakeEngine:
    """Runs from `with` to its end; `place` is what DOCKER_HOST has to be."""

    def __init__(self, folder: Path, faults: Faults | None = None, **images: dict[str, Any]) -> None:
        self.place = f"unix://{folder / 'engine.sock'}"
        self.faults = faults or Faults()
        self.images = images or {"shop": {"ExposedPorts": {"80/tcp": {}, "53/udp": {}}}}
        self.containers: dict[str, Container] = {}
        self.removed: list[Container] = []
        self.closing = False
        self.connections: set[socket.socket] = set()
        self._numbers = 0
        self._lock = threading.Lock()
        handler = type("Handler", (Handler,), {"engine": self})
        self._server = Server(str(folder / "engine.sock"), handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.go_away()
        for container in [*self.containers.values(), *self.removed]:
            container.end(KILLED)

    def go_away(self) -> None:
        """Nobody answers any more; the containers live on."""
        if self.closing:
            return
        self.closing = True
        self._server.shutdown()
        self._thread.join()
        for connection in list(self.connections):
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass  # its client was faster
        for container in list(self.containers.values()):
            with container.changed:
                container.changed.notify_all()
        self._server.server_close()
        Path(self.place.removeprefix("unix://")).unlink()

    def add(self, request: dict[str, Any]) -> Container:
        with self._lock:
            self._numbers += 1
            number = f"{self._numbers:064x}"
            self.containers[number] = Container(number, request)
        return self.containers[number]


class Handler(BaseHTTPRequestHandler):
    """The requests that a client of the engine makes."""

    protocol_version = "HTTP/1.1"
    engine: FakeEngine

    def setup(self) -> None:
        super().setup()
        self.engine.connections.add(self.connection)

    def finish(self) -> None:
        self.engine.connections.discard(self.connection)
        super().finish()

    def log_message(self, format: str, *args: Any) -> None:
        pass

    def do_GET(self) -> None:
        self._route()

    def do_POST(self) -> None:
        self._route()

    def do_DELETE(self) -> None:
        self._route()

    def _route(self) -> None:
        parts = urlsplit(self.path)
        size = int(self.headers.get("Content-Length") or 0)
        body = json.loads(self.rfile.read(size) or b"null")
        path = re.sub(r"^/v[\d.]+", "", unquote(parts.path))
        query = {name: values[-1] for name, values in parse_qs(parts.query).items()}
        for end, raw in self.engine.faults.raw.items():
            if path.endswith(end):
                self._send(200, raw)
                return
        _, kind, *words = path.split("/")
        if kind == "_ping":
            self._send(200, b"OK")
        elif kind == "images":
            self._image(words, query)
        elif words == ["json"]:
            self._list(query)
        elif words == ["create"]:
            self._create(body)
        elif words[0] not in self.engine.containers:
            self._wrong(404, f"No such container: {words[0]}")
        else:
            self._container(self.engine.containers[words[0]], words[1:], query)

    def _image(self, words: list[str], query: dict[str, str]) -> None:
        if words == ["create"]:
            self._pull({"status": "Pulling"}, {"error": self.engine.faults.pull})
            return
        name = "/".join(words[:-1])
        if name in self.engine.images:
            self._json({"Config": self.engine.images[name]})
        else:
            self._wrong(404, f"No such image: {name}")

    def _list(self, query: dict[str, str]) -> None:
        wanted = json.loads(query.get("filters", "{}")).get("label", [])
        found = [
            {"Id": each.number, "Labels": each.request.get("Labels"), "State": each.state}
            for each in list(self.engine.containers.values())
            if all(label in (each.request.get("Labels") or {}) for label in wanted)
        ]
        self._send(200, json.dumps(found).encode())

    def _create(self, body: dict[str, Any]) -> None:
        if self.engine.faults.create:
            self._wrong(500, self.engine.faults.create)
        elif body["Image"] not in self.engine.images:
            self._wrong(404, f"No such image: {body['Image']}")
        else:
            self._send(201, json.dumps({"Id": self.engine.add(body).number, "Warnings": []}).encode())

    def _container(self, container: Container, words: list[str], query: dict[str, str]) -> None:
        faults = self.engine.faults
        if self.command == "DELETE":
            container.end(KILLED)
            self.engine.removed.append(self.engine.containers.pop(container.number))
            self._send(204, b"")
        elif words == ["start"]:
            if faults.start:
                self._wrong(500, faults.start)
                return
            container.start(faults.silent)
            if faults.ends_with is not None:
                container.end(faults.ends_with)
            self._send(204, b"")
        elif words == ["json"]:
            self._inspect(container)
        elif words == ["wait"]:
            self._until(container, 0)
            self._json({"StatusCode": container.code})
        elif words == ["logs"]:
            self._logs(container, query)
        elif words == ["kill"]:
            container.signals.append(query["signal"])
            if not faults.deaf:
                container.end(143)
            self._send(204, b"")
        else:
            self._wrong(404, "page not found")

    def _inspect(self, container: Container) -> None:
        ports = {}
        if container.state == "running" and not self.engine.faults.unpublished:
            for port in container.request.get("ExposedPorts") or {}:
                ports[port] = [{"HostIp": "127.0.0.1", "HostPort": str(container.port)}]
        running = container.state == "running"
        state = {"Running": running, "OOMKilled": self.engine.faults.oom, "ExitCode": container.code}
        config = {"Tty": False, "StopSignal": "SIGQUIT"}
        self._json({"State": state, "NetworkSettings": {"Ports": ports}, "Config": config})

    def _until(self, container: Container, known: int) -> None:
        """Wait for more output than that, or the end."""
        with container.changed:
            container.changed.wait_for(
                lambda: (
                    container.state == "exited"
                    or self.engine.closing
                    or (known and len(container.output) > known)
                )
            )

    def _logs(self, container: Container, query: dict[str, str]) -> None:
        self.send_response(200)
        self.send_header("Connection", "close")
        self.end_headers()
        wanted = {
            number for number, name in ((1, "stdout"), (2, "stderr")) if query.get(name) in ("1", "True")
        }
        sent = 0
        while True:
            for stream, data in container.output[sent:]:
                sent += 1
                if stream in wanted:
                    self.wfile.write(struct.pack(">BxxxL", stream, len(data)) + data)
            self.wfile.flush()
            if container.state == "exited" or self.engine.closing:
                self.close_connection = True
                return
            self._until(container, sent)

    def _pull(self, *steps: object) -> None:
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for step in [*(json.dumps(step).encode() + b"\r\n" for step in steps), b""]:
            self.wfile.write(f"{len(step):x}\r\n".encode() + step + b"\r\n")

    def _json(self, value: object) -> None:
        self._send(200, json.dumps(value).encode())

    def _wrong(self, status: int, message: str) -> None:
        self._send(status, json.dumps({"message": message}).encode())

    def _send(self, status: int, body: bytes) -> None:
        try:
            self.send_response(status)
            self.send_header("Api-Version", VERSION)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)
        except OSError:
            self.close_connection = True  # the client has gone
