"""WSGI applications on waitress: its connections and requests, with a loop for all sockets of the slot."""

from __future__ import annotations

from _thread import get_ident
from collections import deque
from time import monotonic

from waitress import create_server
from waitress.channel import HTTPChannel
from waitress.server import BaseWSGIServer
from waitress.task import WSGITask

from .connections import Connections
from .followers import Followers

TYPE_CHECKING = False
if TYPE_CHECKING:
    from socket import socket
    from typing import Any

    from ..child.serving import Stop
    from ..child.toolbox import ToolBox

THREADS = 4  #: requests at once
CONNECTIONS_MAX = 1000  #: open ones; more wait to be accepted
LOOK = 0.05  #: seconds between two looks whether the last connection has gone
SLEEP = 30.0  #: seconds without an event before waitress looks after its own


def serve(app: Any, toolbox: ToolBox, sockets: list[socket], stop: Stop) -> None:
    """Serve until `stop` is set."""
    loop = Loop(stop)
    try:
        loop.open(app, sockets)
        stop.ready()
        loop.followers.wait()
    finally:
        loop.close()


class Loop:
    """What waitress does for one slot."""

    def __init__(self, stop: Stop) -> None:
        self._stop = stop
        self._connections = Connections()
        self._listeners: list[Any] = []
        self._until: float | None = None  # when the grace is over
        self._changed: deque[Any] = deque()  # connections that may wait for something else now
        self._serving: dict[int, Any] = {}  # connection by the thread that answers a request of it
        self.followers = Followers(THREADS, self._look, "eisenmp-wsgi")

    def open(self, app: Any, sockets: list[socket]) -> None:
        """Begin to accept connections."""
        create_server(
            app,
            map=self._connections,
            sockets=sockets,
            connection_limit=CONNECTIONS_MAX,
            _dispatcher=self.followers,
            _start=False,
        )
        channel = _channel(self._stop, self._serving)
        for listener in [each for each in self._connections.values() if isinstance(each, BaseWSGIServer)]:
            listener.channel_class = channel
            listener.pull_trigger = self._pull
            listener.accepting = True  # it listens already
            self._listeners.append(listener)
        self._stop.on_change(self._wake)
        self.followers.start()

    def close(self) -> None:
        """Close what is open; requests that run have a second."""
        self.followers.close(1.0)
        self._connections.close()

    def _wake(self) -> None:
        try:
            self._listeners[0].trigger.pull_trigger()
        except OSError:
            return  # it was closed meanwhile

    def _pull(self) -> None:
        """A request is answered, or part of its answer waits to be sent."""
        self._changed.append(self._serving[get_ident()])
        # in this order: whoever leads after this one looks at what has changed before it waits
        if not self.followers.leads():
            self._wake()

    def _look(self, may_wait: bool) -> bool:
        stop, connections = self._stop, self._connections
        if stop.draining and not self._drain():
            return False
        while self._changed:
            connections.follow(self._changed.popleft())
        for listener in self._listeners:
            connections.follow(listener)
        connections.wait((LOOK if stop.draining else SLEEP) if may_wait else 0.0)
        return True

    def _drain(self) -> bool:
        """Accept nothing more; whether there still is something to wait for."""
        for listener in self._listeners:
            listener.accepting = False
        channels = [each for each in list(self._connections.values()) if isinstance(each, HTTPChannel)]
        if self._stop.is_set():
            self._until = monotonic() + self._stop.grace if self._until is None else self._until
            for each in channels:
                if _is_idle(each):
                    each.handle_close()
        return bool(channels) and (self._until is None or monotonic() < self._until)


def _is_idle(channel: Any) -> bool:
    return not (channel.requests or channel.request is not None or channel.total_outbufs_len)


def _channel(stop: Stop, serving: dict[int, Any]) -> type[Any]:
    """The channels of waitress; while the slot drains, their answers end their connections."""

    class Task(WSGITask):  # type: ignore[misc]
        def build_response_header(self) -> Any:
            stop.answered()
            if stop.draining:
                self.request.headers["CONNECTION"] = "close"
            return super().build_response_header()

    class Channel(HTTPChannel):  # type: ignore[misc]
        task_class = Task

        def service(self) -> None:
            serving[get_ident()] = self
            super().service()

    return Channel
