"""The same as a worker of eisenmp."""

from __future__ import annotations

from start_work import who

import eisenmp


@eisenmp.worker
def answer(toolbox: eisenmp.ToolBox, rows: list[int]) -> int:
    """The process of the one row."""
    return who(rows[0])
