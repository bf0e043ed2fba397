"""Functions of one row with an array in it, and the same as workers of eisenmp."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

import numpy as np

import eisenmp

LENGTH = 1 << 17  #: of the arrays, in numbers of 8 bytes: 1 MiB


def made(number: int) -> Any:
    """An array that no other number has."""
    return np.full(LENGTH, number, dtype=np.int64)


def total(array: Any) -> tuple[int, int]:
    """The sum of an array."""
    return os.getpid(), int(array.sum()) // LENGTH


def make(number: int) -> tuple[int, Any]:
    """An array of the number."""
    return os.getpid(), made(number)


@eisenmp.worker
def totals(toolbox: eisenmp.ToolBox, rows: Sequence[Any]) -> tuple[int, int]:
    """The sum of the one array; rows that are numbers are to warm up."""
    return total(rows[0]) if isinstance(rows[0], np.ndarray) else (os.getpid(), rows[0])


@eisenmp.worker
def makes(toolbox: eisenmp.ToolBox, rows: Sequence[int]) -> tuple[int, Any]:
    """The array of the one number."""
    return make(rows[0])
