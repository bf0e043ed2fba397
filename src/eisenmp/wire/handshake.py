"""Two processes prove over a loopback socket that they know the same key (HMAC-SHA256, both ways).

The manager sends a challenge. The worker answers with its proof and a challenge of its own, and says nothing
more before it has seen the manager's proof.
"""

from __future__ import annotations

from _socket import AF_INET, SOCK_STREAM
from _socket import socket as Socket

from .platform import speak_at_once

KEY_SIZE = 32
ADDRESS = "127.0.0.1"
_WORKER = b"worker"
_MANAGER = b"manager"


def _proof(key: bytes, who: bytes, challenge: bytes) -> bytes:
    from hmac import digest

    return digest(key, who + challenge, "sha256")


class Greeting:
    """The manager's part with one who has connected. Never blocks: feed it when the socket can be read."""

    def __init__(self, socket: Socket) -> None:
        from os import urandom

        self.socket = socket
        self._challenge = urandom(KEY_SIZE)
        self._answer = b""
        socket.setblocking(False)
        socket.send(self._challenge)

    def receive(self) -> bool:
        """Take in what has come; True once the answer is whole. Raises OSError when the other side left."""
        part = self.socket.recv(2 * KEY_SIZE - len(self._answer))
        if not part:
            raise ConnectionError("the other side left during the handshake")
        self._answer += part
        return len(self._answer) == 2 * KEY_SIZE

    def knows(self, key: bytes) -> bool:
        """Whether the answer proves that the other side knows the key."""
        from hmac import compare_digest

        return compare_digest(self._answer[:KEY_SIZE], _proof(key, _WORKER, self._challenge))

    def confirm(self, key: bytes) -> None:
        """Prove that this side knows it too."""
        self.socket.send(_proof(key, _MANAGER, self._answer[KEY_SIZE:]))


def connect(port: int, key: bytes) -> Socket:
    """The worker's part; raises ConnectionError when the listener is not the manager."""
    socket = Socket(AF_INET, SOCK_STREAM)
    try:
        socket.connect((ADDRESS, port))
        speak_at_once(socket)
        _answer(socket, key)
    except BaseException:
        socket.close()
        raise
    return socket


def _answer(socket: Socket, key: bytes) -> None:
    from hmac import compare_digest
    from os import urandom

    challenge = _read(socket, KEY_SIZE)
    mine = urandom(KEY_SIZE)
    socket.sendall(_proof(key, _WORKER, challenge) + mine)
    if not compare_digest(_read(socket, KEY_SIZE), _proof(key, _MANAGER, mine)):
        raise ConnectionError("who listens does not know the key of the manager")


def _read(socket: Socket, size: int) -> bytes:
    parts = b""
    while len(parts) < size:
        part = socket.recv(size - len(parts))
        if not part:
            raise ConnectionError("the other side left during the handshake")
        parts += part
    return parts
