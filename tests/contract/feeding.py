"""Feeds: complete, in order, lazy, several at once, and what happens to one that goes wrong."""

from __future__ import annotations

import itertools
import pickle
import threading
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest

import eisenmp

from .engines import Contestant
from .suite import GATE, TOLD, Shared, own, shared

CREDIT_MAX = 64
LONG = 60.0  # seconds; only a defect lets anything here wait so long


class Source:
    """Numbers without end; knows how far it was pulled, and whether it was closed."""

    def __init__(self, row: object = None) -> None:
        self.pulled = 0
        self.taken = 0
        self.ahead = 0
        self.closed = threading.Event()
        self._row = row

    def __iter__(self) -> Iterator[Any]:
        return self._rows()

    def _rows(self) -> Iterator[Any]:
        try:
            while True:
                self.pulled += 1
                self.ahead = max(self.ahead, self.pulled - self.taken)
                yield self.pulled - 1 if self._row is None else self._row
        finally:
            self.closed.set()


@shared
def every_row_comes_back_once(shared: Shared) -> None:
    feed = shared.feed(range(1000), rows_max=7)
    results = list(feed)
    assert sorted(ticket.number for ticket, _ in results) == list(range(143))
    assert {ticket.feed for ticket, _ in results} == {feed.number}
    assert sorted(itertools.chain.from_iterable(value for _, value in results)) == list(range(1000))
    assert (feed.expected, feed.missing, feed.failed, feed.done) == (143, [], [], 143)


@shared
def results_come_in_the_order_of_the_tickets(shared: Shared) -> None:
    feed = shared.feed((number for number in range(500)), rows_max=3)
    results = list(feed.in_order())
    assert [result.ticket.number for result in results] == list(range(167))
    assert [row for result in results for row in result.value] == list(range(500))


@shared
def a_chunk_that_waits_holds_back_only_the_order(shared: Shared) -> None:
    rows: list[Any] = [("wait", GATE, TOLD), *range(40)]
    as_they_finish, ordered = shared.feed(rows), None
    shared.told.get(timeout=LONG)
    seen = [next(iterator).ticket.number for iterator in [iter(as_they_finish)] for _ in range(40)]
    assert sorted(seen) == list(range(1, 41))
    shared.gate.put(None)
    ordered = shared.feed(rows)
    shared.told.get(timeout=LONG)
    shared.gate.put(None)
    assert [result.ticket.number for result in ordered.in_order()] == list(range(41))


@shared
def feeds_of_one_queue_do_not_mix(shared: Shared) -> None:
    feeds = [shared.feed(map(mark.__add__, map(str, range(200))), rows_max=3) for mark in "abc"]
    iterators = [feed.in_order() for feed in feeds]
    collected: list[list[str]] = [[], [], []]
    for results in itertools.zip_longest(*iterators):
        for rows, result in zip(collected, results, strict=True):
            rows.extend(result.value)
    assert collected == [[f"{mark}{number}" for number in range(200)] for mark in "abc"]


