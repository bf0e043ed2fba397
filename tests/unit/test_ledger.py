"""Which chunk is where: each rule of the ledger by an example. What holds in any order: tests/properties."""

from __future__ import annotations

from eisenmp.core.ledger import Accept, Finish, GiveUp, Parcel, Send
from eisenmp.core.messages import LISTED
from tests.unit.ledgers import FEED, LONG, TINY, chunks, objects, of, opened, sent, working

# -- sending -------------------------------------------------------------------------------------


def test_a_chunk_goes_to_who_waits_longest() -> None:
    ledger = opened()
    assert ledger.wanted(2, 0, 1) + ledger.wanted(1, 0, 1) == []
    first, second = chunks(2)
    assert sent(ledger.offered_all(0, [first, second])) == [(2, first), (1, second)]
    assert ledger.leased(FEED) == [(1, second), (2, first)]


def test_nothing_is_sent_ahead_to_who_never_took_from_the_queue() -> None:
    ledger = opened()
    assert ledger.offered_all(0, chunks(3)) == []
    assert len(ledger.queues[0].waiting) == 3


def test_one_chunk_is_sent_ahead_until_the_time_of_one_is_known() -> None:
    ledger = opened(workers=1)
    ledger.offered_all(0, parcels := chunks(5))
    assert sent(ledger.wanted(1, 0, 1)) == [(1, parcels[0]), (1, parcels[1])]
    assert sent(ledger.done(1, [parcels[0].lease], TINY)) == [(1, parcel) for parcel in parcels[2:]]
    assert ledger.queues[0].credit == 64


def test_a_worker_of_the_old_door_gets_nothing_ahead_before_it_has_ended_a_cycle() -> None:
    ledger = opened(workers=1)
    parcels = [Parcel(0, b"", feed=FEED, number=number, flags=LISTED) for number in range(3)]
    ledger.offered_all(0, parcels)
    assert sent(ledger.wanted(1, 0, 1)) == [(1, parcels[0])]
    assert ledger.queues[0].credit == 0
    assert sent(ledger.finished(1, parcels[0].lease, "x", LONG)) == [(1, parcels[1]), (1, parcels[2])]


def test_an_object_waits_for_a_get_and_holds_up_what_is_behind_it() -> None:
    ledger = opened(workers=1)
    working(ledger, 1, LONG, ahead=0)
    (put,) = objects(1)
    (chunk,) = chunks(1)
    assert ledger.offered_all(0, [put, chunk]) == []
    assert sent(ledger.wanted(1, 0, 4)) == [(1, put), (1, chunk)]


def test_a_get_goes_before_the_room_of_others() -> None:
    ledger = opened()
    working(ledger, 1, TINY, ahead=0)
    ledger.wanted(2, 0, 1)
    (chunk,) = chunks(1)
    assert sent(ledger.offered(chunk)) == [(2, chunk)]


def test_a_get_that_was_given_up_gets_nothing() -> None:
    ledger = opened()
    ledger.wanted(1, 0, 1)
    ledger.wanted(1, 0, 0)
    working(ledger, 2)
    # nor is anything recalled for it
    assert ledger.feed_ended(0, 99) == []
    assert not ledger.workers[1].leases


def test_at_once_tells_how_much_would_go_out() -> None:
    ledger = opened()
    queue = ledger.queues[0]
    assert queue.at_once == 0
    ledger.wanted(1, 0, 2)
    assert queue.at_once == 2
    ledger.offered_all(0, parcels := chunks(2))
    assert not queue.waiting
    assert queue.at_once == 0
    ledger.done(1, [parcels[0].lease], TINY)
    assert queue.at_once == 64
    ledger.paused(1, True)
    assert queue.at_once == 0
    ledger.offered(chunks(1)[0])
    ledger.paused(1, False)
    assert not queue.waiting


# -- the end of a cycle --------------------------------------------------------------------------


def test_outputs_come_with_the_end_of_the_cycle_in_their_order() -> None:
    ledger = opened(workers=1)
    ledger.wanted(1, 0, 1)
    (chunk,) = chunks(1)
    ledger.offered(chunk)
    assert ledger.output(1, chunk.lease, "a")
    assert ledger.output(1, chunk.lease, "b")
    assert ledger.done(1, [chunk.lease], LONG) == [Finish(chunk, ["a", "b"], 1, LONG)]
    assert not ledger.output(1, chunk.lease, "late")
    assert ledger.done(1, [chunk.lease], LONG) == []
    assert ledger.leased(FEED) == []


