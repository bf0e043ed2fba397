"""Whether a program in a container answers."""

from __future__ import annotations

import socket

MOMENT = 0.05  #: seconds in which a forwarder that found nobody hangs up
LINE_MAX = 4096


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
    connection.sendall(
        f"GET {path} HTTP/1.1\r\nHost: localhost\r\nUser-Agent: eisenmp\r\nConnection: close\r\n\r\n".encode()
    )
    answer = b""
    while b"\n" not in answer and len(answer) < LINE_MAX:
        part = connection.recv(LINE_MAX)
        if not part:
            break
        answer += part
    words = answer.split(None, 2)
    if len(words) < 2 or not words[0].startswith(b"HTTP/"):
        return f"no answer to GET {path}" if not answer else f"GET {path} is not answered in HTTP"
    return "" if words[1] < b"400" else f"GET {path} is answered with {words[1].decode('ascii', 'replace')}"
