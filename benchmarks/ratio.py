"""Two ways to do a whole job in turn: the median of the ratios of their times."""

from __future__ import annotations

import gc
from collections.abc import Callable
from statistics import median
from time import perf_counter

from benchmarks.figure import Figure
from benchmarks.pairs import times
from benchmarks.scale import Scale
from benchmarks.side import Wrong


class Way:
    """`run` does the job and returns what comes of it; `check` says whether that is right."""

    def __init__(self, name: str, run: Callable[[], object], check: Callable[[object], bool]) -> None:
        self.name = name
        self._run = run
        self._check = check

    def seconds(self) -> float:
        """Do it once. Raises Wrong for a wrong result."""
        gc.collect()
        started = perf_counter()
        answer = self._run()
        seconds = perf_counter() - started
        if not self._check(answer):
            raise Wrong(f"{self.name}: {answer!r:.200} is wrong")
        return seconds


def ratio(name: str, ours: Way, other: Way, scale: Scale, *, target: float | None, note: str = "") -> Figure:
    """Our way against the other one, both warm."""
    ours.seconds(), other.seconds()
    rounds = [(ours.seconds(), other.seconds()) for _ in range(scale.pairs)]
    ratios = [mine / theirs for mine, theirs in rounds]
    return Figure(
        name=name,
        value=median(ratios),
        unit=f"times {other.name}",
        low=min(ratios),
        high=max(ratios),
        target=target,
        sides=(
            times(ours.name, [pair[0] for pair in rounds]),
            times(other.name, [pair[1] for pair in rounds]),
        ),
        note=note,
    )
