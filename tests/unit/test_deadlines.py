"""Time limits: when a chunk is overdue, how often that is told, and what resets it."""

from __future__ import annotations

import pytest

from eisenmp.core.deadlines import Deadlines, Overdue

NEVER = float("inf")


def test_a_chunk_has_its_time() -> None:
    deadlines = Deadlines(2.0, None)
    assert deadlines.next == NEVER
    assert deadlines.at(1, 7, 10, 100.0)
    assert deadlines.next == 102.0
    assert deadlines.overdue(101.999) == []
    assert deadlines.overdue(102.0) == [Overdue(1, 7, "it took longer than timeout = 2 s", -1)]
    # once is enough
    assert deadlines.overdue(200.0) == []
    assert deadlines.next == NEVER


def test_the_time_starts_with_the_chunk_and_not_with_each_look() -> None:
    deadlines = Deadlines(2.0, None)
    assert deadlines.at(1, 7, 10, 100.0)
    assert not deadlines.at(1, 7, 10, 101.0)
    assert deadlines.next == 102.0
    assert deadlines.at(1, 8, 10, 101.5)
    assert deadlines.next == 103.5
    assert deadlines.overdue(102.0) == []


def test_who_is_at_nothing_has_no_limit() -> None:
    deadlines = Deadlines(2.0, None)
    assert not deadlines.at(1, 0, 0, 100.0)
    deadlines.at(1, 7, 10, 100.0)
    assert deadlines.at(1, 0, 0, 101.0)
    assert deadlines.next == NEVER
    assert deadlines.overdue(500.0) == []
    assert not deadlines._running
    assert not deadlines._begun
    deadlines.progressed(1, 3, 500.0)
    assert deadlines.next == NEVER


def test_each_worker_has_its_own() -> None:
    deadlines = Deadlines(2.0, None)
    deadlines.at(1, 7, 1, 100.0)
    deadlines.at(2, 8, 1, 101.0)
    assert deadlines.next == 102.0
    assert [late.wid for late in deadlines.overdue(102.5)] == [1]
    assert deadlines.next == 103.0
    assert [late.wid for late in deadlines.overdue(103.5)] == [2]


def test_each_row_has_its_time_and_a_call_that_of_all_its_rows() -> None:
    deadlines = Deadlines(None, 0.5)
    deadlines.at(1, 7, 10, 100.0)
    assert deadlines.next == 105.0
    # said to be done: the rest has its time from now on
    deadlines.progressed(1, 4, 104.0)
    assert deadlines.next == 107.0
    deadlines.progressed(1, 4, 104.5)
    assert deadlines.next == 105.5
    cause = "it took longer than timeout_row = 0.5 s for each of 2 rows"
    assert deadlines.overdue(106.0) == [Overdue(1, 7, cause, -1)]


def test_the_last_row_has_its_time_however_many_were_said_to_be_done() -> None:
    deadlines = Deadlines(None, 0.5)
    deadlines.at(1, 7, 2, 100.0)
    deadlines.progressed(1, 5, 100.0)
    assert deadlines.next == 100.5
    assert deadlines.overdue(101.0)[0].cause == "it took longer than timeout_row = 0.5 s"


def test_rows_that_are_not_counted_are_one() -> None:
    deadlines = Deadlines(None, 0.5)
    deadlines.at(1, 7, 0, 100.0)
    assert deadlines.next == 100.5


@pytest.mark.parametrize("done", [0, 1, 3])
def test_who_reports_each_row_is_told_by_the_row(done: int) -> None:
    deadlines = Deadlines(None, 0.5, exact=True)
    deadlines.at(1, 7, 10, 100.0)
    assert deadlines.next == 100.5
    for row in range(done):
        deadlines.progressed(1, 1, 100.25 + row / 4)
    now = 100.0 + done / 4
    assert deadlines.next == now + 0.5
    assert deadlines.overdue(now + 0.5) == [Overdue(1, 7, "it took longer than timeout_row = 0.5 s", done)]


def test_a_new_chunk_has_no_rows_done() -> None:
    deadlines = Deadlines(None, 0.5, exact=True)
    deadlines.at(1, 7, 10, 100.0)
    deadlines.progressed(1, 4, 100.0)
    deadlines.at(1, 8, 10, 101.0)
    (late,) = deadlines.overdue(102.0)
    assert (late.lease, late.done) == (8, 0)


@pytest.mark.parametrize(
    ("timeout", "rows", "until", "word"),
    [(3.0, 4, 102.0, "timeout_row"), (1.0, 4, 101.0, "timeout"), (2.5, 10, 102.5, "timeout")],
)
def test_of_both_limits_the_nearer_one_counts(timeout: float, rows: int, until: float, word: str) -> None:
    deadlines = Deadlines(timeout, 0.5)
    deadlines.at(1, 7, rows, 100.0)
    assert deadlines.next == until
    assert f" {word} = " in deadlines.overdue(until)[0].cause


def test_progress_does_not_lengthen_the_time_of_the_chunk() -> None:
    deadlines = Deadlines(2.0, 1.0)
    deadlines.at(1, 7, 10, 100.0)
    for _ in range(9):
        deadlines.progressed(1, 1, 101.5)
    assert deadlines.next == 102.0
    assert "timeout = 2 s" in deadlines.overdue(102.0)[0].cause
