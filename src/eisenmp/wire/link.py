"""The two ends of a stream between the manager and one worker."""

from __future__ import annotations

import select
from _socket import socket as Socket

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

READ_SIZE = 1 << 16


def waiting_for(sockets: list[Socket]) -> Callable[[float | None], list[int]]:
    """A function that waits up to `timeout` seconds and returns the descriptors that can be read."""
    if not hasattr(select, "poll"):
        return lambda timeout: [end.fileno() for end in select.select(sockets, (), (), timeout)[0]]
    poll = select.poll()
    for end in sockets:
        poll.register(end.fileno(), select.POLLIN)
    # rounded up, so that a short wait is not a busy loop
    return lambda timeout: [
        fd for fd, _ in poll.poll(None if timeout is None else -int(-timeout * 1000 // 1))
    ]


class Link:
    """The worker's end: blocking, read by one thread at a time, written under the caller's lock."""

    def __init__(self, socket: Socket, waker: Socket | None = None, wakes: Socket | None = None) -> None:
        self._socket = socket
        self._waker = waker
        self._wakes = wakes
        self._wait = waiting_for([end for end in (socket, wakes) if end is not None])

    def read(self, timeout: float | None) -> bytes | None:
        """Bytes as they come; b"" at the end; None when there were none within `timeout` seconds."""
        if timeout is not None or self._wakes is not None:
            ready = self._wait(timeout)
            if self._wakes is not None and self._wakes.fileno() in ready:
                self._wakes.recv(64)
            if self._socket.fileno() not in ready:
                return None
        return self._socket.recv(READ_SIZE)

    def write(self, buffers: Iterable[bytes]) -> None:
        for buffer in buffers:
            self._socket.sendall(buffer)

    def wake(self) -> None:
        if self._waker is not None:
            self._waker.send(b"\0")

    def close(self) -> None:
        self._socket.close()
        for end in (self._waker, self._wakes):
            if end is not None:
                end.close()
