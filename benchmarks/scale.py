"""How much is measured: all of it, or little to see that everything works."""

from __future__ import annotations

from typing import NamedTuple


class Scale(NamedTuple):
    """`pairs` of runs for a ratio. `quick` runs are too short to be judged by, and leave out other peers."""

    quick: bool
    pairs: int

    def rows(self, full: int) -> int:
        """As many rows as this scale takes of `full`."""
        return full // 10 if self.quick else full

    @property
    def trials(self) -> int:
        """How many runs choose the fastest of several peers, and are shown of the others."""
        return 1 if self.quick else 3


FULL = Scale(quick=False, pairs=11)
QUICK = Scale(quick=True, pairs=2)
PAIRS_LEAST = 9  #: of a full run
