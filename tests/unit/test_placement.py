"""Who gets what, and when: recalls, pauses, the end of the feeders. In any order: tests/properties."""

from __future__ import annotations

from eisenmp.core import messages as m
from eisenmp.core.credit import CREDIT_MAX
from eisenmp.core.ledger import Finish, GiveUp, Ledger, Remind, Send, Token
from eisenmp.core.lines import FEW
from tests.unit.ledgers import FEED, LONG, TINY, chunks, objects, of, opened, recalls, sent, working

# -- recall --------------------------------------------------------------------------------------


def test_half_of_what_is_ahead_is_recalled_when_another_starves() -> None:
    ledger = opened()
    ran, *ahead = working(ledger, 1, 0.004, ahead=4)
    assert recalls(ledger.wanted(2, 0, 1)) == [(1, 0, 2)]
    assert ledger.wanted(2, 0, 1) == []  # the recall is not answered yet
    commands = ledger.returned(1, 0, [parcel.lease for parcel in ahead[2:]])
    assert sent(commands) == [(2, ahead[2]), (2, ahead[3])]
    assert ran.lease in ledger.workers[1].leases


def test_who_refuses_is_not_asked_twice_for_the_same() -> None:
    ledger = opened()
    working(ledger, 1)
    assert recalls(ledger.wanted(2, 0, 1)) == [(1, 0, 1)]
    assert ledger.returned(1, 0, []) == []
    assert ledger.wanted(2, 0, 1) + ledger.wanted(2, 0, 2) + ledger.reminded(0) == []


def test_a_chunk_that_comes_back_is_not_sent_to_its_giver() -> None:
    ledger = opened()
    _, ahead = working(ledger, 1)
    ledger.wanted(2, 0, 1)
    ledger.wanted(2, 0, 0)
    assert ledger.returned(1, 0, [ahead.lease]) == []
    assert list(ledger.queues[0].waiting) == [ahead]


def test_a_get_whose_chunk_was_given_back_is_not_forgotten() -> None:
    # empty() had asked for it, nobody took it, and get() does not ask again
    ledger = opened()
    ledger.wanted(1, 0, 1)
    (chunk,) = chunks(1)
    ledger.offered(chunk)
    ledger.wanted(2, 0, 1)
    assert recalls(ledger.reminded(0)) == [(1, 0, 1)]
    assert sent(ledger.returned(1, 0, [chunk.lease])) == [(2, chunk)]
    (other,) = chunks(1, 5)
    assert sent(ledger.offered(other)) == [(1, other)]


def test_a_chunk_behind_one_of_another_queue_is_recalled() -> None:
    ledger = opened(maxsizes=[0, 0])
    ran, _ = working(ledger, 1, LONG, queue=1)
    ledger.wanted(1, 0, 1)
    first, second = chunks(2)
    ledger.offered(first)
    ledger.done(1, [first.lease], LONG)
    assert sent(ledger.offered(second)) == [(1, second)]
    assert ran.lease in ledger.workers[1].leases
    assert recalls(ledger.wanted(2, 0, 1)) == [(1, 0, 1)]
    assert sent(ledger.returned(1, 0, [second.lease])) == [(2, second)]


def test_an_object_that_a_worker_holds_does_not_shield_the_chunks_ahead() -> None:
    ledger = opened()
    (put,) = objects(1)
    (running, ahead) = working(ledger, 1)
    ledger.finished(1, running.lease, "x", LONG)
    ledger.finished(1, ahead.lease, "x", LONG)
    ledger.wanted(1, 0, 4)
    ledger.offered(put)
    (chunk,) = chunks(1, 50)
    assert sent(ledger.offered(chunk)) == [(1, chunk)]
    assert recalls(ledger.wanted(2, 0, 1)) == [(1, 0, 1)]


