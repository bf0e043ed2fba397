"""Ledgers in the middle of their work, and their commands taken apart."""

from __future__ import annotations

from collections.abc import Iterable

from eisenmp.core.ledger import Command, Ledger, Parcel, Recall, Send
from eisenmp.core.parcel import singly

FEED = 7
LONG = 1.0  # seconds of a chunk that is worth a recall
TINY = 0.00001


def opened(*, workers: int = 2, maxsizes: Iterable[int] = (0,), deaths: int = 2, raises: int = 0) -> Ledger:
    """Queues with one open feed each; workers 1, 2, … in the slots 0, 1, …"""
    ledger = Ledger(deaths=deaths, raises=raises)
    for index, maxsize in enumerate(maxsizes):
        ledger.queue_made(index, maxsize)
        ledger.feed_opened(index, FEED)
    for number in range(workers):
        ledger.worker_started(number + 1, number)
    return ledger


def chunks(count: int, first: int = 0, *, queue: int = 0, feed: int = FEED) -> list[Parcel]:
    return [Parcel(queue, b"", feed=feed, number=first + place) for place in range(count)]


def objects(count: int, queue: int = 0) -> list[Parcel]:
    return [Parcel(queue, b"%d" % place) for place in range(count)]


def sent(commands: Iterable[Command]) -> list[tuple[int, Parcel]]:
    return [(command.wid, command.parcel) for command in singly(commands) if isinstance(command, Send)]


def of(kind: type[Command], commands: Iterable[Command]) -> list[Command]:
    return [command for command in commands if isinstance(command, kind)]


def recalls(commands: Iterable[Command]) -> list[tuple[int, int, int]]:
    found = [command for command in commands if isinstance(command, Recall)]
    return [(recall.wid, recall.queue, recall.count) for recall in found]


def working(ledger: Ledger, wid: int, seconds: float = LONG, queue: int = 0, ahead: int = 1) -> list[Parcel]:
    """The worker has done a chunk in `seconds`, runs one, and holds `ahead` that it has not taken."""
    parcels = chunks(ahead + 2, 100 * wid, queue=queue)
    commands = ledger.wanted(wid, queue, 1) + ledger.offered(parcels[0])
    assert sent(commands) == [(wid, parcels[0])]
    ledger.done(wid, [parcels[0].lease], seconds)
    commands = ledger.offered_all(queue, parcels[1:])
    assert sent(commands) == [(wid, parcel) for parcel in parcels[1:]]
    return parcels[1:]
