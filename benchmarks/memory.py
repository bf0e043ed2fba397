"""The manager's memory while 10,000,000 rows go through it."""

from __future__ import annotations

import json
from collections.abc import Iterator

from benchmarks import whole
from benchmarks.figure import Figure
from benchmarks.scale import Scale

ROWS = 10_000_000
TARGET = 10.0
MIB = 1 << 20


def run(scale: Scale) -> Iterator[Figure]:
    """From a generator function, in chunks of 1,000."""
    rows = scale.rows(ROWS)
    found = json.loads(whole.run(whole.module("memory", rows)).lines[0])
    begin, least, most = found["begin"] / MIB, found["least"] / MIB, found["most"] / MIB
    yield Figure(
        name="change of the resident memory",
        value=max(most - begin, begin - least),
        unit="MiB",
        low=least - begin,
        high=most - begin,
        target=TARGET,
        note=f"{rows:,} rows, {found['looks']:,} looks; {begin:.1f} MiB after the first 2 %",
    )
