"""A whole process from nothing to the first result of each of two spawned workers, in a clean environment."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from statistics import median
from typing import NamedTuple

from benchmarks import whole
from benchmarks.clean import clean_environment
from benchmarks.figure import Figure
from benchmarks.pairs import times
from benchmarks.scale import Scale
from benchmarks.side import Wrong

TARGET = 0.6
CONTEXT_RUNS = 3


class Start(NamedTuple):
    """Seconds to the second worker's first result, and to the end of the program."""

    first: float
    end: float


def run(scale: Scale) -> Iterator[Figure]:
    """eisenmp and Pool in turn, in one clean environment."""
    with clean_environment(whole.ROOT) as python:
        for program in ("start_eisenmp", "start_pool"):
            start(python, program)  # whatever is compiled on the first run is compiled
        rounds = [(start(python, "start_eisenmp"), start(python, "start_pool")) for _ in range(scale.pairs)]
        others = {}
        if not scale.quick:
            runs = [start(python, "start_executor").first for _ in range(CONTEXT_RUNS)]
            others["ProcessPoolExecutor"] = f"{median(runs):.3f} s, {CONTEXT_RUNS} runs"
    for name, place, target in (("both first results", 0, TARGET), ("end of the program", 1, None)):
        ours = [pair[0][place] for pair in rounds]
        pool = [pair[1][place] for pair in rounds]
        ratios = [mine / theirs for mine, theirs in zip(ours, pool, strict=True)]
        yield Figure(
            name=name,
            value=median(ratios),
            unit="times Pool with spawn",
            low=min(ratios),
            high=max(ratios),
            target=target,
            sides=(times("eisenmp", ours), times("Pool", pool)),
            peers=others if place == 0 else {},
        )


def start(python: Path, program: str) -> Start:
    """One run. Raises Wrong unless two processes, neither of them the program, have answered."""
    finished = whole.run([python, whole.PROGRAMS / f"{program}.py"])
    word, *pids = " ".join(finished.lines).split()
    if word != "first" or len(set(pids) - {str(finished.pid)}) != 2:
        raise Wrong(f"{program}: two workers should have answered: {finished.lines}")
    return Start(finished.first, finished.end)
