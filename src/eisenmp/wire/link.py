"""The worker's end of its stream to the manager."""

from __future__ import annotations

import _socket
import select
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from _socket import socket as Socket
    from collections.abc import Callable, Iterable

READ_SIZE = 1 << 16
WAIT_MAX = 86_400.0  #: seconds; the system's own limit is 24 days


class Link:
    """Blocking; read by one thread at a time, written under the caller's lock."""

    def __init__(self, socket: Socket) -> None:
        self._socket = socket
        self._readable = _waiting_for(socket)

    def read(self, timeout: float | None) -> bytes | None:
        """Bytes as they come; b"" at the end; None when there were none within `timeout` seconds or a day."""
        if timeout is not None and not self._readable(min(timeout, WAIT_MAX)):
            return None
        return self._socket.recv(READ_SIZE)

    def write(self, buffers: Iterable[bytes]) -> None:
        for buffer in buffers:
            self._socket.sendall(buffer)

    def leave(self) -> None:
        """End what is written, and drop what still comes until the other side has read all and closes.

        A TCP socket that is closed with bytes unread tells the other side to drop what it has not read.
        """
        try:
            self._socket.shutdown(_socket.SHUT_WR)
            while self._socket.recv(READ_SIZE):
                pass
        except OSError:
            return  # the other side is gone already

    def cut(self) -> None:
        """End both directions; a thread that reads sees the end."""
        try:
            self._socket.shutdown(_socket.SHUT_RDWR)
        except OSError:
            return  # it has ended already

    def close(self) -> None:
        self._socket.close()


def _waiting_for(socket: Socket) -> Callable[[float], bool]:
    """A function that waits up to `timeout` seconds until the socket can be read."""
    if sys.platform == "win32" or not hasattr(select, "poll"):
        return lambda timeout: bool(select.select([socket], (), (), timeout)[0])
    poll = select.poll()
    poll.register(socket.fileno(), select.POLLIN)
    # rounded up, so that a short wait is not a busy loop
    return lambda timeout: bool(poll.poll(-int(-timeout * 1000 // 1)))
