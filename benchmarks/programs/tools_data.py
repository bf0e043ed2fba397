"""What is broadcast, the work that looks it up, and the memory that it takes."""

from __future__ import annotations

import os
import random
from typing import Any

import numpy
import psutil

WORDS = 1_000_000
ARRAY = 512 << 20
LETTERS = "abcdefghijklmnopqrstuvwxyz"
MIB = 1 << 20


def words(count: int) -> dict[str, int]:
    """Random words of 5 to 15 letters, numbered in no order."""
    draw = random.Random(7)
    found: dict[str, int] = {}
    while len(found) < count:
        found["".join(draw.choices(LETTERS, k=draw.randint(5, 15)))] = len(found)
    return found


def array(size: int) -> Any:
    """So many bytes of numbers, all of them in memory."""
    return numpy.arange(size // 8, dtype=numpy.int64)


def look(table: Any, numbers: Any, word: str, *, thoroughly: bool = False) -> tuple[int, int, int]:
    """(process, number of the word, one number of the array); or the sum of all, which takes every page."""
    value = int(numbers.sum()) if thoroughly else int(numbers[-1])
    return os.getpid(), table[word], value


def memory_of_tree() -> int:
    """The proportional share of this process and all below it, in bytes."""
    me = psutil.Process()
    return sum(
        process.memory_full_info().pss
        for process in (me, *me.children(recursive=True))
        if process.is_running()
    )
