"""Several chunks that are sent, and are done, at once: the ledger keeps each of them by itself."""

from __future__ import annotations

from threading import RLock
from types import SimpleNamespace

from eisenmp.core.ledger import FinishAll, SendAll
from eisenmp.core.placement import TOGETHER_BYTES
from eisenmp.core.queues import QueueName
from eisenmp.core.results import Results, Run
from eisenmp.manager.feed import Feed
from eisenmp.wire.pickles import dumps

from .ledgers import FEED, TINY, chunks, opened, sent


def busy(count: int = 8):  # type: ignore[no-untyped-def]
    """A ledger whose only worker has done a chunk of microseconds, and has been sent so many at once."""
    ledger = opened(workers=1)
    first, *parcels = chunks(count + 1)
    assert sent(ledger.wanted(1, 0, 1) + ledger.offered(first)) == [(1, first)]
    ledger.finished(1, first.lease, "x", TINY)
    commands = ledger.offered_all(0, parcels)
    assert [command.parcels for command in commands if isinstance(command, SendAll)] == [parcels]
    return ledger, parcels


def test_each_has_a_lease_of_its_own() -> None:
    ledger, parcels = busy()
    leases = [parcel.lease for parcel in parcels]
    assert leases == list(range(leases[0], leases[0] + len(parcels)))
    assert dict(zip(leases, parcels, strict=True)) == ledger.workers[1].leases


def test_some_of_them_are_done_at_once() -> None:
    ledger, parcels = busy()
    commands = ledger.finished_all(1, parcels[0].lease, ["a", "b", "c"], TINY)
    assert commands == [FinishAll(parcels[:3], ["a", "b", "c"], 1, TINY / 3)]
    assert list(ledger.workers[1].leases.values()) == parcels[3:]
    assert ledger.queues[0].in_flight == 5
    assert ledger.queues[0].surplus == 4


def test_nothing_changes_when_one_of_them_is_not_held() -> None:
    ledger, parcels = busy()
    ledger.returned(1, 0, [parcels[7].lease])
    assert ledger.finished_all(1, parcels[6].lease, ["a", "b"], TINY) is None
    assert parcels[6].lease in ledger.workers[1].leases


def test_nothing_changes_when_one_of_them_has_expired_or_has_other_outputs() -> None:
    ledger, parcels = busy()
    assert ledger.output(1, parcels[1].lease, "before")
    assert ledger.finished_all(1, parcels[0].lease, ["a", "b"], TINY) is None
    ledger, parcels = busy()
    assert ledger.expire(1, parcels[5].lease, "cancelled", None)
    assert ledger.finished_all(1, parcels[0].lease, ["a", "b"], TINY) is None


def test_the_dead_say_nothing() -> None:
    ledger, parcels = busy()
    ledger.lost(1, "killed")
    assert ledger.finished_all(1, parcels[0].lease, ["a", "b"], TINY) == []


def test_only_the_first_is_to_blame_for_a_death() -> None:
    ledger, parcels = busy()
    ledger.lost(1, "killed")
    assert list(ledger.queues[0].waiting) == parcels
    assert [parcel.deaths for parcel in parcels] == [1] + 7 * [0]


def test_large_chunks_and_other_tickets_do_not_travel_together() -> None:
    ledger, parcels = busy(2)
    ledger.finished_all(1, parcels[0].lease, ["a", "b"], TINY)
    small, large, gap = chunks(3, 10)
    large.body = b"x" * (TOGETHER_BYTES + 1)
    gap.number += 1
    assert not any(isinstance(command, SendAll) for command in ledger.offered_all(0, [small, large, gap]))
    assert FEED == small.feed


def test_each_of_two_workers_gets_its_share() -> None:
    ledger = opened(workers=2)
    for wid in 1, 2:
        (first,) = chunks(1, wid)
        ledger.wanted(wid, 0, 1)
        ledger.offered(first)
        ledger.finished(wid, first.lease, "x", TINY)
    commands = ledger.offered_all(0, chunks(20, 10))
    assert [(c.wid, len(c.parcels)) for c in commands if isinstance(c, SendAll)] == [(1, 10), (2, 10)]


def test_results_that_came_together_are_given_out_one_by_one() -> None:
    results = Results()
    assert results.add_all(3, ["d", "e"])
    assert not results.add_all(2, ["c", "d again"]), "none is taken twice"
    assert not results.add_all(4, ["e again", "f"])
    number, outputs = results.pop()
    assert (number, outputs, results.taken) == (3, Run(["d", "e"]), 0)
    results.gave()
    assert results.taken == 1
    assert results.add_all(1, ["b", "c"])
    assert results.missing(6) == [0, 5]


def test_results_that_came_together_wait_for_their_order() -> None:
    results = Results()
    results.order()
    assert results.add_all(1, ["b", "c"])
    assert not results.ready
    assert results.add(0, ["a"])
    assert results.add(3, ["d"])
    assert [results.pop() for _ in range(3)] == [(0, ["a"]), (1, ["b", "c"]), (3, ["d"])]
    assert results.finished == 4


def test_what_nobody_takes_counts_as_many_as_it_is() -> None:
    results = Results()
    results.order()
    results.add_all(0, ["a", "b"])
    results.add_all(3, ["d", "e", "f"])
    results.open_window()
    assert results.taken == 5


class Waits:
    """A pump that keeps what the feeder would have seen whenever it is looked after."""

    def __init__(self) -> None:
        self.taken: list[int] = []
        self.results: Results | None = None

    def poke(self) -> None:
        assert self.results is not None
        self.taken.append(self.results.taken)

    def wait_until(self, ready: object, timeout: float | None = None) -> bool:
        return True


def test_the_feeder_learns_of_the_room_that_they_leave() -> None:
    pump = Waits()
    dispatcher = SimpleNamespace(
        pump=pump, ledger=opened(), lock=RLock(), iterated=set(), unseen={}, drain=None, interrupted=False
    )
    feed = Feed(FEED, QueueName(0, "rows (default)", None, "rows", 0), dispatcher, listed=False, skip=False)  # type: ignore[arg-type]
    pump.results = feed._results
    for _ in range(3):
        feed.cut(1)
    feed.source_ended()
    feed.finished_all(chunks(3), [dumps("a"), dumps("b"), dumps("c")], TINY)
    assert [result.value for result in feed] == ["a", "b", "c"]
    assert pump.taken[-1] == 3, "it waits for room that nobody else will tell it of"
