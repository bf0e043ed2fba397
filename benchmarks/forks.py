"""The first result of each of two forked workers: from a running zygote, and with a cold one from nothing."""

from __future__ import annotations

from collections.abc import Iterator
from statistics import median

from benchmarks import whole
from benchmarks.clean import clean_environment
from benchmarks.figure import Figure
from benchmarks.pairs import times
from benchmarks.scale import Scale
from benchmarks.start import start

TARGET_RUNNING = 1.0
TARGET_COLD = 2.0


def run(scale: Scale) -> Iterator[Figure]:
    """eisenmp and Pool in turn."""
    pairs = [(running("eisenmp"), running("Pool")) for _ in range(scale.pairs)]
    yield ratio("running zygote", pairs, TARGET_RUNNING)
    with clean_environment(whole.ROOT) as python:
        ours, theirs = "start_forkserver", "start_pool_fork"
        start(python, ours), start(python, theirs)  # whatever is compiled on the first run is compiled
        pairs = [(start(python, ours).first, start(python, theirs).first) for _ in range(scale.pairs)]
    yield ratio("cold zygote, whole process", pairs, TARGET_COLD)


def running(side: str) -> float:
    """One run of the program."""
    return float(whole.run(whole.module("forks", side)).lines[0])


def ratio(name: str, pairs: list[tuple[float, float]], target: float) -> Figure:
    """The figure of runs in turn."""
    ratios = [ours / theirs for ours, theirs in pairs]
    return Figure(
        name=name,
        value=median(ratios),
        unit="times Pool with fork",
        low=min(ratios),
        high=max(ratios),
        target=target,
        sides=(
            times("eisenmp", [pair[0] for pair in pairs]),
            times("Pool", [pair[1] for pair in pairs]),
        ),
    )
