"""What to do with a chunk that has failed: try it again, cut it, or give it up.

Errors, deaths and timeouts have a budget each. Cutting uses none of them: a budget counts the attempts of one
piece that cannot be cut further.
"""

from __future__ import annotations

from .messages import LISTED
from .parcel import Trials

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from .parcel import Parcel

RAISED = "raised"
DIED = "died"
TIMED_OUT = "timeout"
CANCELLED = "cancelled"

AGAIN = 1
CUT = 2
OVER = 3


class Budget:
    """How often one piece of work may be tried again after an error, a death, a timeout.

    `cuts`: whether chunks may be cut, which takes a worker that is called with rows.
    """

    def __init__(self, *, deaths: int = 2, raises: int = 0, timeouts: int = 0, cuts: bool = False) -> None:
        self.deaths = deaths
        self.raises = raises
        self.timeouts = timeouts
        self.cuts = cuts

    def charge(self, parcel: Parcel, kind: str, slot: int) -> int:
        """Write down one more failure of this kind in the slot; returns AGAIN, CUT or OVER."""
        trials = parcel.trials
        if trials is None:
            trials = parcel.trials = Trials()
        trials.attempts += 1
        trials.avoid = slot
        trials.looks = 0
        if kind == RAISED:
            trials.raises += 1
            return OVER if trials.raises > self.raises else AGAIN
        if kind == DIED:
            trials.deaths += 1
            # the first death of a whole chunk may be another's fault: chunks of microseconds are reported
            # together
            if self._may_cut(parcel) and (parcel.piece or trials.deaths > 1 or not self.deaths):
                return CUT
            return OVER if trials.deaths > self.deaths else AGAIN
        if kind == TIMED_OUT:
            trials.timeouts += 1
            if self._may_cut(parcel):
                return CUT
            return OVER if trials.timeouts > self.timeouts else AGAIN
        return OVER

    def _may_cut(self, parcel: Parcel) -> bool:
        whole = parcel.trials is not None and parcel.trials.whole
        return self.cuts and parcel.rows > 1 and not whole and not parcel.flags & LISTED


def cut_points(rows: int, done: int) -> tuple[int, ...]:
    """Before which rows to cut: around the guilty one if it is known, else in the middle."""
    if 0 <= done < rows:
        return tuple(point for point in (done, done + 1) if 0 < point < rows)
    return (rows // 2,)


class Backoff:
    """Seconds to wait before the next attempt: doubling, with jitter of half of it either way."""

    FIRST = 0.05
    MOST = 30.0

    def __init__(self, random: Callable[[], float]) -> None:
        self._random = random

    def __call__(self, failures: int) -> float:
        """After the first, second, … failure; `random` gives numbers from 0 to 1."""
        seconds: float = self.FIRST * 2 ** min(failures - 1, 16)
        return min(seconds, self.MOST) * (0.5 + self._random())
