"""Every distinct order of some letters, once each."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from functools import cache
from itertools import permutations
from math import factorial, prod

TAIL = 6  #: letters whose orders are kept: few kinds of tails end all the arrangements


def arrangements(letters: str) -> Iterator[str]:
    """The distinct orders of the letters, in alphabetical order.

    Repeated letters cost nothing, as they would with itertools.permutations and a set: CFHHILORRS has 907,200
    arrangements, a quarter of 10!.
    """
    tails = cache(distinct_orders)
    for head, rest in heads("", "".join(sorted(letters))):
        for tail in tails(rest):
            yield head + tail


def heads(head: str, rest: str) -> Iterator[tuple[str, str]]:
    """All beginnings of arrangements, each with the sorted letters that are left, TAIL of them."""
    if len(rest) <= TAIL:
        yield head, rest
        return
    for letter in sorted(set(rest)):
        yield from heads(head + letter, rest.replace(letter, "", 1))


def distinct_orders(letters: str) -> list[str]:
    """Of at most TAIL letters, sorted."""
    return sorted(set(map("".join, permutations(letters))))


def arrangements_total(letters: str) -> int:
    """How many arrangements there are."""
    return factorial(len(letters)) // prod(map(factorial, Counter(letters).values()))
