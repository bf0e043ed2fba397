"""A worker is killed in the middle of a job: until its slot works again, and what the others feel of it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from statistics import median

from benchmarks import whole
from benchmarks.figure import Figure
from benchmarks.scale import Scale
from benchmarks.works.timed import CHUNK_SECONDS

TARGETS = {"spawn": 0.6, "forkserver": 0.1}  #: seconds
GAP_TARGET = 2.0  #: times the time of a chunk


def run(scale: Scale) -> Iterator[Figure]:
    """As many kills as there would be pairs, one slot after the other."""
    for method, target in TARGETS.items():
        seconds, gaps = json.loads(whole.run(whole.module("recovery", method, scale.pairs)).lines[0])
        yield Figure(
            name=f"{method}: the slot works again",
            value=median(seconds),
            unit="s after the kill",
            low=min(seconds),
            high=max(seconds),
            target=target,
        )
        ratios = [gap / CHUNK_SECONDS for gap in gaps]
        yield Figure(
            name=f"{method}: largest gap between two completions of another worker",
            value=median(ratios),
            unit="times a chunk",
            low=min(ratios),
            high=max(ratios),
            target=GAP_TARGET,
            note=f"chunks of {CHUNK_SECONDS:g} s",
        )
