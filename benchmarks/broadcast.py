"""A dict of 1,000,000 words and an array of 512 MB, until both workers have looked a word up."""

from __future__ import annotations

import json
from collections.abc import Iterator
from statistics import median

from benchmarks import whole
from benchmarks.figure import Figure
from benchmarks.pairs import times
from benchmarks.scale import Scale

TARGET = 0.6
TARGET_ADDED = 40.0
PART = 20  #: of the data, in a quick run
MIB = 1 << 20


def run(scale: Scale) -> Iterator[Figure]:
    """eisenmp and joblib in turn, each in a process of its own that has the data already."""
    part = PART if scale.quick else 1
    rounds = []
    for _ in range(scale.pairs):
        rounds.append([measured(side, part) for side in ("eisenmp", "joblib")])
    ours, theirs = ([found[place]["seconds"] for found in rounds] for place in (0, 1))
    ratios = [mine / other for mine, other in zip(ours, theirs, strict=True)]
    yield Figure(
        name="until both workers have looked up",
        value=median(ratios),
        unit="times joblib",
        low=min(ratios),
        high=max(ratios),
        target=TARGET,
        sides=(times("eisenmp, SharedTable", ours), times("joblib", theirs)),
    )
    added, joblib_added = ([found[place]["added"] / MIB for found in rounds] for place in (0, 1))
    yield Figure(
        name="memory beyond one copy of the data",
        value=median(added),
        unit="MiB",
        low=min(added),
        high=max(added),
        target=TARGET_ADDED,
        peers={"joblib": f"{median(joblib_added):.0f} MiB, with the program's own copy"},
        note=f"PSS of the three processes, every page read; data: {rounds[0][0]['data'] / MIB:.0f} MiB",
    )


def measured(side: str, part: int) -> dict[str, float]:
    """One run."""
    found: dict[str, float] = json.loads(whole.run(whole.module("broadcast", side, part)).lines[0])
    return found
