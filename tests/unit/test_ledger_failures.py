"""What the ledger does with chunks that fail: put off, sent elsewhere, cut, expired, dropped."""

from __future__ import annotations

import pytest

from eisenmp.core.failing import CANCELLED, CUT, DIED, RAISED, TIMED_OUT
from eisenmp.core.ledger import (
    LOOK,
    LOOKS_MAX,
    Command,
    Cut,
    Finish,
    GiveUp,
    Later,
    Ledger,
    Parcel,
    Send,
    Token,
)
from tests.unit.ledgers import FEED, LONG, TINY, chunks, objects, of, opened, sent, working

PAUSE = 3.0


def patient(*, workers: int = 2, raises: int = 9, deaths: int = 9, cuts: bool = False) -> Ledger:
    """Retries come after a while."""
    ledger = opened(workers=workers, raises=raises, deaths=deaths)
    ledger.budget.cuts = cuts
    ledger.delay = lambda failures: PAUSE * failures
    return ledger


def taken(ledger: Ledger, wid: int, *, rows: int = 1, number: int = 0) -> Parcel:
    """A chunk that the worker is at, though others may wait; it holds nothing else."""
    asks(ledger, wid)
    demand, line = ledger.queues[0].demand, ledger.workers[wid].lines[0]
    demand.remove(line)
    demand.appendleft(line)
    parcel = Parcel(0, b"", feed=FEED, number=number, rows=rows)
    assert sent(ledger.offered(parcel)) == [(wid, parcel)]
    return parcel


def asks(ledger: Ledger, wid: int) -> list[Command]:
    line = ledger.workers[wid].lines.get(0)
    return ledger.wanted(wid, 0, (line.sent if line else 0) + 1)


# -- put off -------------------------------------------------------------------------------------


def test_who_has_failed_waits_longer_each_time_and_elsewhere() -> None:
    ledger = patient()
    asks(ledger, 1)
    parcel = taken(ledger, 2)
    assert ledger.raised(2, [parcel.lease], "error") == [Later(parcel, PAUSE)]
    assert not ledger.queues[0].waiting
    # it does not go back to who has failed, though that one asked first
    asks(ledger, 2)
    ledger.queues[0].demand.reverse()
    assert [line.worker.wid for line in ledger.queues[0].demand] == [2, 1]
    assert sent(ledger.due(parcel)) == [(1, parcel)]
    assert ledger.raised(1, [parcel.lease], "error") == [Later(parcel, 2 * PAUSE)]
    assert sent(ledger.due(parcel)) == [(2, parcel)]


def test_it_waits_for_another_worker_a_number_of_times() -> None:
    ledger = patient()
    busy = working(ledger, 2, ahead=1)
    parcel = taken(ledger, 1, number=999)
    ledger.raised(1, [parcel.lease], "error")
    asks(ledger, 1)
    for _ in range(LOOKS_MAX):
        assert ledger.due(parcel) == [Later(parcel, LOOK)]
    assert sent(ledger.due(parcel)) == [(1, parcel)]
    # after the next failure it looks as often again
    ledger.raised(1, [parcel.lease], "error")
    asks(ledger, 1)
    assert ledger.due(parcel) == [Later(parcel, LOOK)]
    ledger.done(2, [busy[0].lease, busy[1].lease], LONG)
    asks(ledger, 2)
    assert sent(ledger.due(parcel)) == [(2, parcel)]


@pytest.mark.parametrize("why", ["alone", "leaving", "paused", "gone", "elsewhere"])
def test_it_goes_back_to_the_same_worker_where_there_is_no_other(why: str) -> None:
    ledger = patient()
    ledger.queue_made(1, 0)
    if why != "alone":
        ledger.wanted(2, 1 if why == "elsewhere" else 0, 1)
    if why == "leaving":
        ledger.leaving(2)
    elif why == "paused":
        ledger.paused(2, True)
    elif why == "gone":
        ledger.lost(2, "killed")
    parcel = taken(ledger, 1)
    if why == "leaving":
        assert ledger.wanted(2, 0, 0) == []
    ledger.raised(1, [parcel.lease], "error")
    asks(ledger, 1)
    assert sent(ledger.due(parcel)) == [(1, parcel)]


