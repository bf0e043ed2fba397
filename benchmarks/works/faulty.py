"""Functions of one row that strike at one of them, after they have noted when."""

from __future__ import annotations

import os
import threading
from functools import partial
from pathlib import Path
from time import monotonic, sleep
from typing import Any

GUILTY = 500
BUSY_SECONDS = 0.005


def kill(folder: str, row: int) -> Any:
    """End the worker."""
    if row == GUILTY:
        note(folder)
        os.kill(os.getpid(), 9)
    return row


def hang(folder: str, row: int) -> Any:
    """Never return."""
    if row == GUILTY:
        note(folder)
        threading.Event().wait()
    return row


def unpicklable(folder: str, row: int) -> Any:
    """Return what cannot be sent."""
    if row == GUILTY:
        note(folder)
        return threading.Lock()
    return row


def busy(folder: str, row: int) -> Any:
    """Take a while."""
    sleep(BUSY_SECONDS)
    return row


def note(folder: str) -> None:
    """Write down when it strikes: the clock is the same for all processes."""
    Path(folder, "struck").write_text(str(monotonic()))


def function(name: str, folder: str) -> partial[Any]:
    """One of them, for the peers."""
    return partial(globals()[name], folder)
