"""Looks words up in what was broadcast."""

from __future__ import annotations

import time
from typing import Any

import eisenmp
from benchmarks.programs import tools_data


@eisenmp.worker
def look(toolbox: Any, rows: list[Any]) -> Any:
    word, thoroughly = rows[0]
    found = tools_data.look(toolbox.tools["words"], toolbox.tools["numbers"], word, thoroughly=thoroughly)
    time.sleep(0.005)  # so that the other one gets a chunk too
    return found
