"""The worker of eisenmp 1.0: the same loop as everywhere."""

from __future__ import annotations

from typing import Any


def worker_entrance(toolbox: Any) -> bool:
    """Called in a loop until the list with the STOP row has come."""
    if toolbox.MULTI_TOOL is None:
        toolbox.MULTI_TOOL = toolbox.mp_tools_q.get()
        toolbox.told_q.put("loaded")
    words = toolbox.MULTI_TOOL
    header, *rows = toolbox.mp_input_q.get()
    stop: bool = toolbox.STOP_MSG in rows
    if stop:
        rows.remove(toolbox.STOP_MSG)
    found = []
    for row in rows:
        word = "".join(row)
        if word in words:
            found.append(word)
    toolbox.mp_output_q.put([toolbox.OUTPUT_HEADER + header, found])
    return not stop
