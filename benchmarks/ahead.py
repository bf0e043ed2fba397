"""Rows pulled ahead from an endless generator, with a slow worker and with a slow consumer."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from benchmarks import whole
from benchmarks.figure import Figure
from benchmarks.scale import Scale
from benchmarks.side import WORKERS, Wrong

RESULTS = 300
RESULTS_QUICK = 100
ENDLESS = 10**15
LIMIT = 100_000  #: rows for peers, since some pull them all before they give out anything
LIMIT_QUICK = 10_000
QUEUE = 1  #: chunks that wait in the manager: the size of mp_input_q
PEERS = ("Pool.imap", "joblib", "mpire", "pebble", "ProcessPoolExecutor.map")


def run(scale: Scale) -> Iterator[Figure]:
    """Chunks of one row, so that rows and chunks are the same number."""
    for slow, beyond, where in (
        ("worker", WORKERS + QUEUE, "one row at each worker, one in the queue"),
        ("consumer", 2 * WORKERS + QUEUE, "two rows for each worker, one in the queue"),
    ):
        found = look("eisenmp", slow, RESULTS_QUICK if scale.quick else RESULTS, ENDLESS)
        if found["pids"] != WORKERS:
            raise Wrong(f"{found['pids']} of {WORKERS} workers took part")
        yield Figure(
            name=f"slow {slow}",
            value=found["peak"],
            unit="rows ahead at most",
            target=found["credit"] + beyond,
            peers=dict(peers(slow, scale)),
            note=f"ahead of the {slow}; credit {found['credit']}, and the target is credit and {where}",
        )


def peers(slow: str, scale: Scale) -> Iterator[tuple[str, str]]:
    """What peers pull; `all` of those that there are for them."""
    limit, results = (LIMIT_QUICK, RESULTS_QUICK) if scale.quick else (LIMIT, RESULTS)
    for peer in PEERS[:1] if scale.quick else PEERS:
        try:
            found = look(peer, slow, results, limit)
        except Wrong as error:
            yield peer, "not installed" if "ModuleNotFoundError" in str(error) else f"failed: {error}"
            continue
        ahead = f"all {limit:,} rows" if found["pulled"] == limit else f"{found['peak']:,} rows"
        yield peer, ahead


def look(side: str, slow: str, results: int, limit: int) -> dict[str, Any]:
    """What the program says."""
    found: dict[str, Any] = json.loads(whole.run(whole.module("ahead", side, slow, results, limit)).lines[0])
    return found
