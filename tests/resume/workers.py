"""Workers of jobs with a ledger. Each notes what it runs in the file that the variable `log` names."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

import eisenmp


def note(toolbox: Any, ticket: eisenmp.Ticket) -> None:
    with open(toolbox.log, "a") as log:
        log.write(f"{ticket.feed} {ticket.number}\n")


@eisenmp.worker
def squares(toolbox: Any, rows: Any) -> Any:
    note(toolbox, toolbox.ticket)
    return [int(row) ** 2 for row in rows], toolbox.rng.random()


@eisenmp.worker
def slow_squares(toolbox: Any, rows: Any) -> Any:
    """Takes long enough for the ledger to be written meanwhile."""
    assert sum(range(60_000)) == 1_799_970_000
    return squares(toolbox, rows)


@eisenmp.worker
def unless(toolbox: Any, rows: Any) -> Any:
    """Raises for negative rows as long as the file `broken` is there; dies of rows over a million."""
    note(toolbox, toolbox.ticket)
    if Path(toolbox.log).with_name("broken").exists():
        if min(rows) < 0:
            print("a word before", flush=True)
            raise ValueError(f"{min(rows)} is negative")
        if max(rows) > 1_000_000:
            os.kill(os.getpid(), signal.SIGKILL)
    return list(rows)


@eisenmp.worker
def times(toolbox: Any, rows: Any) -> Any:
    return [row * toolbox.tools["factor"] for row in rows]


@eisenmp.worker
def silent(toolbox: Any, rows: Any) -> None:
    note(toolbox, toolbox.ticket)


@eisenmp.worker
def long_text(toolbox: Any, rows: Any) -> str:
    return f"{rows[0]} " * 1000


def row_squared(row: int) -> int:
    return row * row


def of_old(toolbox: Any) -> bool:
    """As in eisenmp 1.0: two outputs for each list."""
    rows = toolbox.mp_input_q.get()
    if toolbox.ticket is not None:
        note(toolbox, toolbox.ticket)
        total = sum(row for row in rows[1:] if row != "STOP")
        toolbox.mp_output_q.put([toolbox.OUTPUT_HEADER + rows[0], total])
    return toolbox.STOP_MSG not in rows
