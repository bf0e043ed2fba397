"""Handler classes of `http.server`: a thread for each connection, of the standard library alone."""

from __future__ import annotations

import selectors
import threading
from http.server import ThreadingHTTPServer
from socket import SHUT_RD, socketpair
from time import monotonic

TYPE_CHECKING = False
if TYPE_CHECKING:
    from socket import socket
    from typing import Any

    from ..child.serving import Stop
    from ..child.toolbox import ToolBox


def serve(handler: Any, toolbox: ToolBox, sockets: list[socket], stop: Stop) -> None:
    """Serve until `stop` is set."""
    open_ones = Connections()
    servers = [_Server(each, _closing(handler, stop, open_ones), open_ones) for each in sockets]
    wakes, waker = socketpair()
    with selectors.DefaultSelector() as selector, wakes, waker:
        for server in servers:
            selector.register(server.socket, selectors.EVENT_READ, server)
        selector.register(wakes, selectors.EVENT_READ)
        stop.on_change(lambda: _wake(waker))
        stop.ready()
        while not stop.draining:
            for key, _ in selector.select():
                if key.data is not None:
                    key.data._handle_request_noblock()
        open_ones.wait_until_gone(stop)


def _wake(waker: socket) -> None:
    try:
        waker.send(b"\0")
    except OSError:
        return  # nobody waits any more


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, listener: socket, handler: Any, open_ones: Connections) -> None:
        self._open_ones = open_ones
        super().__init__(listener.getsockname()[:2], handler, bind_and_activate=False)
        self.socket.close()
        self.socket = listener
        host, port = listener.getsockname()[:2]
        self.server_name, self.server_port = host, port

    def process_request(self, request: Any, client_address: Any) -> None:
        # before its thread runs: whoever drains must not overlook it
        self._open_ones.opened(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        try:
            super().shutdown_request(request)
        finally:
            self._open_ones.closed(request)


class Connections:
    """The connections that are open, and which of them are in the middle of a request."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._busy: dict[socket, bool] = {}

    def opened(self, connection: socket) -> None:
        with self._changed:
            self._busy[connection] = False

    def begun(self, connection: socket, busy: bool) -> None:
        with self._changed:
            self._busy[connection] = busy
            self._changed.notify_all()

    def closed(self, connection: socket) -> None:
        with self._changed:
            self._busy.pop(connection, None)
            self._changed.notify_all()

    def wait_until_gone(self, stop: Stop) -> None:
        """Until none is left; once `stop` is set idle ones are ended, and others have its grace."""
        stop.on_change(self._look)
        with self._changed:
            self._changed.wait_for(lambda: not self._busy or stop.is_set())
            until = monotonic() + stop.grace
            while self._busy and monotonic() < until:
                for connection, busy in self._busy.items():
                    if not busy:
                        _end_reading(connection)
                self._changed.wait(until - monotonic())

    def _look(self) -> None:
        with self._changed:
            self._changed.notify_all()


def _end_reading(connection: socket) -> None:
    try:
        connection.shutdown(SHUT_RD)
    except OSError:
        return  # the other side was faster


def _closing(handler: Any, stop: Stop, open_ones: Connections) -> Any:
    """The handler; while the slot drains, its answers end their connections."""

    class Handler(handler):  # type: ignore[misc]
        # head and body go out one after the other: the client would confirm the first only after 40 ms
        disable_nagle_algorithm = True

        def parse_request(self) -> bool:
            open_ones.begun(self.request, True)
            return bool(super().parse_request())

        def handle_one_request(self) -> None:
            super().handle_one_request()
            open_ones.begun(self.request, False)
            if stop.is_set():
                self.close_connection = True

        def end_headers(self) -> None:
            stop.answered()
            if stop.draining:
                self.send_header("Connection", "close")
            super().end_headers()

    Handler.__name__, Handler.__qualname__ = handler.__name__, handler.__qualname__
    return Handler
