"""Generators for the tests of copies."""

from __future__ import annotations

from collections.abc import Iterator

calls: list[int] = []
closed: list[int] = []


def numbers(count: int, fails_at: int = -1) -> Iterator[int]:
    calls.append(count)
    try:
        for number in range(count):
            if number == fails_at:
                raise KeyError("no more")
            yield number
    finally:
        closed.append(count)


def evens(count: int) -> range:
    return range(0, 2 * count, 2)
