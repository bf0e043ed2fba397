"""Workers that only the kernel can end, and one with a child."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
from typing import Any

import eisenmp

HOUR = 3600


def there(toolbox: Any, *pids: int) -> None:
    toolbox.queue("there").put((os.getpid(), *pids))


@eisenmp.worker
def works(toolbox: Any, rows: Any) -> None:
    """Computes for ever."""
    there(toolbox)
    while True:
        pass


@eisenmp.worker
def stopped(toolbox: Any, rows: Any) -> None:
    """Is stopped."""
    there(toolbox)
    os.kill(os.getpid(), signal.SIGSTOP)


@eisenmp.worker
def holds_the_gil(toolbox: Any, rows: Any) -> None:
    """Is inside of C code that does not give the interpreter back."""
    there(toolbox)
    ctypes.PyDLL(None).sleep(HOUR)


@eisenmp.worker
def has_child(toolbox: Any, rows: Any) -> None:
    """Waits for a process of its own."""
    child = subprocess.Popen(["sleep", str(HOUR)])
    there(toolbox, child.pid)
    child.wait()
