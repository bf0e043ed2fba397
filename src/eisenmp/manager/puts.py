"""Puts that wait for room in a bounded queue, and the answers to those who wait."""

from __future__ import annotations

from ..wire.pickles import dumps

YES, NO, NOTHING = dumps(True), dumps(False), dumps(None)


class WorkerPut:
    """A put of a worker that waits for room."""

    def __init__(self, wid: int, request: int) -> None:
        self.wid = wid
        self.request = request
        self.waiting = True


class LocalPut:
    """A put of the manager that waits for room."""

    def __init__(self) -> None:
        self.accepted = False
