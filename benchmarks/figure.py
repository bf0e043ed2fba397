"""One measured value with its target and what it was made of."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(frozen=True)
class Times:
    """What one side took, in seconds."""

    side: str
    median: float
    low: float
    high: float
    runs: int


@dataclass(frozen=True)
class Figure:
    """`value` in `unit`; a target is kept by at most that much. `low` and `high` are the spread."""

    name: str
    value: float
    unit: str
    low: float | None = None
    high: float | None = None
    target: float | None = None
    sides: tuple[Times, ...] = ()
    peers: dict[str, str] = field(default_factory=dict)
    note: str = ""

    @property
    def met(self) -> bool | None:
        """Whether the target is met; None without one."""
        return None if self.target is None else self.value <= self.target

    def as_json(self) -> dict[str, Any]:
        """Everything, with the verdict."""
        return {**asdict(self), "met": self.met}
