"""How much is measured: all of it, or little to see that everything works."""

from __future__ import annotations

from typing import NamedTuple


class Scale(NamedTuple):
    """`pairs` of runs for a ratio. `quick` runs are too short to be judged by, and leave out other peers."""

    quick: bool
    pairs: int

    def rows(self, full: int) -> int:
        """As many rows as this scale takes of `full`."""
        return full // 5 if self.quick else full


FULL = Scale(quick=False, pairs=11)
QUICK = Scale(quick=True, pairs=3)
PAIRS_LEAST = 9  #: of a full run
