"""`Result` and the helpers of eisenmp 1.0."""

from __future__ import annotations

import itertools
import threading

from ..manager.legacy import Result

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Result", "consecutive_number", "thread_shutdown_wait"]


def consecutive_number() -> Iterator[int]:
    """0, 1, 2, …"""
    return itertools.count()


def thread_shutdown_wait(*threads: str | threading.Thread) -> None:
    """Return when none of the threads, given by name or as objects, runs any more."""
    wanted = {thread if isinstance(thread, str) else thread.name for thread in threads}
    while running := [thread for thread in threading.enumerate() if thread.name in wanted]:
        running[0].join()
