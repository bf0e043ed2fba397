"""Whether a program in a container answers."""

from __future__ import annotations

import socket

from ..child.health import ask

MOMENT = 0.05  #: seconds in which a forwarder that found nobody hangs up


def complaint(address: tuple[str, int], how: str, timeout: float) -> str:
    """What is wrong; empty when it answers. `how`: 'tcp', or the path of a page."""
    try:
        with socket.create_connection(address, timeout) as connection:
            return _page(connection, how) if how.startswith("/") else _open(connection)
    except OSError as error:
        return error.strerror or str(error)


def _open(connection: socket.socket) -> str:
    """Engines forward a port before anybody listens behind it: those connections end at once."""
    connection.settimeout(MOMENT)
    try:
        return "" if connection.recv(1, socket.MSG_PEEK) else "nobody listens"
    except TimeoutError:
        return ""


def _page(connection: socket.socket, path: str) -> str:
    words = ask(connection, path)
    if len(words) < 2 or not words[0].startswith(b"HTTP/"):
        return f"no answer to GET {path}" if not words else f"GET {path} is not answered in HTTP"
    return "" if words[1] < b"400" else f"GET {path} is answered with {words[1].decode('ascii', 'replace')}"
