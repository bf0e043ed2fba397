"""`eisenmp sim`: the manager in simulated trouble, from seeds, and one run again with its trace."""

from __future__ import annotations

from time import perf_counter
from typing import Annotated

from cyclopts import Parameter

from ..engine.cpus import usable_cpus
from .exitcodes import DONE, FAILED

COUNT = 1000


def sim(
    *,
    seed: Annotated[
        int | None, Parameter(help="Repeat this run, with its trace; with another option, the first one.")
    ] = None,
    count: Annotated[int | None, Parameter(help=f"So many runs; {COUNT} where no time is given.")] = None,
    seconds: Annotated[float | None, Parameter(help="As many runs as fit in this time.")] = None,
) -> int:
    """Run the manager on a simulated wire, clock, processes and faults; each run is drawn from its seed.

    After every step it is checked that each ticket is done once or is a dead letter, that leases and commands
    are only for the living, that order is kept and memory bounded, and in the end that all were told to stop.
    """
    if seed is not None and count is None and seconds is None:
        return _repeat(seed)
    if count is None and seconds is None:
        count = COUNT
    from ..sim.campaign import campaign

    started = perf_counter()
    findings = campaign(seed or 0, count, seconds, usable_cpus())
    took = perf_counter() - started
    for failure in findings.failures:
        print(f"seed {failure.seed}: {failure.text}\n  eisenmp sim --seed {failure.seed}")
    verdict = f"{len(findings.failures)} failed" if findings.failures else "all rules held"
    print(f"{findings.runs} runs in {took:.1f} s: {verdict}")
    return FAILED if findings.failures else DONE


def _repeat(seed: int) -> int:
    from ..sim.campaign import run_seed

    simulation, failure = run_seed(seed, traced=True)
    assert simulation.trace is not None
    print(*simulation.plan.lines(), *simulation.trace.lines, sep="\n")
    if failure is not None:
        print(f"seed {seed}: {failure.text}\n  eisenmp sim --seed {seed}")
        return FAILED
    print(f"seed {seed}: all rules held")
    return DONE
