"""How many chunks a worker may hold that it has not started: as many as it works off in a moment."""

from __future__ import annotations

CREDIT_MAX = 64
MOMENT = 0.016  #: seconds of work to hold ahead; covers a dispatcher that waits for the GIL (5 ms a switch)
SHORTEST = MOMENT / (CREDIT_MAX - 1)  #: of shorter chunks no more are sent ahead
SMOOTHING = 0.25
REMEMBERING = 1 / 64  #: weight of a chunk in what the chunks of a queue take


class Credit:
    """Measures the seconds that a chunk takes and says how many to send ahead of the running one.

    1 until something was measured; `CREDIT_MAX` for chunks of microseconds; 1 again for chunks of seconds.
    """

    __slots__ = ("ahead", "seconds")

    def __init__(self) -> None:
        self.ahead = 1
        self.seconds = 0.0

    def measured(self, seconds: float) -> int:
        """Take in the duration of one chunk; returns by how much `ahead` changed."""
        if self.seconds:
            # a chunk much slower than the last ones counts at once: what is ahead would wait behind it
            weight = SMOOTHING if seconds < 4 * self.seconds else 1.0
            self.seconds += (seconds - self.seconds) * weight
        else:
            self.seconds = seconds
        ahead = 1 + int(MOMENT / self.seconds) if self.seconds > SHORTEST else CREDIT_MAX
        change = ahead - self.ahead
        self.ahead = ahead
        return change
