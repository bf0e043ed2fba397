"""The worker's end of its stream to the manager."""

from __future__ import annotations

import _socket
import os
import select
import sys
from collections import deque
from functools import partial

from .descriptors import CLOSE_ON_EXEC, passed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from _socket import socket as Socket
    from collections.abc import Callable, Iterable
    from typing import Any

READ_SIZE = 1 << 16
DESCRIPTORS_MAX = 16  #: in what is read at once; the manager sends one with each message that has one
WAIT_MAX = 86_400.0  #: seconds; the system's own limit is 24 days


class Link:
    """Blocking; read by one thread at a time, written under the caller's lock."""

    def __init__(self, socket: Socket) -> None:
        self._socket = socket
        self._readable = _waiting_for(socket)
        self._passed: deque[int] = deque()
        self._receive = _receiver(socket)

    def read(self, timeout: float | None) -> bytes | None:
        """Bytes as they come; b"" at the end; None when there were none within `timeout` seconds or a day."""
        if timeout is not None and not self._readable(min(timeout, WAIT_MAX)):
            return None
        if self._receive is None:
            return self._socket.recv(READ_SIZE)
        data, ancillary = self._receive()[:2]
        if ancillary:
            self._passed.extend(passed(ancillary))
        return data

    def descriptor(self) -> int:
        """The next one that came with a message, for the caller to close; raises IndexError when none has."""
        return self._passed.popleft()

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
        while self._passed:
            os.close(self._passed.popleft())


def _receiver(socket: Socket) -> Callable[[], tuple[bytes, list[tuple[int, int, bytes]], int, Any]] | None:
    """A function that reads what has come, with the descriptors in it; None where there can be none."""
    if sys.platform == "win32" or socket.family != getattr(_socket, "AF_UNIX", -1):
        return None
    return partial(socket.recvmsg, READ_SIZE, _socket.CMSG_SPACE(4 * DESCRIPTORS_MAX), CLOSE_ON_EXEC)


def _waiting_for(socket: Socket) -> Callable[[float], bool]:
    """A function that waits up to `timeout` seconds until the socket can be read."""
    if sys.platform == "win32" or not hasattr(select, "poll"):
        return lambda timeout: bool(select.select([socket], (), (), timeout)[0])
    poll = select.poll()
    poll.register(socket.fileno(), select.POLLIN)
    # rounded up, so that a short wait is not a busy loop
    return lambda timeout: bool(poll.poll(-int(-timeout * 1000 // 1)))