def test_another_worker_of_the_slot_is_no_other() -> None:
    ledger = patient(deaths=9)
    parcel = taken(ledger, 1)
    assert ledger.lost(1, "killed") == [Later(parcel, PAUSE)]
    working(ledger, 2, ahead=1)
    ledger.worker_started(3, 0)
    asks(ledger, 3)
    assert ledger.due(parcel) == [Later(parcel, LOOK)]


def test_it_may_go_ahead_to_who_is_busy_but_never_past_an_open_get() -> None:
    ledger = patient(workers=3)
    (running,) = working(ledger, 2, ahead=0)
    parcel = taken(ledger, 1, number=999)
    ledger.raised(1, [parcel.lease], "error")
    assert sent(ledger.due(parcel)) == [(2, parcel)]
    assert list(ledger.workers[2].leases) == [running.lease, parcel.lease]
    assert ledger.queues[0].in_flight == 2


def test_others_pass_by_what_is_put_off() -> None:
    ledger = patient(workers=1)
    parcel = taken(ledger, 1)
    ledger.raised(1, [parcel.lease], "error")
    (other,) = chunks(1, 50)
    asks(ledger, 1)
    assert sent(ledger.offered(other)) == [(1, other)]
    ledger.done(1, [other.lease], LONG)
    asks(ledger, 1)
    assert sent(ledger.due(parcel)) == [(1, parcel)]
    assert ledger.due(parcel) == []


def test_objects_are_never_put_off() -> None:
    ledger = patient(workers=1)
    one, two = objects(2)
    ledger.wanted(1, 0, 2)
    ledger.offered_all(0, [one, two])
    assert ledger.lost(1, "killed") == []
    ledger.worker_started(2, 0)
    assert sent(ledger.wanted(2, 0, 2)) == [(2, one), (2, two)]


def test_nobody_is_told_of_the_end_while_something_is_put_off() -> None:
    ledger = patient()
    parcel = taken(ledger, 1)
    asks(ledger, 2)
    assert ledger.raised(1, [parcel.lease], "error") == [Later(parcel, PAUSE)]
    assert ledger.feed_ended(0, FEED) == []
    assert asks(ledger, 1) == []
    assert ledger.due(parcel) == [Send(2, parcel), Token(1, 0)]
    assert ledger.done(2, [parcel.lease], LONG) == [Finish(parcel, [], 2, LONG)]
    assert asks(ledger, 2) == [Token(2, 0)]


def test_nor_while_something_is_cut() -> None:
    ledger = patient(deaths=0, cuts=True)
    parcel = taken(ledger, 1, rows=2)
    asks(ledger, 2)
    (cut,) = ledger.lost(1, "killed")
    assert isinstance(cut, Cut)
    assert ledger.feed_ended(0, FEED) == []
    (wid, piece), *_ = sent(ledger.pieces(cut, [b"a", b"b"]))
    assert (wid, piece.start) == (2, 0)
    assert parcel not in ledger.queues[0].delayed


def test_what_is_put_off_goes_with_its_feed() -> None:
    ledger = patient()
    parcel = taken(ledger, 1)
    ledger.raised(1, [parcel.lease], "error")
    asks(ledger, 2)
    ledger.feed_ended(0, FEED)
    assert ledger.feed_dropped(0, FEED) == [parcel]
    assert ledger.room_made(0) == [Token(2, 0)]
    assert ledger.due(parcel) == []


