"""Runs of a program that may hang: a run that does is done again, a few times at most."""

from __future__ import annotations

from collections.abc import Callable

from benchmarks.whole import Late

TRIES = 4  #: of each run


class Retried:
    """`hangs` counts the runs that did not come to their end."""

    def __init__(self) -> None:
        self.hangs = 0

    def seconds(self, run: Callable[[], float]) -> float:
        """What the first run gives that comes to its end; the Late of the last when none of TRIES does."""
        tries = 0
        while True:
            try:
                return run()
            except Late:
                self.hangs += 1
                tries += 1
                if tries == TRIES:
                    raise
