"""Chunks that keep a CPU busy for a known time."""

from __future__ import annotations

import os
from time import process_time
from typing import Any

import eisenmp

CHUNK_SECONDS = 0.02


@eisenmp.worker
def crunch(toolbox: eisenmp.ToolBox, rows: Any) -> tuple[int, int]:
    """So much of the CPU's time, however long that takes where others want it too."""
    until = process_time() + CHUNK_SECONDS
    while process_time() < until:
        sum(range(1_000))
    return os.getpid(), len(rows)