def test_tiny_chunks_behind_a_long_one_are_recalled_after_a_moment() -> None:
    ledger = opened()
    ran, *ahead = working(ledger, 1, TINY, ahead=20)
    (remind,) = ledger.wanted(2, 0, 1)
    assert isinstance(remind, Remind)
    assert remind.queue == 0
    assert remind.seconds > 0
    assert ledger.wanted(2, 0, 2) == []  # one reminder at a time
    assert recalls(ledger.reminded(0)) == [(1, 0, 21)]
    commands = ledger.returned(1, 0, [parcel.lease for parcel in ahead])
    assert sent(commands) == [(2, ahead[0]), (2, ahead[1])]
    assert list(ledger.workers[1].leases.values()) == [ran]


def test_nothing_is_recalled_when_the_moment_has_helped() -> None:
    ledger = opened()
    working(ledger, 1, TINY)
    assert of(Remind, ledger.wanted(2, 0, 1))
    ledger.offered(chunks(1, 50)[0])
    assert ledger.reminded(0) == []


# -- pause ---------------------------------------------------------------------------------------


def test_a_worker_that_pauses_gets_nothing_and_gives_back() -> None:
    ledger = opened()
    running, ahead = working(ledger, 1)
    assert recalls(ledger.paused(1, True)) == [(1, 0, 2)]
    assert ledger.paused(1, True) == []
    assert ledger.returned(1, 0, [ahead.lease]) == []
    assert ledger.done(1, [running.lease], LONG) == [Finish(running, [], 1, LONG)]
    assert not ledger.available(1, 0)
    assert sent(ledger.wanted(2, 0, 1)) == [(2, ahead)]


def test_who_waited_in_a_pause_waits_after_it() -> None:
    ledger = opened(workers=1)
    ledger.wanted(1, 0, 1)
    ledger.paused(1, True)
    (chunk,) = chunks(1)
    assert ledger.offered(chunk) == []
    assert sent(ledger.paused(1, False)) == [(1, chunk)]


def test_nothing_is_recalled_for_who_pauses() -> None:
    ledger = opened()
    working(ledger, 1)
    ledger.paused(2, True)
    assert ledger.wanted(2, 0, 1) == []
    assert recalls(ledger.paused(2, False)) == [(1, 0, 1)]


def test_who_pauses_is_told_of_the_end_afterwards() -> None:
    ledger = opened(workers=1)
    ledger.wanted(1, 0, 1)
    ledger.paused(1, True)
    assert ledger.feed_ended(0, FEED) == []
    assert ledger.paused(1, False) == [Token(1, 0)]


# -- the end of the feeders ----------------------------------------------------------------------


def test_each_worker_that_waits_is_told_once_of_the_end() -> None:
    ledger = opened()
    ledger.wanted(1, 0, 1)
    assert ledger.feed_ended(0, FEED) == [Token(1, 0)]
    assert ledger.wanted(2, 0, 1) == [Token(2, 0)]
    assert ledger.wanted(1, 0, 2) == []
    ledger.feed_opened(0, FEED + 1)
    assert ledger.feed_ended(0, FEED + 1) == [Token(1, 0)]


def test_a_replacement_is_told_as_well() -> None:
    ledger = opened(workers=1)
    ledger.wanted(1, 0, 1)
    ledger.feed_ended(0, FEED)
    ledger.lost(1, "killed")
    ledger.worker_started(2, 0)
    assert ledger.wanted(2, 0, 1) == [Token(2, 0)]


def test_nobody_is_told_while_a_feeder_goes_on_or_chunks_wait() -> None:
    ledger = opened(workers=1)
    ledger.feed_opened(0, 0)  # the one that keeps a queue open has the number 0
    ledger.wanted(1, 0, 1)
    assert ledger.feed_ended(0, FEED) == []
    ledger.paused(1, True)
    ledger.offered(chunks(1)[0])
    assert ledger.feed_ended(0, 0) == []
    assert not of(Token, ledger.paused(1, False))


