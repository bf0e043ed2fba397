"""All that differs between Linux, macOS and Windows, and nothing else.

The portable path is what macOS and Windows take: a loopback socket with a key, threads that wait for each
process, no passed descriptors. `EISENMP_PORTABLE=1` takes it anywhere.
"""

from __future__ import annotations

import _socket
import os
import select
import sys
from _socket import socket as Socket

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

SIGINT = 2
SIGKILL = 9
SIGTERM = 15
READABLE = 1  # as EPOLLIN
WRITABLE = 4  # as EPOLLOUT
WAIT_MAX = 86_400.0  #: seconds; the system's own limit is 24 days


def portable() -> bool:
    """Whether to do without what only Linux has."""
    if os.environ.get("EISENMP_PORTABLE", "").lower() not in ("", "0", "false", "no", "off"):
        return True
    if not hasattr(os, "posix_spawn") or not hasattr(_socket, "AF_UNIX"):
        return True
    # a kernel, or a filter of system calls around a container, may refuse what the library knows
    own = pidfd(os.getpid())
    if own is None:
        return True
    os.close(own)
    return False


def pidfd(pid: int) -> int | None:
    """A descriptor that can be read once the process has ended; None where there is no such thing."""
    opener: Callable[[int], int] | None = getattr(os, "pidfd_open", None)
    if opener is None:
        return None
    try:
        return opener(pid)
    except OSError:
        return None


_is_worker = False


def is_worker() -> bool:
    """Whether this is the process of a worker, or a copy of one: its signals are its manager's to handle."""
    return _is_worker


def settle_signals() -> None:
    """Ctrl-C is the manager's to handle; what the manager blocks or ignores must still end a worker."""
    global _is_worker
    _is_worker = True
    signal = __import__("_signal")  # `signal` itself costs 4 ms for its enums
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    for name in ("SIGTERM", "SIGCHLD"):
        number = getattr(signal, name, None)
        if number is not None and signal.getsignal(number) == signal.SIG_IGN:
            signal.signal(number, signal.SIG_DFL)
    if hasattr(signal, "pthread_sigmask"):
        signal.pthread_sigmask(signal.SIG_SETMASK, ())


def show_stacks() -> None:
    """Have this process write the stacks of its threads to descriptor 2 when a fault ends it, and on SIGQUIT.

    SIGQUIT ends it no more. Where there is no such signal, only faults are told.
    """
    try:
        import faulthandler
    except ImportError:
        return  # an interpreter may have been built without it
    faulthandler.enable(2)
    if sys.platform != "win32":
        faulthandler.register(__import__("_signal").SIGQUIT, 2, all_threads=True, chain=False)


def end_with_life_line(descriptor: int) -> bool:
    """Have the kernel SIGKILL this process group when the other end of the life line closes.

    It works while this process is stopped or holds the GIL. False where the kernel cannot do that.
    """
    if sys.platform != "linux":
        return False
    try:
        import fcntl
    except ImportError:
        return False
    try:
        fcntl.fcntl(descriptor, fcntl.F_SETOWN, -os.getpgrp())
        fcntl.fcntl(descriptor, getattr(fcntl, "F_SETSIG", 10), SIGKILL)
        flags = fcntl.fcntl(descriptor, fcntl.F_GETFL)
        fcntl.fcntl(descriptor, fcntl.F_SETFL, flags | getattr(fcntl, "FASYNC", 0o20000))
    except OSError:
        return False
    # the manager may have gone before the signal was armed
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    if poll.poll(0):
        end_group()
    return True


def end_group() -> None:
    """End this process, and what it has started if it leads a process group."""
    own_group: Callable[[], int] | None = getattr(os, "getpgrp", None)
    if own_group is not None and own_group() == os.getpid():
        os.kill(0, SIGKILL)
    os._exit(1)


def can_lock() -> bool:
    """Whether this system has locks on files."""
    try:
        __import__("msvcrt" if sys.platform == "win32" else "fcntl")
    except ImportError:
        return False
    return True