def test_the_last_output_may_end_the_cycle() -> None:
    ledger = opened(workers=1)
    ledger.wanted(1, 0, 1)
    (chunk,) = chunks(1)
    ledger.offered(chunk)
    ledger.output(1, chunk.lease, "a")
    assert ledger.finished(1, chunk.lease, "b", LONG) == [Finish(chunk, ["a", "b"], 1, LONG)]
    assert ledger.finished(1, chunk.lease, "b", LONG) == []
    assert ledger.finished(9, chunk.lease, "b", LONG) == []


def test_a_cycle_may_end_several_leases() -> None:
    ledger = opened(workers=1)
    ledger.wanted(1, 0, 2)
    one, two = chunks(2)
    ledger.offered_all(0, [one, two])
    commands = ledger.done(1, [one.lease, two.lease], LONG)
    assert commands == [Finish(one, [], 1, LONG / 2), Finish(two, [], 1, LONG / 2)]


def test_an_object_that_is_done_is_not_finished_and_earns_no_credit() -> None:
    ledger = opened(workers=1)
    (put,) = objects(1)
    ledger.wanted(1, 0, 1)
    ledger.offered(put)
    assert ledger.done(1, [put.lease], TINY) == []
    assert ledger.queues[0].credit == 0


def test_the_credit_of_a_worker_leaves_with_it() -> None:
    ledger = opened(workers=1)
    (put,) = objects(1)
    ledger.wanted(1, 0, 1)
    ledger.offered(put)
    ledger.done(1, [put.lease], TINY)
    (chunk,) = chunks(1)
    ledger.offered(chunk)
    ledger.wanted(1, 0, 2)
    ledger.done(1, [chunk.lease], LONG)
    assert ledger.queues[0].credit == ledger.workers[1].lines[0].credit.ahead
    ledger.lost(1, "killed")
    assert ledger.queues[0].credit == 0


def test_words_of_the_dead_do_not_count() -> None:
    ledger = opened()
    ledger.wanted(1, 0, 1)
    (chunk,) = chunks(1)
    ledger.offered(chunk)
    ledger.lost(1, "killed")
    assert not ledger.output(1, chunk.lease, "late")
    late = ledger.done(1, [chunk.lease], LONG) + ledger.raised(1, [chunk.lease], "late")
    late += ledger.returned(1, 0, [chunk.lease]) + ledger.wanted(1, 0, 5) + ledger.paused(1, True)
    assert late + ledger.lost(1, "again") + ledger.left(1) == []
    assert list(ledger.queues[0].waiting) == [chunk]


# -- errors and deaths ---------------------------------------------------------------------------


def test_a_worker_that_raises_ends_the_chunk_when_its_tries_are_used_up() -> None:
    ledger = opened(workers=1, raises=1)
    ledger.wanted(1, 0, 1)
    (chunk,) = chunks(1)
    ledger.offered(chunk)
    first = chunk.lease
    ledger.output(1, first, "of the first try")
    assert sent(ledger.raised(1, [first], "error")) == [(1, chunk)]
    assert chunk.lease > first
    ledger.wanted(1, 0, 2)
    assert ledger.raised(1, [chunk.lease], "error") == [GiveUp(chunk, "error", 1)]
    assert (chunk.attempts, chunk.raises) == (2, 2)


def test_chunks_of_a_cycle_that_raised_are_tried_again_in_order() -> None:
    ledger = opened(workers=1, raises=1)
    ledger.wanted(1, 0, 3)
    parcels = chunks(3)
    ledger.offered_all(0, parcels)
    ledger.paused(1, True)
    ledger.raised(1, [parcel.lease for parcel in parcels], "error")
    assert list(ledger.queues[0].waiting) == parcels


def test_what_a_dead_worker_held_goes_to_others_before_what_waits() -> None:
    ledger = opened()
    held = working(ledger, 1, LONG, ahead=1)
    ledger.offered_all(0, waiting := chunks(2))
    assert ledger.lost(1, "killed") == []
    assert list(ledger.queues[0].waiting) == [*held, *waiting]
    assert sent(ledger.wanted(2, 0, 1)) == [(2, held[0]), (2, held[1])]


