"""WSGI applications on waitress: one loop for all sockets of the slot, and threads for the requests."""

from __future__ import annotations

import logging
from time import monotonic

from waitress import create_server
from waitress.channel import HTTPChannel
from waitress.server import BaseWSGIServer
from waitress.task import WSGITask

TYPE_CHECKING = False
if TYPE_CHECKING:
    from socket import socket
    from typing import Any

    from ..child.serving import Stop
    from ..child.toolbox import ToolBox

LOOK = 0.05  #: seconds between two looks whether the last connection has gone
SLEEP = 30.0  #: seconds without an event before waitress looks after its own


def serve(app: Any, toolbox: ToolBox, sockets: list[socket], stop: Stop) -> None:
    """Serve until `stop` is set."""
    # requests that wait for a thread are no news
    logging.getLogger("waitress.queue").setLevel(logging.ERROR)
    table: dict[int, Any] = {}
    server = create_server(app, map=table, sockets=sockets, _start=False)
    listeners = [each for each in table.values() if isinstance(each, BaseWSGIServer)]
    channel = _channel(stop)
    for listener in listeners:
        listener.channel_class = channel
        listener.accepting = True  # it listens already
    stop.on_change(listeners[0].pull_trigger)
    stop.ready()
    try:
        _loop(server, table, listeners, stop)
    finally:
        server.task_dispatcher.shutdown(timeout=1)
        server.asyncore.close_all(table)


def _loop(server: Any, table: dict[int, Any], listeners: list[Any], stop: Stop) -> None:
    until = None
    while True:
        pause = LOOK if stop.draining else SLEEP
        server.asyncore.loop(timeout=pause, map=table, use_poll=True, count=1)
        if not stop.draining:
            continue
        for listener in listeners:
            listener.accepting = False
        channels = [each for each in table.values() if isinstance(each, HTTPChannel)]
        if stop.is_set():
            until = monotonic() + stop.grace if until is None else until
            for each in channels:
                if _is_idle(each):
                    each.will_close = True
        if not channels or (until is not None and monotonic() >= until):
            return


def _is_idle(channel: Any) -> bool:
    return not (channel.requests or channel.request is not None or channel.total_outbufs_len)


def _channel(stop: Stop) -> type[Any]:
    """The channels of waitress; while the slot drains, their answers end their connections."""

    class Task(WSGITask):  # type: ignore[misc]
        def build_response_header(self) -> Any:
            stop.answered()
            if stop.draining:
                self.request.headers["CONNECTION"] = "close"
            return super().build_response_header()

    class Channel(HTTPChannel):  # type: ignore[misc]
        task_class = Task

    return Channel
