"""Workers of 1.0 may take one list and never come back for another: nothing is sent ahead to such a worker."""

from __future__ import annotations

import pytest

from eisenmp.core import messages as m
from eisenmp.core.ledger import Command, Ledger, Parcel, Send
from eisenmp.core.messages import Message
from eisenmp.core.parcel import singly
from eisenmp.wire.frames import encode
from eisenmp.wire.pickles import dumps
from tests.worker_end import read_first, worker_end


def ledger_with(*parcels: Parcel) -> Ledger:
    """A ledger with one queue, these chunks in it, and two workers that have not asked yet."""
    ledger = Ledger()
    ledger.queue_made(0, 0)
    ledger.feed_opened(0, 1)
    for wid in 1, 2:
        ledger.worker_started(wid, wid - 1)
    for parcel in parcels:
        ledger.offered(parcel)
    return ledger


def listed(number: int, flags: int = 0) -> Parcel:
    return Parcel(0, b"", feed=1, number=number, flags=m.LISTED | flags)


def sent(commands: list[Command]) -> list[tuple[int, int]]:
    return [(command.wid, command.parcel.number) for command in singly(commands) if isinstance(command, Send)]


def test_a_worker_gets_nothing_ahead_before_it_has_come_back_once() -> None:
    first, second, stop = listed(0), listed(1), listed(2, m.LAST)
    ledger = ledger_with(first, second, stop)
    assert sent(list(ledger.wanted(1, 0, 1))) == [(1, 0)], "it may be inside its server now, for ever"
    assert sent(list(ledger.wanted(2, 0, 1))) == [(2, 1)], "the next one takes the next list, not the last"


def test_a_worker_that_comes_back_is_sent_lists_ahead() -> None:
    parcels = [listed(number) for number in range(3)]
    ledger = ledger_with(*parcels)
    ledger.wanted(1, 0, 1)
    assert (1, 1) in sent(list(ledger.done(1, [parcels[0].lease], 0.001)))


def test_a_worker_that_leaves_gets_nothing_ahead_when_its_last_list_is_done() -> None:
    parcels = [listed(number) for number in range(3)]
    ledger = ledger_with(*parcels)
    ledger.wanted(1, 0, 1)
    ledger.leaving(1)
    assert sent(list(ledger.done(1, [parcels[0].lease], 0.001))) == []
    assert sent(list(ledger.wanted(2, 0, 1))) == [(2, 1)]


def test_threads_of_a_worker_that_has_left_get_what_they_ask_for() -> None:
    parcels = [listed(number) for number in range(3)]
    ledger = ledger_with(*parcels)
    ledger.leaving(1)
    assert sent(list(ledger.wanted(1, 0, 1))) == [(1, 0)]
    assert sent(list(ledger.done(1, [parcels[0].lease], 0.001))) == [], "one by one"
    assert sent(list(ledger.wanted(1, 0, 2))) == [(1, 1)]


@pytest.mark.parametrize("outputs", [0, 1, 2])
def test_the_end_of_the_last_cycle_says_that_it_is_the_last(outputs: int) -> None:
    with worker_end() as (channel, manager):
        for leaving in False, True:
            chunk = Message(m.CHUNK, 0, a=7, b=0, c=1, flags=m.LISTED, body=dumps([1]))
            manager.sendall(b"".join(encode([chunk])))
            item = channel.get(0)
            assert item is not None
            for number in range(outputs):
                channel.output(item.lease, number)
            channel.end_cycle(leaving)
            channel.flush()
            last = read_first(
                manager, lambda message: message.kind == m.DONE or bool(message.flags & m.FINAL)
            )
            assert bool(last.flags & m.LEAVING) is leaving


def test_what_arrives_for_nobody_goes_back_at_once() -> None:
    with worker_end() as (channel, manager):
        channel.leaving = True
        channel.give_back()
        late = Message(m.CHUNK, 0, a=9, b=4, c=1, flags=m.LISTED, body=dumps([1]))
        manager.sendall(b"".join(encode([late])))
        back = read_first(manager, lambda message: message.kind == m.BACK and bool(message.body))
        assert int.from_bytes(back.body, "little") == 9
