"""Generators that the workers of the contract suite run."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator


def numbers(count: int, *, step: int = 1) -> Iterator[int]:
    yield from range(0, count * step, step)


def evens(count: int) -> range:
    return range(0, 2 * count, 2)


def broken(count: int) -> Iterator[int]:
    yield from range(count)
    raise KeyError("broken")


def differing(gate: str, told: str) -> Iterator[object]:
    """Row 1 is another one in each worker."""
    yield "wait", gate, told
    yield os.getpid(), threading.get_ident()
    yield "wait", gate, told
    while True:
        yield 0
