"""How long each worker has been at its chunk, and which one has taken too long."""

from __future__ import annotations

from .record import NamedTuple


class Overdue(NamedTuple):
    """A chunk that takes too long; `done`: how many of its rows are through, -1 when that is not known."""

    wid: int
    lease: int
    cause: str
    done: int


class Running:
    """The chunk that a worker is at."""

    __slots__ = ("cause", "done", "lease", "rows", "until")

    def __init__(self, lease: int, rows: int) -> None:
        self.lease = lease
        self.rows = rows
        self.done = 0
        self.until = 0.0
        self.cause = ""


class Deadlines:
    """`timeout` is for a chunk, `timeout_row` for each of its rows; in seconds, None for no limit.

    A call has `timeout_row` times its rows, and anew for the rest of them whenever the worker reports rows
    as done. `exact`: it reports each row by itself, so each has `timeout_row` for itself.
    """

    def __init__(self, timeout: float | None, timeout_row: float | None, *, exact: bool = False) -> None:
        self.timeout = timeout
        self.timeout_row = timeout_row
        self.exact = exact
        self._running: dict[int, Running] = {}
        self._begun: dict[int, float] = {}

    def at(self, wid: int, lease: int, rows: int, now: float) -> bool:
        """The worker is at this chunk, or at none if `lease` is 0; whether that is new."""
        running = self._running.get(wid)
        if (running.lease if running is not None else 0) == lease:
            return False
        if lease:
            running = self._running[wid] = Running(lease, max(1, rows))
            self._begun[wid] = now
            self._set(wid, running, now)
        else:
            del self._running[wid], self._begun[wid]
        return True

    def progressed(self, wid: int, rows: int, now: float) -> None:
        """The worker is through with so many more rows of its chunk."""
        running = self._running.get(wid)
        if running is not None:
            running.done += rows
            self._set(wid, running, now)

    def _set(self, wid: int, running: Running, now: float) -> None:
        running.until = float("inf")
        if self.timeout is not None:
            running.until = self._begun[wid] + self.timeout
            running.cause = f"it took longer than timeout = {self.timeout:g} s"
        if self.timeout_row is not None:
            rows = 1 if self.exact else max(1, running.rows - running.done)
            until = now + self.timeout_row * rows
            if until < running.until:
                running.until = until
                each = "" if rows == 1 else f" for each of {rows} rows"
                running.cause = f"it took longer than timeout_row = {self.timeout_row:g} s{each}"

    def overdue(self, now: float) -> list[Overdue]:
        """Those whose time is over; each is told once."""
        found = []
        for wid, running in self._running.items():
            if running.until <= now:
                running.until = float("inf")
                done = running.done if self.exact else -1
                found.append(Overdue(wid, running.lease, running.cause, done))
        return found

    @property
    def next(self) -> float:
        """When the next one is over; infinity when none is running."""
        return min((running.until for running in self._running.values()), default=float("inf"))
