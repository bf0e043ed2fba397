"""A SharedTable of 1,000,000 words, and one of 3 GB for two workers that are held to 400 MB each."""

from __future__ import annotations

import json
from collections.abc import Iterator
from statistics import median

from benchmarks import whole
from benchmarks.figure import Figure
from benchmarks.scale import Scale

ENTRIES = 1_000_000
FIGURES = {
    "a look-up": ("look", 1e6, "µs", 1.5),
    "opening in a process, with a first look-up": ("open", 1e3, "ms", 20.0),
    "building from an unsorted dict": ("dict", 1.0, "s", 1.0),
    "building from a frozenset": ("set", 1.0, "s", 1.0),
}


def run(scale: Scale) -> Iterator[Figure]:
    """Each run in processes of its own."""
    entries = scale.rows(ENTRIES)
    found = [json.loads(whole.run(whole.module("table", entries)).lines[0]) for _ in range(scale.pairs)]
    for name, (key, factor, unit, target) in FIGURES.items():
        values = [one[key] * factor for one in found]
        yield Figure(
            name=name, value=median(values), unit=unit, low=min(values), high=max(values), target=target
        )
    large = json.loads(whole.run(whole.module("large_table", 100 if scale.quick else 3000)).lines[0])
    yield Figure(
        name="memory of a group of processes that reads a table larger than it",
        value=large["most"] / (1 << 20),
        unit="MiB",
        target=large["limit"] / (1 << 20),
        note=f"table of {large['size'] / (1 << 20):.0f} MiB, a group for each of two workers, both read all",
    )
