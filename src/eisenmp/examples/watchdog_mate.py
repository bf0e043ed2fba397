"""Mate of the example watchdog: loaded before the worker, in the same process, it watches its heartbeat."""

from __future__ import annotations

import threading
import time

import eisenmp

LOOKS = 5  #: how often the same beat must be seen: one look may come just after the whole process was held up


def watchdog_start(toolbox: eisenmp.ToolBox) -> None:
    """Called once, before the worker is. A mate must return, so it leaves a thread behind."""
    threading.Thread(target=watch, args=(toolbox,), name="watchdog", daemon=True).start()


def watch(toolbox: eisenmp.ToolBox) -> None:
    """Have the worker restarted when its heartbeat stands still inside a row for `patience` seconds."""
    patience = toolbox.kwargs["patience"]
    last, looks = (None, 0), 0
    while looks < LOOKS:
        time.sleep(patience / LOOKS)
        heartbeat = toolbox.instances.get("heartbeat")
        seen = (None, 0) if heartbeat is None else (heartbeat.row, heartbeat.beats)
        looks = looks + 1 if seen == last and seen[0] is not None else 0
        last = seen
    toolbox.worker.restart(f"no heartbeat for {patience} s in row {last[0]}")
