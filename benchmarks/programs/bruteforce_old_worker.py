"""The worker of eisenmp 1.0."""

from __future__ import annotations

import os
from typing import Any


def worker_entrance(toolbox: Any) -> bool:
    """Called in a loop until the list with the STOP row has come."""
    if toolbox.MULTI_TOOL is None:
        toolbox.MULTI_TOOL = toolbox.mp_tools_q.get()
    header, *rows = toolbox.mp_input_q.get()
    stop: bool = toolbox.STOP_MSG in rows
    if stop:
        rows.remove(toolbox.STOP_MSG)
    answer = (os.getpid(), len(rows), list(toolbox.MULTI_TOOL.intersection(rows)))
    toolbox.mp_output_q.put([toolbox.OUTPUT_HEADER + header, answer])
    return not stop
