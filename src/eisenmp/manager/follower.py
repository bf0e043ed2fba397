"""Somebody on the other end of a socket who reads along what the slots write."""

from __future__ import annotations

import json
import selectors
import socket
from collections import deque

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from .events import OutputLine


LINES_MAX = 10_000  #: that wait for a reader who is slower than the slots write


class Follower:
    """`wrote` takes lines from the loop and never waits; `run` sends them, until one of both sides ends."""

    def __init__(self, connection: socket.socket, slot: int | None, lines: Sequence[str]) -> None:
        self._connection = connection
        self._slot = slot  #: None for all, whose lines have their names then
        self._lines: deque[str] = deque(lines, LINES_MAX)
        self._left_out = 0
        self._over = False
        self._wakes, self._waker = socket.socketpair()
        self._waker.setblocking(False)

    def wrote(self, event: OutputLine) -> None:
        """A slot has written something."""
        lines = event.text.splitlines()
        if self._slot is None:
            lines = [f"{event.name} | {line}" for line in lines]
        elif event.slot != self._slot:
            return
        self._left_out += max(0, len(self._lines) + len(lines) - LINES_MAX)
        self._lines.extend(lines)
        self._wake()

    def close(self) -> None:
        """The manager ends: what is there is sent, and no more."""
        self._over = True
        self._wake()

    def _wake(self) -> None:
        try:
            self._waker.send(b"\0")
        except OSError:
            return  # it is awake, or gone

    def run(self) -> None:
        """Send lines as they come. Raises OSError when the reader is gone while they are sent."""
        with self._wakes, self._waker, selectors.DefaultSelector() as selector:
            selector.register(self._wakes, selectors.EVENT_READ)
            selector.register(self._connection, selectors.EVENT_READ)
            while True:
                over, lines = self._over, self._taken()
                if lines:
                    self._connection.sendall(json.dumps({"lines": lines}).encode() + b"\n")
                if over:
                    return
                for key, _ in selector.select():
                    # it has nothing more to say: what can be read is its end
                    if key.fileobj is self._connection:
                        return
                    self._wakes.recv(4096)

    def _taken(self) -> list[str]:
        lines = []
        if self._left_out:
            lines.append(
                f"... {self._left_out:,} lines are left out here: they came faster than they were read"
            )
            self._left_out = 0
        while self._lines:
            lines.append(self._lines.popleft())
        return lines
