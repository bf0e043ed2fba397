"""The CPU time of other processes."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from time import clock_gettime

import psutil

WORKED = 0.0005  #: seconds of CPU; a worker that only waits uses none


def cpu_seconds(pid: int) -> float:
    """User and system time of a running process and all its threads.

    Linux has a clock for each process, to the nanosecond; elsewhere the counters have steps of 10 ms.
    """
    if sys.platform == "linux":
        return clock_gettime((~pid << 3) | 2)
    times = psutil.Process(pid).cpu_times()
    return times.user + times.system


def cpu_of(pids: Iterable[int]) -> dict[int, float]:
    """The CPU time of each."""
    return {pid: cpu_seconds(pid) for pid in pids}


def at_work(before: Mapping[int, float]) -> frozenset[int]:
    """Which of the processes have worked since `before`."""
    return frozenset(pid for pid, seconds in before.items() if cpu_seconds(pid) - seconds > WORKED)