@shared
def feeds_of_several_threads_do_not_mix(shared: Shared) -> None:
    collected: dict[int, list[int]] = {}

    def run(start: int) -> None:
        feed = shared.feed(range(start, start + 300), rows_max=5)
        collected[start] = [row for result in feed.in_order() for row in result.value]

    threads = [threading.Thread(target=run, args=(start,)) for start in (0, 1000, 2000)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(LONG)
    assert collected == {start: list(range(start, start + 300)) for start in (0, 1000, 2000)}


@shared
def an_empty_source_gives_nothing(shared: Shared) -> None:
    feed = shared.feed([])
    assert list(feed) == []
    assert (feed.expected, feed.missing, feed.done) == (0, [], 0)
    assert shared.feed(iter(())).wait(LONG)


@shared
def a_worker_may_give_one_value_none_or_several(shared: Shared) -> None:
    rows: list[Any] = [("nothing",), ("square", 3), ("send", "a", "b")]
    assert [result.value for result in shared.feed(rows).in_order()] == [None, [9], ["a", "b", [None]]]


@shared
def results_that_nobody_wants_are_dropped(shared: Shared) -> None:
    feed = shared.feed(range(500))
    assert feed.wait(LONG)
    assert (feed.done, feed.missing) == (500, [])
    with pytest.raises(RuntimeError, match="not kept"):
        iter(feed)


@shared
def waiting_takes_a_timeout(shared: Shared) -> None:
    feed = shared.feed([("wait", GATE)])
    assert feed.wait(0.01) is False
    shared.gate.put(None)
    assert feed.wait(LONG) is True


@shared
def results_are_iterated_once(shared: Shared) -> None:
    feed = shared.feed(range(3))
    assert len(list(feed)) == 3
    with pytest.raises(RuntimeError, match="iterated already"):
        iter(feed)


@shared
def rows_are_pulled_as_far_ahead_as_the_workers_need(shared: Shared) -> None:
    """Many chunks of microseconds, and never more than the credit of two workers."""
    source = Source()
    feed = shared.feed(source)
    for _ in itertools.islice(feed, 3000):
        source.taken += 1
    assert CREDIT_MAX // 2 < source.ahead <= 2 * CREDIT_MAX + 2 * 2 + 2
    assert source.closed.wait(LONG)


@own
def slow_chunks_are_sent_one_ahead(engine: Contestant) -> None:
    """Two run, two are ahead, two results wait for the consumer, and one is being cut."""
    with engine.mp(rows_max=1) as emp:
        source = Source(("busy", 0.03))
        for _ in itertools.islice(emp.feed(source), 12):
            source.taken += 1
        assert 2 <= source.ahead <= 2 + 2 + 2 * 2 + 2
    assert source.closed.is_set()


@shared
def a_consumer_that_stops_iterating_ends_the_feed(shared: Shared) -> None:
    source = Source()
    for result in shared.feed(source):
        if result.ticket.number > 20:
            break
    assert source.closed.wait(LONG)


@shared
def a_feed_that_is_cancelled_ends(shared: Shared) -> None:
    source = Source()
    feed = shared.feed(itertools.chain([("until_cancelled", TOLD)] * 2, source))
    for _ in range(2):
        assert shared.told.get(timeout=LONG) == "running"
    shared.emp.cancel(feed)
    assert list(feed) == []
    for _ in range(2):
        assert shared.told.get(timeout=LONG) == "cancelled"


@own
def chunks_ahead_are_recalled_for_a_worker_that_starves(engine: Contestant) -> None:
    with engine.mp(rows_max=1) as emp:
        gate, told = emp.queue(GATE, maxsize=2), emp.queue(TOLD, maxsize=2)
        # both workers have credit for many when the feed comes whose first chunk blocks one of them
        assert len(list(emp.feed(range(500)))) == 500
        feed = emp.feed([("wait", GATE, TOLD), *range(100)])
        told.get(timeout=LONG)
        results = iter(feed)
        assert sorted(next(results).ticket.number for _ in range(100)) == list(range(1, 101))
        gate.put(None)
        assert [result.ticket.number for result in results] == [0]


# what goes wrong


@shared
def what_cannot_be_iterated_is_refused_at_once(shared: Shared) -> None:
    with pytest.raises(TypeError):
        shared.feed(42)


@shared
def a_source_that_raises_ends_its_feed(shared: Shared) -> None:
    def rows() -> Iterator[int]:
        yield from range(25)
        raise OSError("the disk is gone")

    feed, other = shared.feed(rows(), rows_max=10), shared.feed(range(100), rows_max=10)
    results: list[Any] = []
    with pytest.raises(
        eisenmp.FeedError, match=r"OSError: the disk is gone at row 25, in ticket 2"
    ) as caught:
        for result in feed.in_order():
            results.extend(result.value)
    assert results == list(range(20))
    assert isinstance(caught.value.__cause__, OSError)
    assert caught.value.ticket.number == 2
    assert [failure.rows for failure in feed.failed] == [[20, 21, 22, 23, 24]]
    assert len(list(other)) == 10


@shared
def a_row_that_cannot_be_pickled_ends_its_feed(shared: Shared) -> None:
    rows = [1, {"key": [threading.Lock()]}, 3]
    feed = shared.feed(iter(rows), rows_max=1)
    results: list[Any] = []
    with pytest.raises(eisenmp.FeedError, match=r"\['key'\]\[0\] cannot be pickled") as caught:
        results.extend(value for _, value in feed)
    assert results == [[1]]
    assert caught.value.ticket.number == 1


@shared
def a_worker_that_raises_ends_the_feed(shared: Shared) -> None:
    feed, other = shared.feed([1, ("fail", "value"), 3]), shared.feed(range(50))
    with pytest.raises(eisenmp.WorkerFailed, match="these rows are wrong") as caught:
        list(feed)
    assert caught.value.ticket.number == 1
    cause = caught.value.__cause__
    assert isinstance(cause, ValueError)
    assert cause.args == ("these rows are wrong",)
    assert isinstance(cause.__cause__, eisenmp.RemoteTraceback)
    assert "in fail\n" in str(cause.__cause__)
    assert [failure.rows for failure in feed.failed] == [[("fail", "value")]]
    assert len(list(other)) == 50


@shared
def a_result_that_cannot_be_pickled_names_its_ticket(shared: Shared) -> None:
    with pytest.raises(eisenmp.WorkerFailed, match=r"result\[0\] cannot be pickled") as caught:
        list(shared.feed([("fail", "lock")]))
    assert caught.value.ticket.number == 0


@shared
def a_result_that_cannot_be_unpickled_names_its_ticket(shared: Shared) -> None:
    with pytest.raises(eisenmp.WorkerFailed, match="ticket 0 .*ArithmeticError: broken") as caught:
        list(shared.feed([("fail", "broken")]))
    assert caught.value.ticket.number == 0
    assert isinstance(caught.value.__cause__, ArithmeticError)


@shared
def an_error_that_cannot_travel_is_told_as_text(shared: Shared) -> None:
    for kind, text in (("awkward", "Awkward: awkward"), ("stubborn", "Stubborn: one and two")):
        with pytest.raises(eisenmp.WorkerFailed, match=text) as caught:
            list(shared.feed([("fail", kind)]))
        assert isinstance(caught.value.__cause__, eisenmp.RemoteTraceback)
        assert "in fail\n" in str(caught.value.__cause__)


@own
def a_failed_chunk_is_skipped_when_told_so(engine: Contestant) -> None:
    with engine.mp(rows_max=1, on_error="skip") as emp:
        feed = emp.feed([*range(5), ("fail", "value"), *range(6, 10)])
        assert [result.value for result in feed.in_order()] == [[n] for n in range(10) if n != 5]
        (failure,) = feed.failed
        assert (failure.ticket.number, failure.rows) == (5, [("fail", "value")])
        assert isinstance(failure.error, eisenmp.WorkerFailed)


@own
def a_chunk_that_raised_is_tried_again_when_told_so(engine: Contestant) -> None:
    import tempfile

    with tempfile.TemporaryDirectory() as folder, engine.mp(rows_max=1, retries={"raise": 2}) as emp:
        assert [r.value for r in emp.feed([("fail_times", f"{folder}/count", 2)])] == [[2]]
        with pytest.raises(eisenmp.WorkerFailed, match="attempt 2"):
            list(emp.feed([("fail_times", f"{folder}/other", 5)]))


@shared
def errors_travel_on(shared: Shared) -> None:
    """To the caller's own processes, by pickle."""
    with pytest.raises(eisenmp.WorkerFailed) as caught:
        list(shared.feed([("fail", "value")]))
    again = pickle.loads(pickle.dumps(caught.value))
    assert (type(again), str(again)) == (eisenmp.WorkerFailed, str(caught.value))


# size


@shared
def large_bodies_travel_both_ways_at_once(shared: Shared) -> None:
    """Neither side waits for the other to read while it writes."""
    from hashlib import sha256

    size = 20_000_000
    bodies = [bytes([mark]) * (size + mark) for mark in range(3)]
    values = shared.values([("digest", body, size) for body in bodies])
    assert [digest for digest, _ in values] == [sha256(body).hexdigest() for body in bodies]
    assert [Counter(answer[:1] + answer[-1:]) for _, answer in values] == [
        Counter({len(body) % 251: 2}) for body in bodies
    ]
    assert all(len(answer) == size for _, answer in values)


@shared
def bodies_of_all_sizes_around_the_limits_arrive(shared: Shared) -> None:
    sizes = [0, 1, 31, 32, 33, (1 << 16) - 40, (1 << 16) - 1, 1 << 16, (1 << 16) + 1, (1 << 20) + 3]
    assert shared.values([b"x" * size for size in sizes]) == [b"x" * size for size in sizes]


@own
def a_worker_may_pull_chunks_by_itself(engine: Contestant) -> None:
    with engine.mp("by_itself", rows_max=10) as emp:
        feed = emp.feed(range(105))
        assert sorted((r.ticket.number, r.value) for r in feed) == [
            (number, [len(part), sum(part)])
            for number in range(11)
            for part in [range(105)[10 * number : 10 * number + 10]]
        ]
