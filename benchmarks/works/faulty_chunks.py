"""The same functions as a worker of eisenmp."""

from __future__ import annotations

from typing import Any

import eisenmp
from benchmarks.works import faulty


@eisenmp.worker
def rows(toolbox: eisenmp.ToolBox, rows: Any) -> list[Any]:
    """Row by row; which function and where it notes its fault are variables."""
    return list(map(faulty.function(toolbox.name, toolbox.folder), rows))