def test_of_a_ticket_all_goes_that_waits_in_whatever_pieces() -> None:
    ledger = patient(workers=3, raises=1, deaths=0, cuts=True)
    other = taken(ledger, 1, number=1)
    parcel = taken(ledger, 2, number=0, rows=4)
    (cut,) = ledger.lost(2, "killed")
    assert isinstance(cut, Cut)
    asks(ledger, 3)
    commands = ledger.pieces(cut, [b"a", b"b"])
    ((_, first),) = sent(commands)[:1]
    ledger.raised(3, [first.lease], "error")
    assert list(ledger.queues[0].delayed) == [first]
    dropped = ledger.ticket_dropped(0, FEED, 0)
    assert {(piece.start, piece.number) for piece in dropped} <= {(0, 0), (2, 0)}
    assert first in dropped
    assert all(piece.number == 0 for piece in dropped)
    assert ledger.due(first) == []
    assert not ledger.queues[0].waiting
    assert ledger.finished(1, other.lease, "x", LONG) == [Finish(other, ["x"], 1, LONG)]
    assert parcel.number == 0


# -- cut -----------------------------------------------------------------------------------------


def test_pieces_stand_at_the_head_in_order() -> None:
    ledger = patient(workers=1, cuts=True)
    parcel = taken(ledger, 1, rows=10, number=4)
    waiting = chunks(2, 20)
    for chunk in waiting:
        ledger.queues[0].waiting.append(chunk)
    ledger.expire(1, parcel.lease, TIMED_OUT, "late", done=3)
    (cut,) = of(Cut, ledger.lost(1, "killed"))
    assert cut == Cut(parcel, (3, 4), TIMED_OUT, "late", 1)
    assert ledger.pieces(cut, [b"a", b"b", b"c"]) == []
    pieces = list(ledger.queues[0].waiting)[:3]
    assert [(piece.start, piece.rows, piece.body) for piece in pieces] == [
        (0, 3, b"a"),
        (3, 1, b"b"),
        (4, 6, b"c"),
    ]
    assert list(ledger.queues[0].waiting)[3:] == waiting
    ledger.worker_started(2, 0)
    assert sent(asks(ledger, 2))[0] == (2, pieces[0])


@pytest.mark.parametrize("budget", [0, 1])
def test_what_cannot_be_cut_is_charged(budget: int) -> None:
    ledger = patient(workers=1, cuts=True)
    ledger.budget.timeouts = budget
    parcel = taken(ledger, 1, rows=10)
    ledger.expire(1, parcel.lease, TIMED_OUT, "late")
    (cut,) = ledger.done(1, [parcel.lease], LONG)
    assert isinstance(cut, Cut)
    commands = ledger.uncut(cut)
    if not budget:
        assert commands == [GiveUp(parcel, "late", 1)]
        assert not ledger.queues[0].delayed
        return
    assert commands == [Later(parcel, PAUSE)]
    asks(ledger, 1)
    assert sent(ledger.due(parcel)) == [(1, parcel)]
    # it is not tried to cut it again
    ledger.expire(1, parcel.lease, TIMED_OUT, "late again")
    assert ledger.done(1, [parcel.lease], LONG) == [GiveUp(parcel, "late again", 1)]


@pytest.mark.parametrize("works", [True, False])
@pytest.mark.parametrize("what", ["feed", "ticket"])
def test_what_was_dropped_while_it_was_cut_does_not_come_back(works: bool, what: str) -> None:
    ledger = patient(workers=2, deaths=0, cuts=True)
    parcel = taken(ledger, 1, rows=2)
    (cut,) = ledger.lost(1, "killed")
    assert isinstance(cut, Cut)
    dropped = ledger.feed_dropped(0, FEED) if what == "feed" else ledger.ticket_dropped(0, FEED, 0)
    assert dropped == [parcel]
    asks(ledger, 2)
    assert (ledger.pieces(cut, [b"a", b"b"]) if works else ledger.uncut(cut)) == []
    assert not ledger.queues[0].waiting


def test_the_rest_goes_on_when_nothing_could_be_cut() -> None:
    """Who waits is told of the end: the chunk was the last one."""
    ledger = patient(workers=2, deaths=0, cuts=True)
    parcel = taken(ledger, 1, rows=2)
    asks(ledger, 2)
    (cut,) = ledger.lost(1, "killed")
    assert isinstance(cut, Cut)
    ledger.feed_ended(0, FEED)
    assert ledger.uncut(cut) == [GiveUp(parcel, "killed", 1), Token(2, 0)]


