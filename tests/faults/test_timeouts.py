"""Chunks that take too long: asked, told, made to end; only that worker is replaced, only that row is lost."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import eisenmp
from eisenmp.core.stack import top
from eisenmp.manager import events
from eisenmp.manager.ending import TERM_GRACE
from eisenmp.manager.enforcer import SOFT_MOST

from .stage import ACTS, PATIENCE, Stage, failures
from .test_causes import method
from .test_retries import any_method

__all__ = ["any_method", "method"]

LIMIT = 5.0
A_LITTLE = 0.1


def test_who_heeds_it_lives_on_and_is_late(any_method: str) -> None:
    with Stage(any_method, procs_max=1, timeout=LIMIT, on_error="skip") as job:
        feed = job.feed(1, ("heed",), 3)
        pid = job.hear()
        job.advance(LIMIT + A_LITTLE)
        assert [result.value for result in feed.in_order()] == [[1], [3]]
        assert failures(feed) == [(1, [("heed",)], "ChunkTimeout")]
        assert feed.failed[0].cause == "it took longer than timeout = 5 s"
        # however late it is now
        job.advance(SOFT_MOST + TERM_GRACE + LIMIT)
        assert [result.value for result in job.feed(("pid",))] == [[pid]]
        assert job.of(events.WorkerDied) == []


@pytest.mark.parametrize(
    ("method", "way", "code"),
    [
        *((method, "heed", None) for method in ("spawn", "portable", "forkserver")),
        *((method, "hang", -15) for method in ("spawn", "portable", "forkserver")),
        ("portable", "deaf", -9),
        ("forkserver", "deaf", -9),
        ("spawn", "stopped", -9),
        ("forkserver", "stopped", -9),
    ],
    indirect=["method"],
)
def test_what_ends_a_worker_and_where_it_was(method: str, way: str, code: int | None) -> None:
    with Stage(method, timeout=LIMIT) as job:
        pids = job.warm_up()
        feed = job.feed((way,))
        late = job.hear()
        job.advance(LIMIT + A_LITTLE)
        if code is not None:
            job.advance(SOFT_MOST)
        if code == -9:
            job.advance(TERM_GRACE)
        with pytest.raises(eisenmp.ChunkTimeout, match="it took longer than timeout = 5 s") as caught:
            list(feed)
        assert isinstance(caught.value, TimeoutError)
        assert (caught.value.ticket.number, caught.value.ticket.queue) == (0, "mp_input_q (default)")
        (failure,) = feed.failed
        assert failure.attempts == 1
        # who is stopped cannot say it; what is heeded at once may be told by a thread that comes too late
        if way != "stopped" and (way, method) != ("heed", "portable"):
            assert f"in {way}" in failure.stack
            assert top(failure.stack)[0] in str(caught.value)
        deaths = job.of(events.WorkerDied)
        assert [(death.pid, death.exitcode) for death in deaths] == ([(late, code)] if code else [])
        if code is not None:
            job.until(events.WorkerReady, 3)
        # the other one is who it was
        now = {process.pid for process in job.emp.proc_list}
        assert now & pids == (pids - {late} if code else pids)


def test_stacks_that_nobody_asked_for_are_not_printed(capfd: pytest.CaptureFixture[str]) -> None:
    with Stage("forkserver", procs_max=1, timeout=LIMIT, on_error="skip") as job:
        feed = job.feed(("heed",))
        job.hear()
        job.advance(LIMIT + A_LITTLE)
        assert feed.wait(PATIENCE)
        assert "in heed" in feed.failed[0].stack
    out, err = capfd.readouterr()
    assert "most recent call first" not in out + err


def test_within_its_budget_it_is_tried_again_elsewhere(any_method: str, tmp_path: Path) -> None:
    with Stage(any_method, timeout=LIMIT, retries={"timeout": 1}) as job:
        job.warm_up()
        feed = job.feed(("hang_once", str(tmp_path / "tried")))
        job.hear()
        job.advance(LIMIT + A_LITTLE)
        job.tick(feed)
        ((slots,),) = [result.value for result in feed]
        assert sorted(slots) == [0, 1]


def test_a_row_that_hangs_is_found_in_its_chunk(any_method: str) -> None:
    """Each piece that has it takes too long; the others are done meanwhile."""
    rows: list[Any] = list(range(1000))
    rows[617] = ("heed",)
    with Stage(any_method, procs_max=1, rows_max=1000, timeout=LIMIT, on_error="skip") as job:
        feed = job.emp.feed(rows)
        for _ in range(11):
            job.hear()
            job.advance(LIMIT + A_LITTLE)
        results = list(feed)
        assert [row for result in results for row in result.value] == [n for n in range(1000) if n != 617]
        parts = [result.ticket.part for result in results] + [lost.ticket.part for lost in feed.failed]
        assert sorted(parts) == list(range(1, 12))
        assert failures(feed) == [(0, [("heed",)], "ChunkTimeout")]
        assert job.of(events.WorkerDied) == []


def test_also_where_it_has_to_be_ended() -> None:
    """With the clock on the wall."""
    rows: list[Any] = [0, 1, 2, ("hang",), 4, 5]
    settings = {"timeout": 0.3, "retries": {"timeout": 1}, "on_error": "skip"}
    with Stage("forkserver", frozen=False, rows_max=6, **settings) as job:
        feed = job.emp.feed(rows)
        assert [row for result in feed for row in result.value] == [0, 1, 2, 4, 5]
        assert failures(feed) == [(0, [("hang",)], "ChunkTimeout")]


def test_rows_that_are_done_give_the_others_their_time(any_method: str) -> None:
    with Stage(any_method, rows_max=4, timeout_row=1.0) as job:
        feed = job.feed(("report", 2), ("gate", "second"), 3, 4)
        job.hear()
        job.advance(3.9)
        job.let_through()
        assert job.hear() == "second"
        # in all that is more than its rows have, but two of them have it anew
        job.advance(1.9)
        job.let_through()
        assert [result.value for result in feed] == [[None, "second", 3, 4]]


def test_and_no_more_than_that(any_method: str) -> None:
    with Stage(any_method, procs_max=1, rows_max=4, timeout_row=1.0, on_error="skip") as job:
        feed = job.feed(("report", 2), ("heed",), 3, 4)
        # whole, its first half, and each row of that
        for seconds in (2.1, 1.1, 1.1):
            job.hear()
            job.let_through()
            job.hear()
            job.advance(seconds)
        results = list(feed)
        assert [row for result in results for row in result.value] == [None, 3, 4]
        assert failures(feed) == [(0, [("heed",)], "ChunkTimeout")]
        assert feed.failed[0].cause == "it took longer than timeout_row = 1 s"


def test_a_row_of_imap_is_known_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hangs = tmp_path / "hangs"
    monkeypatch.setenv("HANGS", str(hangs))
    values = eisenmp.imap(
        f"{ACTS}:row",
        range(1000),
        rows_max=1000,
        procs_max=2,
        timeout_row=1.5,
        on_error="skip",
        start_method="forkserver",
    )
    assert list(values) == [2 * number for number in range(1000) if number != 617]
    # once in the chunk, once alone
    assert hangs.read_bytes() == b".."
