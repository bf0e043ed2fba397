"""The worker of this version."""

from __future__ import annotations

from os import getpid

import eisenmp


@eisenmp.worker
def find(toolbox: eisenmp.ToolBox, rows: list[str]) -> tuple[int, int, list[str]]:
    """Which of the rows are words; the words are a tool."""
    return getpid(), len(rows), list(toolbox.tools["words"].intersection(rows))
