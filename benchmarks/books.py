"""What the ledger in memory costs: its part in 1,000,000 ints in chunks of 1,000."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from statistics import median
from time import perf_counter

from benchmarks import ints, ours
from benchmarks.figure import Figure
from benchmarks.pairs import times
from benchmarks.rows import numbers
from benchmarks.scale import Scale
from benchmarks.side import WORKERS, Wrong, tally
from eisenmp.core.ledger import Finish, Ledger, Parcel, Send
from eisenmp.core.parcel import singly

TARGET = 0.05
FEED = 1
SECONDS = 0.0001  #: that a chunk takes at a worker, as far as the ledger is told


def run(scale: Scale) -> Iterator[Figure]:
    """The whole run, and the same chunks through a ledger alone, in turn."""
    count = scale.rows(ints.ROWS)
    chunks = count // ints.SIZE
    with ours.manager("total") as emp:
        ours.warm(emp)
        pairs = [(ledger_seconds(chunks), whole_seconds(emp, count)) for _ in range(scale.pairs)]
    shares = [ledger / whole for ledger, whole in pairs]
    yield Figure(
        name="ledger in memory",
        value=median(shares),
        unit="of the time of the run",
        low=min(shares),
        high=max(shares),
        target=TARGET,
        sides=(
            times("the ledger alone", [pair[0] for pair in pairs]),
            times("the whole run", [pair[1] for pair in pairs]),
        ),
        note=f"{chunks:,} chunks, {WORKERS} workers",
    )


def whole_seconds(emp: ours.eisenmp.Mp, count: int) -> float:
    """One feed, from its start to its last result."""
    started = perf_counter()
    found = tally(ours.answers(emp, numbers(count), ints.SIZE))
    seconds = perf_counter() - started
    if found[:2] != (count // ints.SIZE, count * (count - 1) // 2):
        raise Wrong(f"(results, total) are {found[:2]}")
    return seconds


def ledger_seconds(chunks: int) -> float:
    """All that the ledger is told in a run: chunks come one by one, workers ask once and finish in turn."""
    ledger = Ledger()
    ledger.queue_made(0, 1)
    ledger.feed_opened(0, FEED)
    for wid in range(1, WORKERS + 1):
        ledger.worker_started(wid, wid - 1)
        ledger.wanted(wid, 0, 1)
    flying: deque[Send] = deque()
    done = cut = 0
    started = perf_counter()
    while done < chunks:
        commands = []
        while cut < chunks and not ledger.queues[0].waiting:
            commands += ledger.offered(Parcel(0, b"", feed=FEED, number=cut, rows=ints.SIZE))
            cut += 1
        if flying:
            sent = flying.popleft()
            commands += ledger.finished(sent.wid, sent.parcel.lease, None, SECONDS)
        for command in singly(commands):
            if isinstance(command, Send):
                flying.append(command)
            elif isinstance(command, Finish):
                done += 1
    return perf_counter() - started
