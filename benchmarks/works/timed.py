"""Chunks that take a known time, and say when."""

from __future__ import annotations

import os
from time import monotonic, sleep
from typing import Any, NamedTuple

import eisenmp

CHUNK_SECONDS = 0.05


class Done(NamedTuple):
    """One chunk: by whom, and from when to when on the clock that all processes share."""

    slot: int
    pid: int
    began: float
    ended: float


@eisenmp.worker
def timed(toolbox: eisenmp.ToolBox, rows: Any) -> tuple[int, int, float, float]:
    """A chunk of CHUNK_SECONDS that leaves the CPU to others."""
    began = monotonic()
    sleep(CHUNK_SECONDS)
    return tuple(Done(toolbox.START_SEQUENCE_NUM, os.getpid(), began, monotonic()))