def test_a_death_counts_against_the_chunk_that_ran() -> None:
    ledger = opened(workers=1, deaths=1)
    ran, ahead = working(ledger, 1)
    ledger.lost(1, "killed")
    assert (ran.deaths, ran.attempts, ahead.deaths, ahead.attempts) == (1, 1, 0, 0)
    ledger.worker_started(2, 0)
    ledger.wanted(2, 0, 1)
    assert of(GiveUp, ledger.lost(2, "killed")) == [GiveUp(ran, "killed", 2)]
    assert list(ledger.queues[0].waiting) == [ahead]


def test_an_object_does_not_shield_the_chunk_behind_it_from_blame() -> None:
    ledger = opened(workers=1, deaths=0)
    (put,) = objects(1)
    (chunk,) = chunks(1)
    ledger.wanted(1, 0, 2)
    ledger.offered_all(0, [put, chunk])
    assert ledger.lost(1, "killed") == [GiveUp(chunk, "killed", 1)]


def test_what_a_dead_worker_had_sent_is_forgotten() -> None:
    ledger = opened()
    ledger.wanted(1, 0, 1)
    (chunk,) = chunks(1)
    ledger.offered(chunk)
    ledger.output(1, chunk.lease, "of the first try")
    ledger.lost(1, "killed")
    ledger.wanted(2, 0, 1)
    assert ledger.finished(2, chunk.lease, "whole", LONG) == [Finish(chunk, ["whole"], 2, LONG)]


def test_a_worker_that_leaves_is_not_blamed() -> None:
    ledger = opened(workers=1, deaths=0)
    held = working(ledger, 1)
    assert ledger.left(1) == []
    assert list(ledger.queues[0].waiting) == held
    assert [parcel.deaths for parcel in held] == [0, 0]


def test_objects_of_a_worker_that_leaves_go_back_in_order() -> None:
    ledger = opened()
    one, two, three = objects(3)
    ledger.wanted(1, 0, 2)
    ledger.offered_all(0, [one, two, three])
    assert ledger.left(1) == []
    assert list(ledger.queues[0].waiting) == [one, two, three]
    assert sent(ledger.wanted(2, 0, 1)) == [(2, one)]


# -- objects of a slot ---------------------------------------------------------------------------


def test_objects_of_a_dead_worker_go_to_its_replacement_in_order() -> None:
    ledger = opened()
    one, two, three = objects(3)
    ledger.wanted(1, 0, 2)
    ledger.offered_all(0, [one, two, three])
    ledger.lost(1, "killed")
    assert sent(ledger.wanted(2, 0, 1)) == [(2, three)]
    ledger.worker_started(3, 0)
    assert ledger.available(3, 0)
    assert not ledger.available(2, 0)
    assert sent(ledger.wanted(3, 0, 1)) == [(3, one)]
    ledger.lost(3, "killed")
    ledger.worker_started(4, 0)
    assert sent(ledger.wanted(4, 0, 2)) == [(4, one), (4, two)]
    assert not ledger.available(4, 0)


def test_objects_of_a_slot_that_is_closed_go_back() -> None:
    ledger = opened()
    one, two = objects(2)
    ledger.wanted(1, 0, 2)
    ledger.offered_all(0, [one, two])
    ledger.lost(1, "killed")
    ledger.wanted(2, 0, 1)
    assert ledger.slot_closed(1) == []
    assert sent(ledger.slot_closed(0)) == [(2, one)]
    assert list(ledger.queues[0].waiting) == [two]
    assert ledger.slot_closed(0) == []


def test_a_replacement_that_leaves_gives_up_what_is_kept_for_it() -> None:
    ledger = opened(workers=1)
    one, two, three = objects(3)
    ledger.wanted(1, 0, 2)
    ledger.offered_all(0, [one, two, three])
    ledger.lost(1, "killed")
    ledger.worker_started(2, 0)
    ledger.wanted(2, 0, 1)
    ledger.left(2)
    assert list(ledger.queues[0].waiting) == [one, two, three]


# -- puts, takes, cancelled feeds ----------------------------------------------------------------


