"""All that is left to chance in one run: drawn from its seed, the same everywhere."""

from __future__ import annotations

from random import Random

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import TypeVar

    Value = TypeVar("Value")


class Draws:
    """Numbers from one seed. Only `random()` is used: it gives the same in every version of Python."""

    def __init__(self, seed: int) -> None:
        self.random = Random(seed).random

    def chance(self, share: float) -> bool:
        """True in that share of all cases."""
        return share > 0 and self.random() < share

    def below(self, end: int) -> int:
        return int(self.random() * end)

    def between(self, low: int, high: int) -> int:
        return low + int(self.random() * (high - low + 1))

    def pick(self, options: Sequence[Value]) -> Value:
        return options[int(self.random() * len(options))]

    def about(self, seconds: float) -> float:
        """Mostly about so many seconds, now and then many times as much."""
        share = self.random()
        return seconds * share / (1.02 - share)
