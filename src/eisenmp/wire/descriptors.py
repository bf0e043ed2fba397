"""Bytes over a Unix socket that carry descriptors to another process (SCM_RIGHTS)."""

from __future__ import annotations

import _socket
import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from _socket import socket as Socket
    from collections.abc import Iterable, Sequence

DESCRIPTORS_MAX = 253  #: the kernel's own limit for one message
READ_SIZE = 1 << 18
CLOSE_ON_EXEC: int = getattr(_socket, "MSG_CMSG_CLOEXEC", 0)


def send(socket: Socket, data: bytes | memoryview, descriptors: Sequence[int] = ()) -> int:
    """Send some of `data`, with copies of the descriptors; returns how many bytes went out.

    The descriptors go with the first byte: what is left of `data` is sent without them.
    """
    if sys.platform == "win32":
        raise OSError("descriptors cannot be sent on Windows")
    if not descriptors:
        return socket.send(data)
    numbers = b"".join(number.to_bytes(4, sys.byteorder) for number in descriptors)
    rights = (_socket.SOL_SOCKET, _socket.SCM_RIGHTS, numbers)
    return socket.sendmsg([data], [rights], getattr(_socket, "MSG_NOSIGNAL", 0))


def receive(socket: Socket) -> tuple[bytes, list[int]]:
    """Bytes as they come, b"" at the end, and the descriptors that came with them, not inheritable."""
    if sys.platform == "win32":
        raise OSError("descriptors cannot be received on Windows")
    space = _socket.CMSG_SPACE(4 * DESCRIPTORS_MAX)
    data, ancillary, _, _ = socket.recvmsg(READ_SIZE, space, CLOSE_ON_EXEC)
    return data, passed(ancillary)


def passed(ancillary: Iterable[tuple[int, int, bytes]]) -> list[int]:
    """The descriptors in what `recvmsg` gave beside the bytes, not inheritable."""
    descriptors: list[int] = []
    if sys.platform == "win32":
        return descriptors
    for level, kind, numbers in ancillary:
        if level == _socket.SOL_SOCKET and kind == _socket.SCM_RIGHTS:
            descriptors.extend(memoryview(numbers[: len(numbers) // 4 * 4]).cast("i"))
    if not CLOSE_ON_EXEC:
        for descriptor in descriptors:
            os.set_inheritable(descriptor, False)
    return descriptors


FEW = 16  #: workers that find room anywhere
EACH = 6  #: that a worker takes at its start; then it is 4
SPARE = 256  #: for the program itself


def make_room(workers: int) -> None:
    """Raise the soft limit of this process as far as so many workers need it and the hard one lets it."""
    if workers <= FEW or sys.platform == "win32":
        return
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = SPARE + EACH * workers
    if soft >= needed or soft in (resource.RLIM_INFINITY, hard):
        return
    if hard != resource.RLIM_INFINITY:
        needed = min(needed, hard)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (needed, hard))
    except (OSError, ValueError):
        return  # it may be that there are enough all the same
