"""Kill a worker again and again, in the middle of a job: START_METHOD, how often.

Prints two lists of seconds, one number for each kill: until the slot works again, and the largest gap between
two completions of another worker meanwhile.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from itertools import count, pairwise
from time import monotonic

import eisenmp
from benchmarks.works.timed import Done

WORKERS = 3
LEAD = 4  #: chunks of each worker before a kill


def recover(results: Iterator[eisenmp.Result], victim: int) -> tuple[float, float]:
    """Kill the worker of a slot, and go on until it works again."""
    ended: dict[int, list[float]] = {slot: [] for slot in range(WORKERS)}
    pids: dict[int, int] = {}
    while any(len(times) < LEAD for times in ended.values()):
        done = Done(*next(results).value)
        ended[done.slot].append(done.ended)
        pids[done.slot] = done.pid
    os.kill(pids[victim], 9)
    killed = monotonic()
    others = {slot: [times[-1]] for slot, times in ended.items() if slot != victim}
    while True:
        done = Done(*next(results).value)
        if done.slot != victim:
            others[done.slot].append(done.ended)
        elif done.pid != pids[victim]:
            gaps = [right - left for times in others.values() for left, right in pairwise(times)]
            return done.began - killed, max(gaps)


def main(method: str, kills: str) -> None:
    settings = {"procs_max": WORKERS, "rows_max": 1, "start_method": method, "retries": {"death": 99}}
    with eisenmp.Mp("benchmarks.works.timed:timed", **settings) as emp:
        feed = emp.feed(count())
        results = iter(feed)
        found = [recover(results, number % WORKERS) for number in range(int(kills))]
        feed.cancel()
    print(json.dumps(list(zip(*found, strict=True))))


if __name__ == "__main__":
    main(*sys.argv[1:])
