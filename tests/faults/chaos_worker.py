"""The worker of a chaos run: does to itself what the plan has for its rows."""

from __future__ import annotations

import os
import signal
from time import sleep
from typing import Any

import eisenmp
from tests.faults.plan import FINE, KILL, RAISE, SLOW, SLOW_SECONDS, STOP, Plan, write


class Refused(Exception):
    """What a raising row raises; names the row."""


@eisenmp.worker
def work(toolbox: eisenmp.ToolBox, rows: Any) -> list[int]:
    """The square of each row."""
    return [perform(Plan(*toolbox.plan), toolbox.folder, row) for row in rows]


def perform(plan: Plan, folder: str, row: int) -> int:
    how = plan.of(row)
    if how == FINE:
        return row * row
    write(folder, how, row, os.getpid())
    if how == KILL:
        os.kill(os.getpid(), signal.SIGKILL)
    elif how == STOP:
        os.kill(os.getpid(), signal.SIGSTOP)
    elif how == RAISE:
        raise Refused(row)
    elif how == SLOW:
        sleep(SLOW_SECONDS)
    return row * row
