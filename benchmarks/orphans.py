"""How long workers and their children outlive a manager that is SIGKILLed; what looking for strays costs."""

from __future__ import annotations

import os
import select
import subprocess
from collections.abc import Iterator
from statistics import median
from time import perf_counter, sleep

from benchmarks import whole
from benchmarks.figure import Figure
from benchmarks.scale import Scale
from benchmarks.side import Wrong
from eisenmp.engine.strays import Strays

TARGET = 1.0
PATIENCE = 10.0
SETTLED = 0.2  #: seconds for a worker that has said that it is there to be there
WORKERS = ("works", "stopped", "holds_the_gil", "has_child")
METHODS = ("spawn", "forkserver")
LOOKS = 20
RUNS = 5


def run(scale: Scale) -> Iterator[Figure]:
    """Each way to be busy, by each way to start; then a stop that finds nothing."""
    for method in METHODS:
        taken = {name: [killed(method, name) for _ in range(1 if scale.quick else RUNS)] for name in WORKERS}
        everything = [seconds for runs in taken.values() for seconds in runs]
        yield Figure(
            name=f"the last process is gone, {method}",
            value=max(everything),
            unit="s",
            low=min(everything),
            high=max(everything),
            target=TARGET,
            note=", ".join(f"{name} {max(runs):.4f} s" for name, runs in taken.items()),
        )
    for name, hours in (("of a short life", 0), ("of a long life", 1)):
        looks = [looked(hours) for _ in range(LOOKS)]
        yield Figure(
            name=f"looking for strays at the end {name}",
            value=median(looks) * 1000,
            unit="ms",
            low=min(looks) * 1000,
            high=max(looks) * 1000,
            note=f"{sum(name.isdecimal() for name in os.listdir('/proc'))} processes on the machine",
        )


def killed(method: str, name: str) -> float:
    """Seconds from the SIGKILL to the end of the last process. Raises Wrong when one is left."""
    command = whole.module("orphans", method, name)
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=whole.ROOT) as program:
        assert program.stdout is not None
        line = program.stdout.readline()
        if not line:
            raise Wrong(f"the program with {name} has ended by itself")
        sentinels = [os.pidfd_open(int(pid)) for pid in line.split()]
        sleep(SETTLED)
        started = perf_counter()
        program.kill()
        try:
            for sentinel in sentinels:
                if not select.select([sentinel], [], [], PATIENCE)[0]:
                    raise Wrong(f"a process of {name} is left after {PATIENCE} s")
            return perf_counter() - started
        finally:
            for sentinel in sentinels:
                os.close(sentinel)


def looked(hours: float) -> float:
    """Seconds to find that there is nothing."""
    strays = Strays()
    strays.marked({})
    strays._started -= hours * 3600
    started = perf_counter()
    strays.end()
    return perf_counter() - started
