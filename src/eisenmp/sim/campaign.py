"""Many runs: seed after seed, on all cores, until so many are done or the time is over."""

from __future__ import annotations

import gc
import json
import subprocess
import sys
from time import monotonic
from typing import NamedTuple

from .simulation import Simulation
from .violation import Violation

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

FAILURES_MAX = 3  #: of one process; more say no more
SWEEP = 100  #: runs; each leaves its circles of objects, which are swept together


class Failure(NamedTuple):
    """A run in which a rule was broken, or the manager raised what it must not."""

    seed: int
    text: str


class Findings(NamedTuple):
    """How many runs there were, and which failed."""

    runs: int
    failures: tuple[Failure, ...]


def run_seed(seed: int, *, traced: bool = False) -> tuple[Simulation, Failure | None]:
    """One run, with what was wrong with it."""
    simulation = Simulation(seed, traced=traced)
    try:
        simulation.run()
    except Violation as violation:
        return simulation, Failure(seed, str(violation))
    except Exception as error:  # a defect of the manager, whatever it is
        return simulation, Failure(seed, f"{type(error).__name__}: {error}")
    return simulation, None


def explore(seeds: Iterator[int], seconds: float | None = None) -> Findings:
    """Run the seeds in this process."""
    until = None if seconds is None else monotonic() + seconds
    failures: list[Failure] = []
    runs = 0
    collects = gc.isenabled()
    gc.disable()
    try:
        for seed in seeds:
            if len(failures) >= FAILURES_MAX or (until is not None and monotonic() >= until):
                break
            _, failure = run_seed(seed)
            runs += 1
            if failure is not None:
                failures.append(failure)
            if not runs % SWEEP:
                gc.collect()
    finally:
        if collects:
            gc.enable()
    return Findings(runs, tuple(failures))


def campaign(first: int, count: int | None, seconds: float | None, procs: int) -> Findings:
    """Run `count` seeds from `first` on, or as many as `seconds` allow, in `procs` processes."""
    end = sys.maxsize if count is None else first + count
    programs = [
        subprocess.Popen(
            [sys.executable, "-m", __name__, json.dumps([first + number, end, procs, seconds])],
            stdout=subprocess.PIPE,
            text=True,
        )
        for number in range(procs)
    ]
    runs = 0
    failures: list[Failure] = []
    try:
        for program in programs:
            answer, _ = program.communicate()
            if program.returncode:
                raise RuntimeError(f"a process of the simulation ended with exit code {program.returncode}")
            part = json.loads(answer)
            runs += part[0]
            failures += [Failure(seed, text) for seed, text in part[1]]
    finally:
        for program in programs:
            if program.poll() is None:
                program.kill()
                program.communicate()
    return Findings(runs, tuple(sorted(failures)))


def main() -> None:
    """The share of one process of a campaign: every so many-th seed."""
    first, end, step, seconds = json.loads(sys.argv[1])
    print(json.dumps(explore(iter(range(first, end, step)), seconds)))


if __name__ == "__main__":
    main()
