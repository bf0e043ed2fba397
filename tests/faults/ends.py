"""Workers that come to a bad end, each in its own way; a row says which."""

from __future__ import annotations

import ctypes
import faulthandler
import os
import signal
import sys
import threading
from typing import Any

import eisenmp
from eisenmp import ToolBox

BLOCK = 1 << 24  #: bytes


def segfault() -> None:
    ctypes.string_at(0)


def abort() -> None:
    os.abort()


def kill() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def term() -> None:
    os.kill(os.getpid(), signal.SIGTERM)


def leave() -> None:
    os._exit(7)


def late() -> None:
    """A timer of the user's own ends the process, after it has written where the threads are."""
    faulthandler.dump_traceback_later(1e-3, exit=True)
    threading.Event().wait()


def eat() -> None:
    """Take memory until there is none left."""
    eaten = []
    while True:
        eaten.append(bytearray(b"x") * BLOCK)


WAYS = {way.__name__: way for way in (segfault, abort, kill, term, leave, late, eat)}


@eisenmp.worker
def end(toolbox: ToolBox, rows: Any) -> Any:
    """A row that is a list has ways to end, and (how, word, count) for lines to write; others come back."""
    for order in (order for row in rows if isinstance(row, list) for order in row):
        if isinstance(order, tuple):
            how, word, count = order
            for number in range(count):
                if how == "print":
                    print(word, number, file=(sys.stdout, sys.stderr)[number % 2])
                else:
                    os.write(1 + number % 2, f"{word} {number}\n".encode())
        else:
            WAYS[order]()
    return rows


@eisenmp.worker
def wait(toolbox: ToolBox, rows: Any) -> Any:
    """Say the pid, then wait at the gate."""
    toolbox.queue("told").put(os.getpid())
    hold(toolbox)
    return rows


def hold(toolbox: ToolBox) -> None:
    toolbox.queue("gate").get()