def test_a_budget_of_pieces_is_their_own() -> None:
    ledger = patient(workers=1, deaths=1, cuts=True)
    parcel = taken(ledger, 1, rows=2)
    verdicts = []
    wid = 1
    for _ in range(4):
        (command, *_) = ledger.lost(wid, "killed")
        verdicts.append(type(command).__name__)
        wid += 1
        ledger.worker_started(wid, 0)
        if isinstance(command, Cut):
            asks(ledger, wid)
            (first, *_) = sent(ledger.pieces(command, [b"a", b"b"]))
            assert (first[1].start, first[1].rows) == (0, 1)
        elif isinstance(command, Later):
            ledger.due(command.parcel)
            assert sent(asks(ledger, wid))[0] == (wid, command.parcel)
    assert verdicts == ["Later", "Cut", "Later", "GiveUp"]
    assert parcel.deaths == 2


# -- expired -------------------------------------------------------------------------------------

ENDS = ["done", "finished", "raised", "lost", "left", "returned"]


def ended(ledger: Ledger, how: str, wid: int, parcel: Parcel) -> list[Command]:
    if how == "done":
        return ledger.done(wid, [parcel.lease], LONG)
    if how == "finished":
        return ledger.finished(wid, parcel.lease, "too late", LONG)
    if how == "raised":
        return ledger.raised(wid, [parcel.lease], "error of a late one")
    if how == "returned":
        return ledger.returned(wid, 0, [parcel.lease])
    return ledger.lost(wid, "killed") if how == "lost" else ledger.left(wid)


@pytest.mark.parametrize("how", ENDS)
@pytest.mark.parametrize("kind", [TIMED_OUT, CANCELLED])
def test_an_expired_chunk_is_given_up_however_it_ends(how: str, kind: str) -> None:
    ledger = opened(workers=1, raises=9, deaths=9)
    parcel = taken(ledger, 1)
    ledger.output(1, parcel.lease, "before")
    assert ledger.expire(1, parcel.lease, kind, f"it is {kind}")
    ledger.output(1, parcel.lease, "after")
    assert of(GiveUp, ended(ledger, how, 1, parcel)) == [GiveUp(parcel, f"it is {kind}", 1)]
    assert (parcel.attempts, parcel.raises, parcel.deaths) == (1, 0, 0)
    assert ledger.leased(FEED) == []


@pytest.mark.parametrize("how", ENDS)
def test_a_chunk_that_has_timed_out_is_tried_again_within_its_budget(how: str) -> None:
    ledger = opened(workers=1)
    ledger.budget.timeouts = 1
    parcel = taken(ledger, 1)
    ledger.output(1, parcel.lease, "of the late attempt")
    ledger.expire(1, parcel.lease, TIMED_OUT, "late")
    ledger.paused(1, True)
    assert of(Finish, ended(ledger, how, 1, parcel)) == []
    assert list(ledger.queues[0].waiting) == [parcel]
    ledger.worker_started(2, 0)
    asks(ledger, 2)
    assert ledger.finished(2, parcel.lease, "in time", LONG) == [Finish(parcel, ["in time"], 2, LONG)]


@pytest.mark.parametrize("how", ["done", "finished", "raised"])
def test_the_next_chunk_of_a_late_worker_counts_again(how: str) -> None:
    ledger = opened(workers=1)
    late, following = working(ledger, 1, ahead=1)
    ledger.expire(1, late.lease, TIMED_OUT, "late")
    assert of(GiveUp, ended(ledger, how, 1, late)) == [GiveUp(late, "late", 1)]
    assert not ledger.workers[1].expired
    assert ledger.finished(1, following.lease, "x", LONG) == [Finish(following, ["x"], 1, LONG)]


