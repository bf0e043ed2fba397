"""The manager's memory for each million tickets that are done."""

from __future__ import annotations

import json
from collections.abc import Iterator

from benchmarks import whole
from benchmarks.figure import Figure
from benchmarks.scale import Scale
from benchmarks.side import Wrong

TICKETS = 1_000_000
TICKETS_QUICK = 50_000
TARGET = 20.0
MIB = 1 << 20


def run(scale: Scale) -> Iterator[Figure]:
    """One int a chunk, results taken and let go."""
    tickets = TICKETS_QUICK if scale.quick else TICKETS
    finished = whole.run(whole.module("tickets", tickets))
    found = json.loads(finished.lines[0])
    if found["results"] != tickets:
        raise Wrong(f"{found['results']} results of {tickets}")
    grown = (found["end"] - found["begin"]) / MIB
    yield Figure(
        name=f"{tickets:,} tickets",
        value=max(0.0, grown) * 1_000_000 / tickets if tickets >= TICKETS else max(0.0, grown),
        unit="MiB a million tickets" if tickets >= TICKETS else "MiB",
        target=TARGET,
        note=f"{found['begin'] / MIB:.1f} MiB after the first; {finished.end:.0f} s in all",
    )
