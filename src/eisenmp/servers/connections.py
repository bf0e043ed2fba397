"""What waitress waits for: its map of sockets, each registered with the system once, not for each event."""

from __future__ import annotations

import selectors
from _thread import RLock
from collections import deque
from selectors import EVENT_READ, EVENT_WRITE

from waitress import wasyncore

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


class Connections(dict[int, "Any"]):
    """Channels, listeners and triggers of waitress by descriptor. One thread waits at a time.

    A channel that does not want to read for a moment, since it answers a request, stays registered: most
    clients send nothing meanwhile. One that gets something then is taken out until it reads again.
    """

    def __init__(self) -> None:
        super().__init__()
        self._selector = selectors.DefaultSelector()
        self._known: dict[int, int] = {}  # what is registered
        self._new: deque[Any] = deque()
        self._lock = RLock()  # waitress closes a connection from the thread that answers, too

    def __setitem__(self, descriptor: int, each: Any) -> None:
        super().__setitem__(descriptor, each)
        self._new.append(each)  # it is not complete yet

    def __delitem__(self, descriptor: int) -> None:
        with self._lock:
            super().__delitem__(descriptor)
            self._register(descriptor, 0)

    def follow(self, each: Any) -> None:
        """It may wait for something else now."""
        descriptor = each._fileno
        if self.get(descriptor) is not each:
            return  # closed
        wanted, known = _wanted(each), self._known.get(descriptor, 0)
        if wanted & ~known or known & ~wanted & EVENT_WRITE:
            with self._lock:
                if self.get(descriptor) is each:
                    self._register(descriptor, wanted)

    def wait(self, timeout: float) -> None:
        """Wait for events, and do what they ask for."""
        while self._new:
            self.follow(self._new.popleft())
        for key, events in self._selector.select(timeout):
            each = self.get(key.fd)
            if each is None or key.fd not in self._known:
                continue  # closed since, and maybe another one has the number already
            unwanted = events & ~_wanted(each)
            if events & EVENT_READ & ~unwanted:
                wasyncore.read(each)
            if events & EVENT_WRITE & ~unwanted and self.get(key.fd) is each:
                wasyncore.write(each)
            if unwanted:
                with self._lock:
                    if self.get(key.fd) is each:
                        self._register(key.fd, _wanted(each))
            else:
                self.follow(each)

    def close(self) -> None:
        """Close all of them."""
        for each in list(self.values()):
            each.close()
        self._selector.close()

    def _register(self, descriptor: int, wanted: int) -> None:
        known = self._known.pop(descriptor, 0)
        if not known:
            if wanted:
                self._selector.register(descriptor, wanted)
        elif not wanted:
            self._selector.unregister(descriptor)
        elif wanted != known:
            self._selector.modify(descriptor, wanted)
        if wanted:
            self._known[descriptor] = wanted


def _wanted(each: Any) -> int:
    reads = EVENT_READ if each.readable() else 0
    return reads | (EVENT_WRITE if each.writable() and not each.accepting else 0)
