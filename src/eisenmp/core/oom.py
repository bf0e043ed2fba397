"""Deaths by SIGKILL, set against the kernel's count of processes that it ended for want of memory."""

from __future__ import annotations

SURE = "out of memory"
PROBABLY = "probably out of memory"
UNKNOWN = ""
PATIENCE = (
    10.0  #: seconds that a process may take from being counted to being gone: it frees its memory first
)


def kills_in(text: str) -> int | None:
    """The number behind `oom_kill`, in memory.events, memory.oom_control or vmstat; None if there is none."""
    for line in text.splitlines():
        name, _, number = line.partition(" ")
        if name == "oom_kill" and number.strip().isdecimal():
            return int(number)
    return None


class Toll:
    """Matches deaths with what the count has risen by. `own`: the count is of the own cgroup alone."""

    def __init__(self, count: int | None, *, own: bool = True) -> None:
        self._count = count
        self._own = own
        self._open = 0  # kills that no death was matched with yet
        self._counted_at = 0.0
        self._shared = 0  # deaths to come, of several at once that fewer kills were counted for

    def judge(self, count: int | None, others: int, now: float) -> str:
        """SURE, PROBABLY or UNKNOWN, for one death by SIGKILL.

        `count`: read after the death. `others`: deaths by SIGKILL that happened at the same time, as far as
        anybody can tell, and are judged next.
        """
        if count is None or self._count is None:
            self._count = count
            return UNKNOWN
        if now > self._counted_at + PATIENCE:
            self._open = 0  # of processes that are none of ours
        if count > self._count:
            self._open += count - self._count
            self._counted_at = now
        self._count = count
        if self._open > others:
            self._open -= 1
            return SURE if self._own else PROBABLY
        if self._open:
            self._open, self._shared = 0, others
            return PROBABLY
        if self._shared:
            self._shared -= 1
            return PROBABLY
        return UNKNOWN