def test_puts_wait_for_room_in_their_order() -> None:
    ledger = opened(workers=1, maxsizes=[1])
    one, two, three = objects(3)
    assert ledger.put("one", one) == [Accept("one")]
    assert ledger.put("two", two) + ledger.put("three", three) == []
    assert ledger.queues[0].full
    assert ledger.put_withdrawn(0, "two")
    assert not ledger.put_withdrawn(0, "one")
    assert ledger.wanted(1, 0, 1) == [Send(1, one), Accept("three")]
    assert not ledger.put_withdrawn(0, "three")


def test_the_manager_takes_for_itself() -> None:
    ledger = opened(maxsizes=[1])
    (chunk,) = chunks(1)
    (put,) = objects(1)
    ledger.offered(chunk)
    ledger.put("put", put)
    assert ledger.take(0) == (chunk, [Accept("put"), Finish(chunk, [], 0)])
    assert ledger.take(0) == (put, [])
    assert ledger.take(0) == (None, [])


def test_a_dropped_feed_makes_room() -> None:
    ledger = opened(maxsizes=[1])
    (chunk,) = chunks(1)
    (put,) = objects(1)
    ledger.offered(chunk)
    ledger.put("put", put)
    assert ledger.feed_dropped(0, FEED + 1) == []
    assert ledger.feed_dropped(0, FEED) == [chunk]
    assert ledger.room_made(0) == [Accept("put")]


def test_chunks_of_a_dropped_feed_that_run_are_not_tried_again() -> None:
    ledger = opened(workers=3, raises=5, deaths=5)
    ledger.wanted(1, 0, 1)
    ledger.wanted(2, 0, 1)
    ledger.wanted(3, 0, 1)
    raises, dies, comes_back = chunks(3)
    ledger.offered_all(0, [raises, dies, comes_back])
    ledger.feed_dropped(0, FEED)
    assert ledger.raised(1, [raises.lease], "error") == []
    assert ledger.lost(2, "killed") == []
    assert ledger.returned(3, 0, [comes_back.lease]) == []
    assert not ledger.queues[0].waiting
    assert ledger.leased(FEED) == []


def test_chunks_of_a_dropped_feed_may_finish() -> None:
    ledger = opened(workers=1)
    ledger.wanted(1, 0, 1)
    (chunk,) = chunks(1)
    ledger.offered(chunk)
    ledger.feed_dropped(0, FEED)
    assert ledger.finished(1, chunk.lease, "x", LONG) == [Finish(chunk, ["x"], 1, LONG)]


def test_dropped_feeds_are_forgotten_with_their_last_chunk() -> None:
    ledger = opened()
    for feed in range(20, 40):
        ledger.feed_dropped(0, feed)
    assert not ledger._dropped


# -- leaving -------------------------------------------------------------------------------------


def test_to_a_worker_that_leaves_nothing_is_sent_ahead() -> None:
    ledger = opened(workers=1)
    running, ahead = working(ledger, 1)
    ledger.leaving(1)
    assert ledger.queues[0].credit == 0
    assert ledger.returned(1, 0, [ahead.lease]) == []
    assert ledger.finished(1, running.lease, "x", TINY) == [Finish(running, ["x"], 1, TINY)]
    assert list(ledger.queues[0].waiting) == [ahead]
    ledger.leaving(1)
    assert ledger.queues[0].credit == 0


def test_threads_of_a_worker_that_leaves_get_what_they_ask_for_and_no_more() -> None:
    ledger = opened(workers=1)
    ledger.leaving(1)
    ledger.offered_all(0, parcels := chunks(3))
    assert sent(ledger.wanted(1, 0, 1)) == [(1, parcels[0])]
    assert ledger.done(1, [parcels[0].lease], 0.0) == [Finish(parcels[0], [], 1, 0.0)]
    assert sent(ledger.wanted(1, 0, 2)) == [(1, parcels[1])]


def test_what_a_worker_that_leaves_gives_back_is_not_sent_to_it_again() -> None:
    # its empty() had asked for a chunk, and nobody waits for it
    ledger = opened(workers=1)
    ledger.wanted(1, 0, 1)
    ledger.leaving(1)
    (chunk,) = chunks(1)
    assert sent(ledger.offered(chunk)) == [(1, chunk)]
    assert ledger.returned(1, 0, [chunk.lease]) == []
    assert list(ledger.queues[0].waiting) == [chunk]
