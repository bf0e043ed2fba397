"""A worker of many: tiny, but for the first time, when all others are to get a chunk too."""

from __future__ import annotations

import os
from time import sleep
from typing import Any

import eisenmp

SECONDS = 0.01


@eisenmp.worker
def answer(toolbox: eisenmp.ToolBox, rows: Any) -> tuple[int, int]:
    """The process, and the row."""
    (row,) = rows
    if not row:
        sleep(SECONDS)
    return os.getpid(), row
