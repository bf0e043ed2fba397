"""Two processes prove over a loopback socket that they know the same key (HMAC-SHA256, both ways)."""

from __future__ import annotations

from _socket import AF_INET, SOCK_STREAM
from _socket import socket as Socket

KEY_SIZE = 32
_WORKER = b"worker"
_MANAGER = b"manager"


def _proof(key: bytes, who: bytes, challenge: bytes) -> bytes:
    from hmac import digest

    return digest(key, who + challenge, "sha256")


def _read(socket: Socket, size: int) -> bytes:
    parts = b""
    while len(parts) < size:
        part = socket.recv(size - len(parts))
        if not part:
            raise ConnectionError("the other side left during the handshake")
        parts += part
    return parts


def accept(socket: Socket, key: bytes) -> bool:
    """The manager's part; False when the other side does not know the key."""
    from hmac import compare_digest
    from os import urandom

    challenge = urandom(KEY_SIZE)
    socket.sendall(challenge)
    answer = _read(socket, 2 * KEY_SIZE)
    if not compare_digest(answer[:KEY_SIZE], _proof(key, _WORKER, challenge)):
        return False
    socket.sendall(_proof(key, _MANAGER, answer[KEY_SIZE:]))
    return True


def connect(port: int, key: bytes) -> Socket:
    """The worker's part; raises ConnectionError when the listener is not the manager."""
    from hmac import compare_digest
    from os import urandom

    socket = Socket(AF_INET, SOCK_STREAM)
    socket.connect(("127.0.0.1", port))
    challenge = _read(socket, KEY_SIZE)
    mine = urandom(KEY_SIZE)
    socket.sendall(_proof(key, _WORKER, challenge) + mine)
    if not compare_digest(_read(socket, KEY_SIZE), _proof(key, _MANAGER, mine)):
        raise ConnectionError("who listens does not know the key of the manager")
    return socket
