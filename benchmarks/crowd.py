"""From 2 to 256 workers: what a tiny chunk costs, how they start and stop, what each of them takes."""

from __future__ import annotations

import json
from collections.abc import Iterator

from benchmarks import whole
from benchmarks.figure import Figure
from benchmarks.scale import Scale

CHUNKS = 20_000
CROWDS = (2, 8, 32, 128, 256)
CROWDS_QUICK = (2, 64)
FLAT = 1.5  #: times what a chunk costs with two workers
START = 64  #: workers that are started at once
MIB = 1 << 20


def run(scale: Scale) -> Iterator[Figure]:
    """Each crowd is a program of its own; its workers are forked, and all of them have worked before."""
    chunks = scale.rows(CHUNKS)
    crowds = CROWDS_QUICK if scale.quick else CROWDS
    first = 0.0
    for workers in crowds:
        found = look("tiny", workers, chunks)
        first = first or found["chunk"]
        yield Figure(
            name=f"{workers} workers",
            value=found["chunk"] / first,
            unit=f"times a chunk with {crowds[0]} workers",
            target=FLAT,
            note=f"{found['chunk'] * 1e6:.1f} µs a chunk, best of {found['runs']} runs; {chunks:,} "
            f"chunks; all up after {found['up']:.2f} s, gone after {found['gone']:.2f} s; "
            f"{found['private'] / MIB:.1f} MiB of its own for each, {found['descriptors']} descriptors",
        )
    one, many = look("start", 1, 0), look("start", START, 0)
    yield Figure(
        name=f"start of {START} spawned workers until each has answered",
        value=many["up"] / (START * one["up"]),
        unit=f"times {START} starts of one",
        peers={"one": f"{one['up']:.3f} s", f"{START}": f"{many['up']:.3f} s"},
        note="the CPUs are the limit: each worker is an interpreter that starts",
    )


def look(what: str, workers: int, chunks: int) -> dict[str, float]:
    """What the program says."""
    found: dict[str, float] = json.loads(whole.run(whole.module("crowd", what, workers, chunks)).lines[0])
    return found
