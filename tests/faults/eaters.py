"""Workers that take memory: for themselves, or in maps that others could share."""

from __future__ import annotations

import mmap
import os
import sys
import threading
from typing import Any

import eisenmp
from eisenmp import ToolBox

PAGE = mmap.PAGESIZE
kept: list[Any] = []


def take(size: int) -> bytearray:
    """So many MiB, each page written to."""
    return bytearray(b"x") * (size << 20)


def keep(toolbox: ToolBox, size: int, waits: bool) -> None:
    kept.append(take(size))
    if waits:
        wait(toolbox)


def grow(toolbox: ToolBox, size: int, more: int) -> None:
    """Take some, wait, take more, and never come back."""
    keep(toolbox, size, True)
    keep(toolbox, more, False)
    threading.Event().wait()


def give_back(toolbox: ToolBox, size: int, waits: bool) -> None:
    take(size)


def map_it(toolbox: ToolBox, how: str, path: str, size: int) -> None:
    """Read a whole file through a map, or fill memory that other processes could map too."""
    if how == "file":
        with open(path, "rb") as file:
            mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        assert not any(mapped[offset] for offset in range(0, size, PAGE))
    elif how == "tool":
        with open(path, "r+b") as file:
            mapped = mmap.mmap(file.fileno(), 0)
        fill(mapped, size)
    else:
        mapped = mmap.mmap(-1, size)
        fill(mapped, size)
    kept.append(mapped)
    wait(toolbox)


def fill(mapped: mmap.mmap, size: int) -> None:
    for offset in range(0, size, PAGE):
        mapped[offset] = 1


def write(toolbox: ToolBox, path: str) -> None:
    """Write to each page of the table that the module of that path has."""
    (table,) = (module.TABLE for module in sys.modules.values() if getattr(module, "__file__", None) == path)
    for offset in range(0, len(table), PAGE):
        table[offset] = 1
    wait(toolbox)


def wait(toolbox: ToolBox) -> None:
    """Say the pid, then wait at the gate, a FIFO: a stop lets nobody through."""
    toolbox.queue("told").put(os.getpid())
    with open(toolbox.gate) as gate:
        gate.read()


def pid(toolbox: ToolBox) -> None:
    """Only the result counts."""


ACTS = {
    "keep": keep,
    "grow": grow,
    "pass": give_back,
    "map": map_it,
    "write": write,
    "wait": wait,
    "pid": pid,
}


@eisenmp.worker
def eat(toolbox: ToolBox, rows: Any) -> list[Any]:
    """A row that is a tuple is an order, and gives the pid; others come back."""
    values = []
    for row in rows:
        if isinstance(row, tuple):
            ACTS[row[0]](toolbox, *row[1:])
            values.append(os.getpid())
        else:
            values.append(row)
    return values