def lock_alone(descriptor: int) -> bool:
    """Lock an open file for this process, until its descriptor is closed; False when another one has it."""
    if sys.platform == "win32":
        import msvcrt

        try:
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True
    import fcntl

    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def unlink_if_left(path: str) -> bool:
    """Remove a file whose owner held its lock and has ended; whether it is not there any more."""
    try:
        descriptor = os.open(path, os.O_RDWR | getattr(os, "O_BINARY", 0))
    except OSError as error:
        return isinstance(error, FileNotFoundError)
    try:
        if not can_lock() or not lock_alone(descriptor):
            return False
        os.unlink(path)
    except OSError:
        return False  # somebody maps it, and this system removes no such file
    finally:
        os.close(descriptor)
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
    """Waits on sockets and descriptors, for one thread at a time; others may change what it waits on."""

    def __init__(self) -> None:
        epoll = getattr(select, "epoll", None)
        self._system: Any = _Selector(self.wake) if epoll is None else epoll()
        self._tokens: dict[int, Any] = {}
        self._wakes, self._waker = loopback_pair()
        self._wakes.setblocking(False)
        self._waker.setblocking(False)
        self._system.register(self._wakes.fileno(), READABLE)

    def add(self, descriptor: int, token: object) -> None:
        self._tokens[descriptor] = token
        self._system.register(descriptor, READABLE)

    def writing(self, descriptor: int, wanted: bool) -> None:
        """Also report when the descriptor can be written, or no longer."""
        self._system.modify(descriptor, READABLE | WRITABLE if wanted else READABLE)

    def remove(self, descriptor: int) -> None:
        if self._tokens.pop(descriptor, None) is not None:
            self._system.unregister(descriptor)

    def wait(self, timeout: float | None) -> list[tuple[Any, bool, bool]]:
        """(token, can be read, can be written) of all that are ready; nothing after a wake."""
        ready = []
        tokens = self._tokens
        if timeout is not None:
            timeout = min(timeout, WAIT_MAX)
        for descriptor, mask in self._system.poll(timeout):
            token = tokens.get(descriptor)
            if token is not None:
                ready.append((token, mask & ~WRITABLE != 0, mask & WRITABLE != 0))
            elif descriptor == self._wakes.fileno():
                self._drain()
        return ready

    def wake(self) -> None:
        """Let a running `wait` return; from any thread, also after `close`."""
        try:
            self._waker.send(b"\0")
        except OSError:
            return  # enough wakes are on their way, or nobody waits any more

    def _drain(self) -> None:
        try:
            while len(self._wakes.recv(4096)) == 4096:
                pass
        except BlockingIOError:
            return

    def close(self) -> None:
        self._system.close()
        self._wakes.close()
        self._waker.close()


class _Selector:
    """What `select.epoll` does, where there is none. A running poll is told of every change."""

    def __init__(self, changed: Callable[[], None]) -> None:
        from selectors import DefaultSelector

        self._selector = DefaultSelector()
        self._changed = changed

    def register(self, descriptor: int, mask: int) -> None:
        self._selector.register(descriptor, _events(mask))
        self._changed()

    def modify(self, descriptor: int, mask: int) -> None:
        self._selector.modify(descriptor, _events(mask))
        self._changed()

    def unregister(self, descriptor: int) -> None:
        self._selector.unregister(descriptor)

    def poll(self, timeout: float | None) -> list[tuple[int, int]]:
        return [
            (key.fd, (READABLE if events & 1 else 0) | (WRITABLE if events & 2 else 0))
            for key, events in self._selector.select(timeout)
        ]

    def close(self) -> None:
        self._selector.close()


def _events(mask: int) -> int:
    """The mask in the constants of `selectors`."""
    return 3 if mask & WRITABLE else 1


def loopback_pair() -> tuple[Socket, Socket]:
    """Two connected sockets in this process, also where there are no Unix sockets."""
    if sys.platform != "win32" and hasattr(_socket, "AF_UNIX"):
        return _socket.socketpair(_socket.AF_UNIX, _socket.SOCK_STREAM, 0)
    import socket

    left, right = (_bare(end) for end in socket.socketpair())
    return left, right


def _bare(connected: Any) -> Socket:
    """The same connection as the light class that is used everywhere here."""
    family = int(connected.family)
    bare = Socket(family, _socket.SOCK_STREAM, 0, connected.detach())
    speak_at_once(bare)
    return bare


def speak_at_once(socket: Socket) -> None:
    """Send small messages over TCP without waiting for the other side to confirm earlier ones."""
    socket.setsockopt(_socket.IPPROTO_TCP, _socket.TCP_NODELAY, 1)
