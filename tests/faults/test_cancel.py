"""Tickets, feeds and all: what waits is dropped, what runs is asked, then ended; the others do not notice."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest

import eisenmp
from eisenmp.core.ticket import Ticket
from eisenmp.manager import events
from eisenmp.manager.ending import TERM_GRACE

from .stage import PATIENCE, Stage, failures
from .test_causes import method
from .test_retries import any_method

__all__ = ["any_method", "method"]

GRACE = 5.0
A_LITTLE = 0.1


def ticket(feed: eisenmp.Feed, number: int) -> Ticket:
    return Ticket(feed.queue.name, number, feed.number)


def values(feed: eisenmp.Feed) -> list[Any]:
    return [row for result in feed.in_order() for row in result.value]


def stage(method: str, **settings: Any) -> Stage:
    return Stage(method, **{"procs_max": 1, "grace": GRACE, **settings})


def test_a_ticket_that_waits(any_method: str) -> None:
    with stage(any_method) as job:
        feed = job.feed(("gate", "first"), *range(1, 4))
        assert job.hear() == "first"
        job.emp.cancel(ticket(feed, 2))
        job.let_through()
        assert values(feed) == ["first", 1, 3]
        assert failures(feed) == [(2, [2], "EisenmpError")]
        assert (feed.failed[0].cause, feed.failed[0].attempts) == ("it was cancelled", 0)
        assert str(feed.failed[0].error).endswith("was cancelled")
        assert feed.missing == []
        assert job.of(events.WorkerDied) == []


def test_all_of_them_but_one(any_method: str) -> None:
    with stage(any_method) as job:
        feed = job.feed(("gate", "first"), *range(1, 200))
        assert job.hear() == "first"
        for number in range(1, 199):
            job.emp.cancel(ticket(feed, number))
        job.let_through()
        assert values(feed) == ["first", 199]
        assert sorted(number for number, _, _ in failures(feed)) == list(range(1, 199))


def test_a_ticket_that_runs_and_heeds_it(any_method: str) -> None:
    with stage(any_method) as job:
        feed = job.feed(0, ("heed",), 2)
        pid = job.hear()
        job.emp.cancel(ticket(feed, 1))
        assert values(feed) == [0, 2]
        assert failures(feed) == [(1, [("heed",)], "EisenmpError")]
        job.advance(GRACE + TERM_GRACE + A_LITTLE)
        assert values(job.feed(("pid",))) == [pid]


@pytest.mark.parametrize(
    ("method", "way", "code"),
    [
        ("spawn", "hang", -15),
        ("portable", "stopped", -9),
        ("forkserver", "hang", -15),
        ("forkserver", "deaf", -9),
        ("forkserver", "stopped", -9),
    ],
    indirect=["method"],
)
def test_a_ticket_that_runs_and_does_not(method: str, way: str, code: int) -> None:
    with stage(method, procs_max=2) as job:
        pids = job.warm_up()
        feed = job.feed((way,), 1, 2)
        pid = job.hear()
        job.emp.cancel(ticket(feed, 0))
        job.advance(GRACE - A_LITTLE)
        assert job.of(events.WorkerDied) == []
        job.advance(2 * A_LITTLE)
        if code == -9:
            job.advance(TERM_GRACE)
        assert values(feed) == [1, 2]
        assert failures(feed) == [(0, [(way,)], "EisenmpError")]
        (death,) = job.until(events.WorkerDied, 1)
        assert (death.pid, death.exitcode, death.cause) == (pid, code, "it was cancelled")
        job.until(events.WorkerReady, 3)
        assert {process.pid for process in job.emp.proc_list} & pids == pids - {pid}


def test_a_worker_is_not_ended_for_a_chunk_that_it_has_not_begun(any_method: str, tmp_path: Path) -> None:
    noted = tmp_path / "noted"
    with stage(any_method) as job:
        job.warm_up()
        ahead = ("fail", 0, str(noted))
        feed = job.feed(("gate",), ahead, 2)
        pid = job.hear()
        # the first is at the gate, the next one is in its inbox
        job.sent(3)
        job.emp.cancel(ticket(feed, 1))
        for _ in range(3):
            job.advance(GRACE + TERM_GRACE + A_LITTLE)
        job.let_through()
        assert values(feed) == [pid, 2]
        assert failures(feed) == [(1, [ahead], "EisenmpError")]
        assert not noted.exists()
        assert job.of(events.WorkerDied) == []


def test_a_worker_that_dies_meanwhile_does_not_make_it_a_death(method: str) -> None:
    """The feed goes on: the ticket was not wanted any more."""
    with stage(method) as job:
        feed = job.feed(0, ("stopped",), 2)
        job.hear()
        job.emp.cancel(ticket(feed, 1))
        job.emp.proc_list[0]._door.engine.kill(job.emp._crew.slots[0].wid)
        assert values(feed) == [0, 2]
        assert failures(feed) == [(1, [("stopped",)], "EisenmpError")]


@pytest.mark.parametrize("number", [5, 9])
def test_a_ticket_that_is_not_cut_yet(any_method: str, number: int) -> None:
    """Also the last one, after which nothing comes."""
    with stage(any_method) as job:
        feed = job.emp.feed(iter([("gate", "first"), *range(1, 10)]))
        assert job.hear() == "first"
        assert feed.next_number <= number
        job.emp.cancel(ticket(feed, number))
        job.let_through()
        assert values(feed) == ["first", *(row for row in range(1, 10) if row != number)]
        assert failures(feed) == [(number, [number], "EisenmpError")]


def test_a_ticket_that_is_done(any_method: str) -> None:
    with stage(any_method) as job:
        feed = job.feed(0, 1, ("gate", "last"))
        assert job.hear() == "last"
        job.until(events.ChunkDone, 2)
        job.emp.cancel(ticket(feed, 1))
        job.let_through()
        assert values(feed) == [0, 1, "last"]
        job.emp.cancel(ticket(feed, 1))
        job.emp.cancel(feed)
        assert feed.failed == []


def test_a_feed(any_method: str) -> None:
    closed = []

    def source() -> Iterator[Any]:
        try:
            yield ("heed",)
            yield from count()
        finally:
            closed.append(True)

    with stage(any_method) as job:
        feed, other = job.emp.feed(source()), job.feed(7, 8)
        pid = job.hear()
        job.emp.cancel(feed)
        assert values(other) == [7, 8]
        assert list(feed) == []
        assert feed.wait(PATIENCE)
        assert values(job.feed(("pid",))) == [pid]
    assert closed == [True]


def test_a_feed_whose_chunk_does_not_heed_it(method: str) -> None:
    with stage(method) as job:
        feed, other = job.feed(("hang",), 1, 2), job.feed(7, 8)
        pid = job.hear()
        job.emp.cancel(feed)
        assert feed.wait(PATIENCE)
        job.advance(GRACE + A_LITTLE)
        assert values(other) == [7, 8]
        assert [death.pid for death in job.of(events.WorkerDied)] == [pid]


def test_all(any_method: str) -> None:
    with stage(any_method, procs_max=2) as job:
        feeds = [job.feed(("heed",), *range(100)) for _ in range(3)]
        job.hear()
        job.emp.cancel()
        # but for what was done before
        assert all(feed.is_over and len(list(feed)) < 100 for feed in feeds)
        assert values(job.feed(5)) == [5]


def test_whoever_stops_iterating_has_cancelled_the_feed(any_method: str) -> None:
    with stage(any_method) as job:
        results = iter(job.feed(0, ("heed",), 2))
        assert next(results).value == [0]
        job.hear()
        results.close()  # type: ignore[attr-defined]
        assert values(job.feed(5)) == [5]


def test_one_that_waits_for_its_next_try(any_method: str) -> None:
    with stage(any_method, timeout=2.0, retries={"timeout": 9}) as job:
        feed = job.feed(("heed",), 1)
        job.hear()
        job.advance(2.1)
        job.until(events.ChunkDone, 1)
        job.emp.cancel(ticket(feed, 0))
        assert values(feed) == [1]
        assert failures(feed) == [(0, [("heed",)], "EisenmpError")]
        assert feed.failed[0].attempts == 1


def test_one_that_is_being_ended_is_not_tried_again(method: str) -> None:
    with stage(method, timeout=2.0, retries={"timeout": 9}) as job:
        feed = job.feed(("stopped",), 1)
        job.hear()
        job.advance(2.1)
        job.emp.cancel(ticket(feed, 0))
        job.advance(1.1)
        job.advance(TERM_GRACE)
        assert values(feed) == [1]
        assert failures(feed) == [(0, [("stopped",)], "EisenmpError")]


def test_what_is_no_ticket() -> None:
    with (
        stage("inline") as job,
        pytest.raises(TypeError, match="cancel takes a Ticket, a Feed or nothing, not 5"),
    ):
        job.emp.cancel(5)  # type: ignore[arg-type]