def test_nobody_is_told_at_a_queue_without_feeder_or_where_tokens_are_off() -> None:
    ledger = opened(workers=1)
    ledger.queue_made(1, 0)
    ledger.wanted(1, 1, 1)
    assert ledger.feed_ended(1, 0) == []
    ledger.tokens = False
    ledger.wanted(1, 0, 1)
    assert ledger.feed_ended(0, FEED) == []


def test_nobody_is_told_while_a_recall_is_not_answered() -> None:
    ledger = opened()
    working(ledger, 1)
    assert recalls(ledger.wanted(2, 0, 1)) == [(1, 0, 1)]
    assert ledger.feed_ended(0, FEED) == []
    assert ledger.returned(1, 0, []) == [Token(2, 0)]


def test_a_recall_that_a_dead_worker_cannot_answer_holds_nobody_up() -> None:
    ledger = opened(deaths=0)
    running, ahead = working(ledger, 1)
    running.flags |= m.CAREFUL
    ledger.wanted(2, 0, 1)
    ledger.feed_ended(0, FEED)
    commands = ledger.lost(1, "killed")
    assert commands == [GiveUp(running, "killed", 1), Send(2, ahead)]
    ledger.finished(2, ahead.lease, "x", LONG)
    assert ledger.wanted(2, 0, 2) == [Token(2, 0)]


def crowd(count: int) -> Ledger:
    """Workers that have all taken a chunk of a microsecond and run another one."""
    ledger = opened(workers=count)
    for wid in range(1, count + 1):
        ledger.wanted(wid, 0, 1)
    first = chunks(count)
    ledger.offered_all(0, first)
    for wid, parcel in enumerate(first, 1):
        ledger.done(wid, [parcel.lease], TINY)
    ledger.offered_all(0, chunks(count, count))
    return ledger


def test_what_many_workers_take_at_once_is_known_without_a_look_at_each() -> None:
    few, many = crowd(FEW), crowd(4 * FEW)
    assert few.queues[0].at_once == FEW * CREDIT_MAX
    at_once = many.queues[0].at_once
    assert at_once == 4 * FEW * (CREDIT_MAX - 1)
    assert len(sent(many.offered_all(0, chunks(at_once, 1000)))) == at_once
    assert many.queues[0].at_once == 0


def test_workers_without_a_chunk_take_one_each_however_many_they_are() -> None:
    ledger = opened(workers=2 * FEW)
    for wid in range(1, 2 * FEW + 1):
        ledger.wanted(wid, 0, 1)
    assert ledger.queues[0].at_once == 2 * FEW


def test_among_many_workers_it_is_not_looked_at_each_line_whenever_one_starves() -> None:
    ledger = crowd(8 * FEW)
    queue = ledger.queues[0]
    ledger.offered_all(0, chunks(8 * FEW, 5000))  # each holds one ahead, which is worth no recall
    looked = []
    for wid in range(1, 4 * FEW):
        leases = list(ledger.workers[wid].leases)
        for lease in leases:
            ledger.done(wid, [lease], TINY)
        ledger.wanted(wid, 0, queue.lines[wid].sent + 1)
        looked.append(queue.looks)
    assert queue.reminding
    assert 1 < looked.count(0) < len(looked) // 2
    assert recalls(ledger.reminded(0))


def test_who_sleeps_on_purpose_is_no_reason_to_take_in_each_chunk_by_itself() -> None:
    ledger = opened(workers=4)
    ledger.few = 2
    queue = ledger.queues[0]
    assert queue.hungry  # nobody is busy
    for wid in range(1, 5):
        ledger.wanted(wid, 0, 1)
    first = chunks(4)
    ledger.offered_all(0, first)
    for wid, parcel in enumerate(first, 1):
        ledger.done(wid, [parcel.lease], TINY)
        ledger.wanted(wid, 0, 2)
    ledger.offered(chunks(1, 4)[0])
    assert queue.demand and queue.hungry  # one is busy, and two are enough
    ledger.offered_all(0, chunks(2, 5))
    assert queue.demand and queue.is_crowd() and not queue.hungry
