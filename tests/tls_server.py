"""A real https server on this machine, with a certificate authority of its own."""

from __future__ import annotations

import ssl
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Self

import trustme

Answer = Callable[["Handler"], None]


class Handler(BaseHTTPRequestHandler):
    """Answers with what `TlsServer.answers` holds for the path, else 404."""

    server: _Server
    protocol_version = "HTTP/1.1"

    def setup(self) -> None:
        self.pause(self.server.tls.delay)
        super().setup()

    def do_GET(self) -> None:
        self.close_connection = True
        self.server.tls.asked.append(self.path)
        answer = self.server.tls.answers.get(self.path.partition("?")[0])
        if answer is None:
            self.send_error(404)
        elif isinstance(answer, bytes):
            self.reply(200, Content_Length=len(answer))
            self.send(answer)
        else:
            answer(self)

    def reply(self, status: int, **headers: object) -> None:
        """Status line and headers; `Content_Length=5` is the header Content-Length."""
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), str(value))
        self.end_headers()

    def send(self, data: bytes) -> bool:
        """Send a part of the body; False when the client is gone or the server stops."""
        if self.server.tls.stopping.is_set():
            return False
        try:
            self.wfile.write(data)
        except OSError:
            return False
        self.server.tls.sent += len(data)
        return True

    def pause(self, seconds: float) -> None:
        """Wait without a sleep, and no longer than the server lives."""
        self.server.tls.stopping.wait(seconds)

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing is printed."""


class _Server(ThreadingHTTPServer):
    daemon_threads = False  # server_close() waits for each
    tls: TlsServer

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that refuses the certificate, or leaves, is what the tests are about."""


class TlsServer:
    """`with TlsServer(folder) as server:`; `server.cafile` is what a client has to trust.

    `answers` maps paths to bytes, or to a function that is given the `Handler`; `asked` are the paths asked
    for; `sent` the bytes of bodies; `delay` the seconds that a client waits for the handshake. With
    `https=False` it talks plain http.
    """

    def __init__(self, folder: Path, *, hosts: tuple[str, ...] = ("localhost",), https: bool = True) -> None:
        self.answers: dict[str, bytes | Answer] = {}
        self.asked: list[str] = []
        self.sent = 0
        self.delay = 0.0
        self.stopping = threading.Event()
        self.cafile = folder / "ca.pem"
        self._server = _Server(("127.0.0.1", 0), Handler)
        self._server.tls = self
        self._scheme = "https" if https else "http"
        if https:
            authority = trustme.CA()
            authority.cert_pem.write_to_path(self.cafile)
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            authority.issue_cert(*hosts).configure_cert(context)
            # The handshake happens in the thread of the connection, so nobody can block the others with it.
            self._server.socket = context.wrap_socket(
                self._server.socket, server_side=True, do_handshake_on_connect=False
            )
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, name="tls-server"
        )

    def url(self, path: str) -> str:
        return f"{self._scheme}://localhost:{self._server.server_port}{path}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self.stopping.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
