"""How far a source is pulled ahead: `python -m benchmarks.programs.ahead SIDE worker|consumer RESULTS LIMIT`.

The source yields LIMIT rows at most; the consumer takes RESULTS of them. Prints one line of JSON: the rows
that were pulled in all, at most ahead of the results that were taken, and for eisenmp the highest credit.
With a slow worker, a result of eisenmp counts when the worker is done and not when the consumer wakes up.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from itertools import chain
from time import sleep
from typing import Any

from benchmarks import ours, peers
from benchmarks.works import plain

CONSUMER_SECONDS = 0.005
SIDES = {
    "Pool.imap": peers.pool_in_order,
    "joblib": peers.JOBLIB_GENERATOR.open,
    "mpire": peers.mpire,
    "pebble": peers.pebble,
    "ProcessPoolExecutor.map": peers.executor,
}


class Source:
    """Counts what is pulled."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.pulled = 0
        self.taken = 0
        self.peak = 0
        self.credit = 0
        self.look: Callable[[], int] = int
        self.done: Callable[[], int] = int

    def rows(self) -> Iterator[int]:
        """0, 1, 2, …"""
        for number in range(self.limit):
            self.pulled += 1
            self.peak = max(self.peak, self.pulled - max(self.taken, self.done()))
            self.credit = max(self.credit, self.look())
            yield number


@contextmanager
def opened(side: str, slow_worker: bool, source: Source) -> Iterator[Iterable[tuple[int, Any]]]:
    """The answers of a side, one row at a time."""
    if side == "eisenmp":
        with ours.manager("slow_items" if slow_worker else "items") as emp:
            ours.warm(emp)
            queue = emp.dispatcher.ledger.queues[0]
            source.look = lambda: queue.credit
            feed = emp.feed(source.rows(), rows_max=1)
            if slow_worker:
                source.done = lambda: feed.done
            yield chain.from_iterable(result.value for result in feed)
        return
    with SIDES[side]() as work:
        yield work(plain.slow if slow_worker else plain.item, source.rows(), 1)


class Enough(Exception):
    """Leaves the context of a side in the way that drops what is left to do."""


def main(side: str, slow: str, results: int, limit: int) -> None:
    """Take the results, print what was pulled for them, and leave without waiting for the rest."""
    slow_worker = slow == "worker"
    source = Source(limit)
    pids = set()
    try:
        with opened(side, slow_worker, source) as answers:
            for pid, _ in answers:
                source.taken += 1
                pids.add(pid)
                if not slow_worker:
                    sleep(CONSUMER_SECONDS)
                if source.taken == results:
                    break
            found = {"pulled": source.pulled, "peak": source.peak, "credit": source.credit, "pids": len(pids)}
            print(json.dumps(found), flush=True)
            raise Enough
    except Enough:
        pass


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))
