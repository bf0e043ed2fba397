"""A small subset of many combinations in which every pair of values that is possible at all occurs."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from typing import TypeVar

Combination = TypeVar("Combination", bound=tuple[str, ...])
Pair = tuple[int, str, int, str]


def pairs_of(combination: tuple[str, ...]) -> set[Pair]:
    """All pairs of (place, value, place, value) in it."""
    return {(i, left, j, right) for (i, left), (j, right) in combinations(enumerate(combination), 2)}


def pairwise(possible: Sequence[Combination]) -> list[Combination]:
    """Few of them, the same ones each time: always the one with the most pairs that are still missing."""
    missing: set[Pair] = set().union(*map(pairs_of, possible))
    left = {combination: pairs_of(combination) for combination in possible}
    chosen: list[Combination] = []
    while missing:
        best = max(left, key=lambda combination: len(left[combination] & missing))
        missing -= left.pop(best)
        chosen.append(best)
    return chosen
