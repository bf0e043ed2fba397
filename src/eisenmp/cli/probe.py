"""The worker with which `eisenmp doctor` tries the machine."""

from __future__ import annotations

from ..child.contracts import worker

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


@worker
def count(toolbox: Any, rows: Any) -> int:
    """How many rows there are."""
    return len(rows)
