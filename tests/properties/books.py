"""The books of the ledger against a recount, after every event."""

from __future__ import annotations

from collections import deque

from eisenmp.core.ledger import Ledger, Line, Parcel, Queue

from .audit import Audit, check


def check_books(ledger: Ledger, audit: Audit) -> None:
    """Each parcel is in exactly one place, the counts are right, and nobody is forgotten."""
    found: list[tuple[Parcel, str]] = []
    for queue in ledger.queues.values():
        found += [(parcel, "waiting") for parcel in queue.waiting]
        # what is being cut stands there too
        cut = {parcel for parcel in queue.delayed if audit.place.get(parcel) == "being cut"}
        found += [(parcel, "being cut" if parcel in cut else "delayed") for parcel in queue.delayed]
        found += [(parcel, "put") for _, parcel in queue.puts]
        _check_queue(queue, audit)
        for wid, line in queue.lines.items():
            check(ledger.workers.get(wid) is line.worker, "lines of the living", line)
            _check_line(queue, line, audit)
    for wid, worker in ledger.workers.items():
        found += [(parcel, "held") for parcel in worker.leases.values()]
        check(worker.leases == audit.held[wid], "each lease is written down", worker.leases)
        check(worker.expired.keys() <= worker.leases.keys(), "no expiry without a lease", worker.expired)
        check(worker.outputs.keys() <= worker.leases.keys(), "no outputs without a lease", worker.outputs)
    for kept in ledger._placement._kept.values():
        found += [(parcel, "kept") for parcel in kept]
    places = dict(found)
    check(len(places) == len(found), "in one place", found)
    check(places.keys() >= audit.place.keys(), "no parcel is lost", audit.place.keys() - places.keys())
    check(places == audit.place, "in its place", (places, audit.place))
    for (slot, index), parcels in audit.kept.items():
        check(list(ledger._placement._kept.get((slot, index), ())) == parcels, "kept for its slot", parcels)


def _check_queue(queue: Queue, audit: Audit) -> None:
    index, lines = queue.index, list(queue.lines.values())
    waiting = list(queue.waiting)
    check(queue.in_flight == sum(len(line.open) for line in lines), "count of leases", queue.in_flight)
    check(
        queue.surplus == sum(max(0, len(line.open) - 1) for line in lines), "count of surplus", queue.surplus
    )
    check(
        queue.credit == sum(line.credit.ahead for line in lines if line.known),
        "count of credit",
        queue.credit,
    )
    new = [parcel for parcel in waiting if parcel not in audit.tried]
    check(waiting[len(waiting) - len(new) :] == new, "what was tried waits before the others", waiting)
    check(new == sorted(new, key=audit.entered.__getitem__), "first in, first out", new)
    check(not (queue.maxsize > 0 and len(new) > queue.maxsize), "the bound holds", new)
    check(not queue.puts or queue.full, "no put waits while there is room", queue.puts)
    few = audit.suffice(queue) and waiting != [] and waiting[0].feed > 0
    check(few or not (waiting and audit.hungry(index)), "nobody waits while parcels do", waiting)
    check(not (few and audit.hungry(index)) or queue.reminding, "more are woken soon", waiting)
    check(queue.known == sum(line.known for line in lines), "count of those who take chunks", queue.known)
    check(queue.latest is None or queue.latest in lines, "the latest is there", queue.latest)
    if waiting and waiting[0].feed and not few:
        roomy = [line for line in queue.roomy if len(line.open) <= line.credit.ahead]
        check(all(line.worker.paused for line in roomy), "no room is left while chunks wait", roomy)
    for row, flag in ((queue.demand, "in_demand"), (queue.roomy, "in_roomy")):
        _check_row(row, flag, lines)


def _check_row(row: deque[Line], flag: str, lines: list[Line]) -> None:
    check(len(set(row)) == len(row), "once in the row", row)
    check(set(row) == {line for line in lines if getattr(line, flag)}, "the row and its marks", flag)


def _check_line(queue: Queue, line: Line, audit: Audit) -> None:
    at = (line.worker.wid, queue.index)
    own = {lease: parcel for lease, parcel in audit.held[at[0]].items() if parcel.queue == queue.index}
    check(line.open == own, "each lease is written down", line.open)
    check((line.sent, line.wanted) == (audit.sent[at], audit.wanted[at]), "sent and wanted", at)
    check(line.known == (at in audit.known), "who has taken chunks is known", at)
    if at[0] in audit.hungry(queue.index):
        check(line.in_demand, "no get is forgotten", at)
