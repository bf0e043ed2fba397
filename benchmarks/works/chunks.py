"""The same functions as workers of eisenmp."""

from __future__ import annotations

from collections.abc import Sequence

import eisenmp
from benchmarks.works import plain


@eisenmp.worker
def total(toolbox: eisenmp.ToolBox, rows: Sequence[int]) -> tuple[int, int]:
    """The sum of a chunk."""
    return plain.total(rows)


@eisenmp.worker
def lengths(toolbox: eisenmp.ToolBox, rows: Sequence[str]) -> tuple[int, int]:
    """The characters of a chunk."""
    return plain.lengths(rows)


@eisenmp.worker
def items(toolbox: eisenmp.ToolBox, rows: Sequence[int]) -> list[tuple[int, int]]:
    """Row by row."""
    return list(map(plain.item, rows))


@eisenmp.worker
def slow_items(toolbox: eisenmp.ToolBox, rows: Sequence[int]) -> list[tuple[int, int]]:
    """Row by row, slower than any source."""
    return list(map(plain.slow, rows))
