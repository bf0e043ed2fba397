"""The functions that every side computes. All but `itself` say which process has done it."""

from __future__ import annotations

from collections.abc import Sequence
from os import getpid
from time import sleep

SLOW_SECONDS = 0.02


def total(rows: Sequence[int]) -> tuple[int, int]:
    """The sum of a chunk."""
    return getpid(), sum(rows)


def lengths(rows: Sequence[str]) -> tuple[int, int]:
    """The characters of a chunk."""
    return getpid(), sum(map(len, rows))


def item(row: int) -> tuple[int, int]:
    """One row."""
    return getpid(), row


def itself(row: int) -> int:
    """One row, as small as it can be sent back."""
    return row


def slow(row: int) -> tuple[int, int]:
    """One row, slower than any source."""
    sleep(SLOW_SECONDS)
    return getpid(), row
