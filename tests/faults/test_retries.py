"""Chunks that fail are tried again, elsewhere, in pieces; and what is given up is as little as can be."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import eisenmp
from eisenmp.manager import events

from .stage import PATIENCE, Stage, failures
from .test_causes import method

__all__ = ["method"]

ROWS = 1000
POISON = 617


def stage(method: str, *modules: str, **settings: Any) -> Stage:
    return Stage(method, *modules, frozen=False, **settings)


@pytest.fixture(params=["forkserver", "portable", "inline"])
def any_method(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("EISENMP_PORTABLE", str(int(request.param == "portable")))
    return str(request.param)


def test_a_chunk_that_raised_goes_to_another_worker(any_method: str, tmp_path: Path) -> None:
    with stage(any_method, retries={"raise": 2}) as job:
        job.warm_up()
        for name in "abc":
            feed = job.feed(("fail", 1, str(tmp_path / name)))
            ((slots,),) = [result.value for result in feed]
            assert sorted(slots) == [0, 1]
            assert feed.failed == []


def test_where_there_is_no_other_it_goes_to_the_same(any_method: str, tmp_path: Path) -> None:
    with stage(any_method, procs_max=1, retries={"raise": 2}) as job:
        feed = job.feed(1, ("fail", 2, str(tmp_path / "tried")), 3)
        assert [result.value for result in feed.in_order()] == [[1], [[0, 0, 0]], [3]]


def test_after_its_budget_it_is_given_up(any_method: str, tmp_path: Path) -> None:
    with stage(any_method, retries={"raise": 1}, on_error="skip") as job:
        feed = job.feed(1, ("fail", 9, str(tmp_path / "tried")), 3)
        assert [result.value for result in feed.in_order()] == [[1], [3]]
        (failure,) = feed.failed
        assert (failure.attempts, failure.ticket.number, failure.ticket.part) == (2, 1, 0)
        assert "ValueError: attempt 2" in failure.cause
        assert isinstance(failure.error.__cause__, ValueError)
        assert feed.missing == []


def test_the_error_of_the_last_attempt_ends_the_feed(any_method: str, tmp_path: Path) -> None:
    with stage(any_method, retries={"raise": 1}) as job:
        feed = job.feed(("fail", 9, str(tmp_path / "tried")))
        with pytest.raises(eisenmp.WorkerFailed, match="attempt 2") as caught:
            list(feed)
        assert caught.value.ticket.number == 0
        assert [result.value for result in job.feed(5)] == [[5]]


def test_a_chunk_goes_on_elsewhere_when_its_worker_is_killed(method: str, tmp_path: Path) -> None:
    with stage(method) as job:
        before = job.warm_up()
        feed = job.feed(("die", 1, str(tmp_path / "tried")))
        ((slots,),) = [result.value for result in feed]
        assert sorted(slots) == [0, 1]
        (death,) = job.of(events.WorkerDied)
        job.until(events.WorkerReady, 3)
        # who has not died is still there
        assert {process.pid for process in job.emp.proc_list} - before != before
        assert len({process.pid for process in job.emp.proc_list} & before) == 1
        assert death.pid in before


def check_parts(results: list[Any], feed: eisenmp.Feed, guilty: list[int]) -> None:
    """All rows but the guilty ones came once, in order, and the parts are numbered over all of them."""
    assert [row for result in results for row in result.value] == [n for n in range(ROWS) if n not in guilty]
    parts = [result.ticket.part for result in results]
    assert parts == sorted(parts)
    lost = [failure.ticket.part for failure in feed.failed]
    assert sorted(parts + lost) == list(range(1, len(parts + lost) + 1))
    assert {result.ticket.number for result in results} == {0}
    assert [len(failure.rows) for failure in feed.failed] == [1] * len(guilty)


@pytest.mark.parametrize("ordered", [True, False])
def test_a_row_that_kills_is_found_among_a_thousand(ordered: bool) -> None:
    rows: list[Any] = list(range(ROWS))
    rows[POISON] = ("die",)
    with stage("forkserver", rows_max=ROWS, on_error="skip") as job:
        feed = job.emp.feed(rows)
        check_parts(list(feed.in_order() if ordered else feed), feed, [POISON])
        (failure,) = feed.failed
        assert failure.rows == [("die",)]
        assert isinstance(failure.error, eisenmp.WorkerDied)
        # alone it has all its tries
        assert len(job.of(events.WorkerDied)) == failure.attempts >= 3 + 9
        assert job.feed(1, 2).wait(PATIENCE)


@pytest.mark.parametrize("guilty", [[0], [ROWS - 1], [3, 4, 900]])
def test_wherever_and_however_many_they_are(guilty: list[int]) -> None:
    rows: list[Any] = list(range(ROWS))
    for number in guilty:
        rows[number] = ("die",)
    with stage("forkserver", rows_max=ROWS, on_error="skip", retries={"death": 0}) as job:
        feed = job.emp.feed(rows)
        check_parts(list(feed), feed, guilty)
        assert feed.rows_done == ROWS - len(guilty)


@pytest.mark.parametrize("method", ["spawn", "portable"], indirect=True)
def test_with_every_way_to_start(method: str) -> None:
    rows: list[Any] = list(range(8))
    rows[5] = ("die",)
    with stage(method, rows_max=8, on_error="skip", retries={"death": 0}) as job:
        feed = job.emp.feed(rows)
        results = list(feed)
        assert [row for result in results for row in result.value] == [0, 1, 2, 3, 4, 6, 7]
        assert failures(feed) == [(0, [("die",)], "WorkerDied")]


def test_a_row_that_kills_ends_the_feed_where_nothing_is_skipped() -> None:
    rows: list[Any] = list(range(16))
    rows[5] = ("die",)
    with stage("forkserver", rows_max=16, retries={"death": 0}) as job:
        feed = job.emp.feed(rows)
        with pytest.raises(eisenmp.WorkerDied) as caught:
            list(feed)
        assert caught.value.ticket.number == 0
        assert failures(feed) == [(0, [("die",)], "WorkerDied")]
        assert [result.value for result in job.feed(1)] == [[1]]


def test_a_piece_that_raises_is_given_up_and_the_others_are_not(tmp_path: Path) -> None:
    rows: list[Any] = list(range(8))
    rows[1] = ("die",)
    rows[6] = ("fail", 9, str(tmp_path / "tried"))
    with stage("forkserver", rows_max=8, on_error="skip", retries={"death": 0}) as job:
        feed = job.emp.feed(rows)
        results = list(feed)
        assert [row for result in results for row in result.value] == [0, 2, 3]
        assert sorted(failures(feed), key=lambda failure: failure[2]) == [
            (0, [("die",)], "WorkerDied"),
            (0, rows[4:], "WorkerFailed"),
        ]


def test_a_worker_that_takes_chunks_by_itself_gets_them_whole() -> None:
    with stage("forkserver", "old", rows_max=4, on_error="skip", retries={"death": 1}) as job:
        feed = job.feed(0, 1, 2, 3, 4, ("die",), 6, 7, 8, 9, 10, 11)
        results = list(feed.in_order())
        assert [result.value[1:] for result in results] == [[0, 1, 2, 3], [8, 9, 10, 11]]
        assert failures(feed) == [(1, [4, ("die",), 6, 7], "WorkerDied")]
        # the chunk before it may be blamed for the first death, as its end was not told yet
        assert len(job.of(events.WorkerDied)) in (2, 3)


def test_an_object_that_kills_three_workers_is_dropped_and_its_queue_is_named() -> None:
    with pytest.warns(
        RuntimeWarning, match=r"an object in queue 'things' was dropped: 3 workers died"
    ) as told:
        job = stage("forkserver", "take_and_die_alone", procs_max=1)
        things = job.emp.queue("things", maxsize=5)
        with job:
            things.put("bad")
            job.until(events.WorkerDied, 3)
            things.put("good")
            job.until(events.WorkerDied, 4)
            job.emp.stop(grace=0.0)
    assert len(told) == 1
