"""The worker and the mate of the table: they go through all the places where a fault may strike."""

from __future__ import annotations

import atexit
from typing import Any

import eisenmp
from tests.faults.striker import RUNS, Answer, Guilty, Spoken, note, strike

strike("load")

WORD = "the worker speaks"


def mate(toolbox: eisenmp.ToolBox) -> None:
    strike("mate")


@eisenmp.worker
def perform(toolbox: eisenmp.ToolBox, rows: Any) -> list[object]:
    """The number of each row; noted before it is looked at."""
    if "leaves" not in toolbox.instances:
        toolbox.instances["leaves"] = atexit.register(strike, "exit")
    return [_perform(toolbox, row) for row in rows]


def _perform(toolbox: Any, row: Any) -> object:
    number = row.number if isinstance(row, Guilty) else row
    note(toolbox.folder, RUNS, str(number))
    if not isinstance(row, Guilty):
        return row
    strike("first chunk" if toolbox.first else "mid-chunk")
    print(WORD)
    print(Spoken())
    assert toolbox.tools["tool"] == "the tool"
    return Answer(number)
