"""All that differs between Linux, macOS and Windows, and nothing else.

The portable path is what Windows takes: a loopback socket with a key, a thread that waits for each process,
no signals and no passed descriptors. `EISENMP_PORTABLE=1` takes it anywhere.
"""

from __future__ import annotations

import os
import select
import sys
from _socket import socket as Socket

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

SIGKILL = 9
SIGTERM = 15


def portable() -> bool:
    """Whether to do without what only Linux or Unix has."""
    return (
        os.environ.get("EISENMP_PORTABLE", "") not in ("", "0")
        or not hasattr(os, "posix_spawn")
        or not hasattr(__import__("_socket"), "AF_UNIX")
    )


def pidfd(pid: int) -> int | None:
    """A descriptor that can be read once the process has ended; None where there is no such thing."""
    opener: Callable[[int], int] | None = getattr(os, "pidfd_open", None)
    if opener is None:
        return None
    try:
        return opener(pid)
    except OSError:
        return None


def ignore_terminal_interrupt() -> None:
    """Ctrl-C is the manager's to handle."""
    import _signal  # `signal` itself costs 4 ms for its enums

    _signal.signal(_signal.SIGINT, _signal.SIG_IGN)


def end_with_life_line(descriptor: int) -> bool:
    """Have the kernel SIGKILL this process group when the other end of the life line closes.

    It works while this process is stopped or holds the GIL. False where the kernel cannot do that.
    """
    try:
        import fcntl
    except ImportError:
        return False
    set_signal = getattr(fcntl, "F_SETSIG", 10 if sys.platform == "linux" else None)
    if set_signal is None or not hasattr(os, "O_ASYNC") and sys.platform != "linux":
        return False
    try:
        fcntl.fcntl(descriptor, fcntl.F_SETOWN, -os.getpgrp())
        fcntl.fcntl(descriptor, set_signal, SIGKILL)
        flags = fcntl.fcntl(descriptor, fcntl.F_GETFL)
        fcntl.fcntl(descriptor, fcntl.F_SETFL, flags | getattr(fcntl, "FASYNC", 0o20000))
    except OSError:
        return False
    # the manager may have gone before the signal was armed
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    if poll.poll(0):
        os._exit(1)
    return True


def set_affinity(cores: tuple[int, ...]) -> None:
    """Bind this process to the cores, where the system can."""
    bind = getattr(os, "sched_setaffinity", None)
    if bind is not None and cores:
        bind(0, cores)


def set_title(title: str) -> None:
    """The name in `ps` and `top`: in full with setproctitle, else 15 characters on Linux."""
    try:
        from setproctitle import setproctitle
    except ImportError:
        if sys.platform == "linux":
            try:
                with open("/proc/self/comm", "w") as comm:
                    comm.write(title[:15])
            except OSError:
                return
    else:
        setproctitle(title)


class Poller:
    """Waits on sockets and descriptors; may be changed by one thread while another waits."""

    def __init__(self) -> None:
        self._epoll = select.epoll() if hasattr(select, "epoll") else None
        self._tokens: dict[int, object] = {}
        if self._epoll is None:
            import selectors

            self._selector = selectors.DefaultSelector()

    def add(self, descriptor: int, token: object) -> None:
        self._tokens[descriptor] = token
        if self._epoll is not None:
            self._epoll.register(descriptor, select.EPOLLIN)
        else:
            self._selector.register(descriptor, 1)

    def writing(self, descriptor: int, wanted: bool) -> None:
        """Also report when the descriptor can be written, or no longer."""
        if self._epoll is not None:
            self._epoll.modify(descriptor, select.EPOLLIN | (select.EPOLLOUT if wanted else 0))
        else:
            self._selector.modify(descriptor, 3 if wanted else 1)

    def remove(self, descriptor: int) -> None:
        if self._tokens.pop(descriptor, None) is None:
            return
        if self._epoll is not None:
            self._epoll.unregister(descriptor)
        else:
            self._selector.unregister(descriptor)

    def wait(self, timeout: float | None) -> list[tuple[object, bool, bool]]:
        """(token, can be read, can be written) of all that are ready."""
        if self._epoll is not None:
            events = self._epoll.poll(timeout)
            tokens = self._tokens
            return [
                (tokens.get(descriptor), bool(mask & ~select.EPOLLOUT), bool(mask & select.EPOLLOUT))
                for descriptor, mask in events
            ]
        return [
            (self._tokens.get(key.fd), bool(mask & 1), bool(mask & 2))
            for key, mask in self._selector.select(timeout)
        ]

    def close(self) -> None:
        if self._epoll is not None:
            self._epoll.close()
        else:
            self._selector.close()


def loopback_pair() -> tuple[Socket, Socket]:
    """Two connected sockets in this process, also where there are no Unix sockets."""
    import _socket

    if hasattr(_socket, "AF_UNIX") and hasattr(_socket, "socketpair"):
        return _socket.socketpair(_socket.AF_UNIX, _socket.SOCK_STREAM, 0)
    import socket

    left, right = socket.socketpair()
    return _detached(left), _detached(right)


def _detached(connected: Socket) -> Socket:
    family = connected.family
    return Socket(family, 1, 0, connected.detach())
