"""Worker of the example watchdog: counts steps, and shows the watchdog that it is alive."""

from __future__ import annotations

import threading
from os import path

import eisenmp


class Heartbeat:
    """What the worker does: a watcher in another thread sees it stand still."""

    def __init__(self) -> None:
        self.beats = 0
        self.row: int | None = None  #: the row in work; None between chunks

    def beat(self, row: int | None) -> None:
        """Say that work goes on, with which row."""
        self.row = row
        self.beats += 1


@eisenmp.worker
def worker_entrance(toolbox: eisenmp.ToolBox, rows: range) -> list[tuple[int, int]]:
    """(row, steps) for each row. The heartbeat is among the instances, where mates find it."""
    heartbeat = toolbox.instances.setdefault("heartbeat", Heartbeat())
    results = []
    for row in rows:
        heartbeat.beat(row)
        if row == toolbox.kwargs["stuck_row"]:
            get_stuck_once(toolbox.kwargs["stuck_file"])
        results.append((row, steps_to_one(row)))
    heartbeat.beat(None)
    return results


def steps_to_one(number: int) -> int:
    """How many steps the Collatz rule (half of an even number, else 3 n + 1) takes from the number to 1."""
    steps = 0
    while number > 1:
        number = 3 * number + 1 if number % 2 else number // 2
        steps += 1
    return steps


def get_stuck_once(marker: str) -> None:
    """Wait for what never comes; the file tells the next worker that this was done."""
    if not path.exists(marker):
        with open(marker, "x", encoding="utf-8"):
            threading.Event().wait()