def test_who_is_ended_because_of_one_chunk_does_not_charge_another() -> None:
    ledger = opened(workers=1, deaths=0)
    late, ahead = working(ledger, 1, ahead=1)
    ledger.expire(1, late.lease, TIMED_OUT, "late")
    assert ledger.lost(1, "killed") == [GiveUp(late, "late", 1)]
    assert list(ledger.queues[0].waiting) == [ahead]
    assert ahead.attempts == 0


def test_who_does_not_hold_it_is_not_late() -> None:
    ledger = opened()
    parcel = taken(ledger, 1)
    assert not ledger.expire(2, parcel.lease, TIMED_OUT, "late")
    assert not ledger.expire(9, parcel.lease, TIMED_OUT, "late")
    assert not ledger.expire(1, parcel.lease + 1, TIMED_OUT, "late")
    assert ledger.finished(1, parcel.lease, "x", LONG) == [Finish(parcel, ["x"], 1, LONG)]


def test_a_late_chunk_that_is_cancelled_is_not_tried_again() -> None:
    ledger = opened(workers=1)
    ledger.budget.timeouts = 5
    parcel = taken(ledger, 1)
    ledger.expire(1, parcel.lease, TIMED_OUT, "late")
    ledger.expire(1, parcel.lease, CANCELLED, "cancelled")
    assert ledger.done(1, [parcel.lease], LONG) == [GiveUp(parcel, "cancelled", 1)]


def test_a_cancelled_chunk_stays_so_when_its_time_is_over() -> None:
    ledger = opened(workers=1)
    ledger.budget.timeouts = 5
    parcel = taken(ledger, 1)
    ledger.expire(1, parcel.lease, CANCELLED, "cancelled")
    ledger.expire(1, parcel.lease, TIMED_OUT, "late")
    assert ledger.lost(1, "killed") == [GiveUp(parcel, "cancelled", 1)]


@pytest.mark.parametrize("how", ENDS)
def test_of_a_dropped_feed_nothing_is_said(how: str) -> None:
    ledger = opened(workers=1)
    parcel = taken(ledger, 1)
    ledger.feed_dropped(0, FEED)
    ledger.expire(1, parcel.lease, CANCELLED, "cancelled")
    assert ended(ledger, how, 1, parcel) == []
    assert not ledger.queues[0].waiting


# -- objects of a slot -----------------------------------------------------------------------------


def test_objects_that_kill_three_workers_are_given_up() -> None:
    ledger = patient(workers=1, deaths=2)
    one, two = objects(2)
    ledger.offered_all(0, [one, two])
    for wid in (1, 2, 3):
        if wid > 1:
            ledger.worker_started(wid, 0)
        assert sent(ledger.wanted(wid, 0, 2)) == [(wid, one), (wid, two)]
        commands = ledger.lost(wid, f"death {wid}")
        assert commands == ([GiveUp(one, "death 3", 3)] if wid == 3 else [])
    assert (one.deaths, two.deaths) == (3, 0)
    ledger.worker_started(4, 0)
    assert sent(ledger.wanted(4, 0, 1)) == [(4, two)]


def test_what_is_kept_for_a_slot_waits_for_the_one_that_follows() -> None:
    """The replacement leaves, as it has had its chunks, before it has asked for the objects."""
    ledger = opened()
    one, two = objects(2)
    ledger.wanted(1, 0, 2)
    ledger.offered_all(0, [one, two])
    ledger.lost(1, "killed")
    ledger.worker_started(3, 0)
    ledger.leaving(3)
    asks(ledger, 2)
    assert ledger.left(3, followed=True) == []
    ledger.worker_started(4, 0)
    assert sent(ledger.wanted(4, 0, 2)) == [(4, one), (4, two)]
    ledger.lost(4, "killed")
    assert sent(ledger.slot_closed(0)) == [(2, one)]


def test_the_kinds_of_failure_have_names_of_their_own() -> None:
    assert len({RAISED, DIED, TIMED_OUT, CANCELLED}) == 4
    assert CUT
    assert TINY < LOOK
