"""The CPU time of a manager with two workers that have nothing to do for 10 seconds."""

from __future__ import annotations

import json
from collections.abc import Iterator

from benchmarks import whole
from benchmarks.figure import Figure
from benchmarks.scale import Scale

SECONDS = 10
SECONDS_QUICK = 1
TARGET = 0.05


def run(scale: Scale) -> Iterator[Figure]:
    """Manager and workers together."""
    seconds = SECONDS_QUICK if scale.quick else SECONDS
    ours, pool = (
        json.loads(whole.run(whole.module("idle", side, seconds)).lines[0]) for side in ("eisenmp", "Pool")
    )
    yield Figure(
        name=f"{seconds} s",
        value=ours["manager"] + ours["children"],
        unit="s of CPU",
        target=TARGET,
        peers={"Pool": f"{pool['manager'] + pool['children']:.4f} s"},
        note=f"manager {ours['manager']:.4f} s, {ours['processes']} workers {ours['children']:.4f} s",
    )
