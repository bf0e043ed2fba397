"""Numbers of a column added up."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import eisenmp


class Sum(NamedTuple):
    """How many numbers, and what they come to."""

    count: int
    total: float


def added(cells: Iterable[str]) -> Sum:
    """The cells that are not NA."""
    count, total = 0, 0.0
    for cell in cells:
        if cell != "NA":
            count += 1
            total += float(cell)
    return Sum(count, total)


@eisenmp.worker
def add(toolbox: eisenmp.ToolBox, rows: list[str]) -> Sum:
    """The sum of a chunk."""
    return added(rows)
