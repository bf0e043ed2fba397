"""A descriptor that can be read when a signal has come, for loops that may sleep through it otherwise.

The interpreter looks for signals between two bytecodes, and when one has interrupted a system call. What
comes after the last look and before the call is not seen until the call returns, which may be never. So the
interpreter also writes to a descriptor (`signal.set_wakeup_fd`), which every loop of a manager watches. It is
one for the process, and is open as long as the interpreter may write to it.
"""

from __future__ import annotations

from ..wire import platform

TYPE_CHECKING = False
if TYPE_CHECKING:
    from _socket import socket as Socket
    from typing import Any

_system: Any = __import__("_signal")  # `signal` itself costs 4 ms for its enums


class Alarm:
    """Of the main thread, which alone may open and close it."""

    def __init__(self) -> None:
        self._ends: tuple[Socket, Socket] | None = None

    @property
    def descriptor(self) -> int:
        """What can be read when a signal has come; -1 while there is none."""
        return -1 if self._ends is None else self._ends[0].fileno()

    def open(self) -> None:
        """Have the interpreter write to it, unless somebody else has given it a descriptor."""
        if self._ends is not None:
            return
        ends = platform.loopback_pair()
        for end in ends:
            end.setblocking(False)
        before = _system.set_wakeup_fd(ends[1].fileno(), warn_on_full_buffer=False)
        if before == -1:
            self._ends = ends
        else:
            _system.set_wakeup_fd(before)
            _close(ends)

    def drain(self) -> None:
        """It has been heard."""
        if self._ends is not None:
            try:
                while len(self._ends[0].recv(4096)) == 4096:
                    pass
            except BlockingIOError:
                return  # another loop has heard it first

    def close(self) -> None:
        """The interpreter writes to it no more; what others have given it since stays."""
        ends, self._ends = self._ends, None
        if ends is not None:
            now = _system.set_wakeup_fd(-1)
            if now not in (-1, ends[1].fileno()):
                _system.set_wakeup_fd(now)
            _close(ends)


def _close(ends: tuple[Socket, Socket]) -> None:
    for end in ends:
        end.close()
