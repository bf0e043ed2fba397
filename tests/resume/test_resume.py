"""A job that was stopped goes on where its ledger ends: each result once, and nothing done twice."""

from __future__ import annotations

import os
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import numpy
import pytest

import eisenmp
from eisenmp import SettingsError
from eisenmp.errors import EisenmpError, FeedError, WorkerDied, WorkerFailed
from eisenmp.manager.archive import Archive
from eisenmp.manager.rerun import Rerun
from eisenmp.manager.retrial import Retrial
from eisenmp.manager.store import Store

from .jobs import WORKERS, Jobs


def numbers(count: int = 300) -> Iterator[int]:
    yield from range(count)


SOURCES = {
    "generator": numbers,
    "range": lambda: range(300),
    "list": lambda: list(range(300)),
    "bytes": lambda: bytes(range(256)) + bytes(44),
    "memoryview": lambda: memoryview(bytes(range(256)) + bytes(44)),
    "numpy": lambda: numpy.arange(300),
}


@pytest.mark.parametrize("name", SOURCES)
def test_it_goes_on(inline: Jobs, name: str) -> None:
    source = SOURCES[name]
    part = inline.part(source(), 12)
    settled = inline.done()
    assert len(settled) >= 12
    before = inline.ran()
    results = inline.run(source())
    assert [result.ticket.number for result in results] == list(range(30))
    assert [value for result in results for value in result.value[0]] == [int(row) ** 2 for row in source()]
    assert all(result in results for result in part)
    again = inline.ran() - before
    assert not settled & again.keys()
    assert settled | again.keys() == {(1, number) for number in range(30)}


def test_with_processes_and_in_the_order_of_arrival(local: Jobs) -> None:
    local.part(numbers(), 7)
    settled, before = local.done(), local.ran()
    with local.mp() as emp:
        feed = emp.feed(numbers())
        results = list(feed)
        assert (feed.missing, feed.failed, feed.expected) == ([], [], 30)
    assert sorted(result.ticket.number for result in results) == list(range(30))
    assert {result.ticket.number for result in results[: len(settled)]} <= set(range(30))
    assert not settled & (local.ran() - before).keys()


def test_what_is_done_is_done(jobs: Jobs) -> None:
    first = jobs.run(numbers())
    assert jobs.run(numbers()) == first
    assert set(jobs.ran().values()) == {1}
    with jobs.mp() as emp:
        assert emp.feed(numbers()).wait(60)


def test_without_a_ledger_yet_resume_begins_one(inline: Jobs) -> None:
    assert len(inline.run(numbers())) == 30
    with pytest.raises(SettingsError, match="it holds an earlier run"), inline.mp(resume=False):
        raise AssertionError("started")


def test_chunks_cut_by_time_are_cut_the_same_again(jobs: Jobs) -> None:
    jobs.part(numbers(5000), 5, rows_max="auto")
    settled, before = jobs.done(), jobs.ran()
    results = jobs.run(numbers(5000), rows_max="auto")
    assert [value for result in results for value in result.value[0]] == [row**2 for row in range(5000)]
    assert not settled & (jobs.ran() - before).keys()
    # and cut once more, by what the ledger says alone
    assert jobs.run(numbers(5000), rows_max="auto") == results


def test_a_sequence_is_sought(inline: Jobs) -> None:
    class Rows:
        def __init__(self) -> None:
            self.taken: list[int] = []

        def __len__(self) -> int:
            return 300

        def __getitem__(self, part: slice) -> range:
            self.taken.append(part.start)
            return range(300)[part]

    inline.part(Rows(), 12)
    settled = {number for _, number in inline.done()}
    rows = Rows()
    inline.run(rows)
    # the first slice tells whether it is the same source; the empty ones at 0 and behind the end are questions
    assert not {10 * number for number in settled - {0}} & set(rows.taken)


def test_rows_that_are_passed_over_are_not_pickled(inline: Jobs) -> None:
    pickled: list[int] = []

    class Row:
        def __init__(self, number: int) -> None:
            self.number = number

        def __reduce__(self) -> tuple[type[int], tuple[int]]:
            pickled.append(self.number)
            return int, (self.number,)

    inline.part((Row(number) for number in range(300)), 12)
    settled = {number for _, number in inline.done()} - {0}
    pickled.clear()
    assert len(inline.run(Row(number) for number in range(300))) == 30
    assert not settled & {number // 10 for number in pickled}


def test_feeds_are_told_apart_by_their_order(inline: Jobs) -> None:
    with inline.mp(resume=False) as emp:
        assert len(list(emp.feed(numbers(50)))) == 5
        list(islice(emp.feed(numbers(70), rows_max=7), 3))
    settled = inline.done()
    with inline.mp() as emp:
        one, two, three = emp.feed(numbers(50)), emp.feed(numbers(70), rows_max=7), emp.feed(numbers(20))
        assert [len(list(feed.in_order())) for feed in (one, two, three)] == [5, 10, 2]
    assert {number for number in inline.ran().items() if number[1] > 1} <= {
        (ticket, 2) for ticket in {(2, number) for number in range(10)} - settled
    }
    assert {feed for feed, _ in inline.ran()} == {1, 2, 3}


def test_another_manager_in_the_same_program_gives_the_same_random_numbers(inline: Jobs) -> None:
    first = inline.run(numbers())
    os.remove(inline.ledger)
    with inline.mp(resume=False) as emp:
        assert list(emp.feed(numbers()).in_order()) == first


def test_no_output_is_a_result_too(inline: Jobs) -> None:
    inline.part(numbers(), 12, "silent")
    settled, before = inline.done(), inline.ran()
    assert [result.value for result in inline.run(numbers(), "silent")] == [None] * 30
    assert not settled & (inline.ran() - before).keys()


def test_imap(tmp_path: Path) -> None:
    settings: dict[str, Any] = {"procs_max": 2, "ledger": str(tmp_path / "job.db"), "rows_max": 5}
    part = eisenmp.imap(f"{WORKERS}:row_squared", numbers(), **settings)
    assert list(islice(part, 20)) == [row * row for row in range(20)]
    part.close()  # type: ignore[attr-defined]
    values = eisenmp.imap(f"{WORKERS}:row_squared", numbers(), resume=True, **settings)
    assert list(values) == [row * row for row in range(300)]
    with pytest.raises(SettingsError, match="the job was one of imap and is none of imap"):
        eisenmp.Mp(f"{WORKERS}:row_squared", resume=True, **settings).start()


def of_old(jobs: Jobs, rows: Iterator[int]) -> eisenmp.Mp:
    """A program of 1.0 with a ledger."""
    emp = eisenmp.Mp()
    emp.start(
        worker_modules=[{"WORKER_PATH": str(WORKERS), "WORKER_REF": "of_old"}],
        PROCS_MAX=1, ROWS_MAX=10, log=str(jobs.log), RESULTS_STORE=True,
        EISENMP_LEDGER=jobs.ledger, EISENMP_RESUME=True,
    )  # fmt: skip
    emp.run_q_feeder(generator=rows, input_q=emp.mp_input_q)
    emp.join()
    return emp


def test_the_door_of_1_0(local: Jobs, capfd: pytest.CaptureFixture[str]) -> None:
    def broken() -> Iterator[int]:
        yield from range(55)
        raise RuntimeError("no more today")

    with pytest.raises(FeedError):
        of_old(local, broken())
    settled, before = local.done(), local.ran()
    assert settled
    emp = of_old(local, numbers(75))
    stored = emp.output_q_box
    assert sorted(row[1] for row in stored.values()) == sorted(
        sum(range(start, min(start + 10, 75))) for start in range(0, 75, 10)
    )
    assert not settled & (local.ran() - before).keys()
    capfd.readouterr()


# what was given up


ROWS = [1, 2, -3, 4, 2_000_000, 6]


def failures(jobs: Jobs, rows: Any = ROWS, **settings: Any) -> tuple[list[Any], list[eisenmp.Failure]]:
    with jobs.mp("unless", rows_max=1, on_error="skip", retries=0, **settings) as emp:
        feed = emp.feed(rows)
        values = [result.value for result in feed.in_order()]
        return values, feed.failed


def test_dead_letters_stay_what_they_are(local: Jobs) -> None:
    local.broken.touch()
    values, failed = failures(local)
    assert values == [[1], [2], [4], [6]]
    local.broken.unlink()
    before = local.ran()
    again, kept = failures(local)
    assert again == values
    assert local.ran() == before
    assert [failure.ticket for failure in kept] == sorted(failure.ticket for failure in failed)
    for new, old in zip(kept, sorted(failed, key=lambda failure: failure.ticket), strict=True):
        assert (new.rows, new.cause, new.attempts, new.output_tail) == (
            old.rows, old.cause, old.attempts, old.output_tail,
        )  # fmt: skip
        assert (type(new.error), str(new.error)) == (type(old.error), str(old.error))
    raised, died = kept
    assert isinstance(raised.error, WorkerFailed)
    assert isinstance(raised.error.__cause__, ValueError)
    assert "workers.py" in str(raised.error.__cause__.__cause__)
    assert isinstance(died.error, WorkerDied)
    assert died.error.exitcode == -9


def test_what_ended_the_job_is_tried_again(local: Jobs) -> None:
    local.broken.touch()
    with pytest.raises(WorkerFailed, match="-3 is negative"):
        local.run(ROWS[:4], "unless", rows_max=1)
    with Archive(local.ledger) as archive:
        assert [found.letter.cause for found in archive.letters()] == ["ValueError: -3 is negative"]
    with pytest.raises(WorkerFailed, match="-3 is negative"):
        local.run(ROWS[:4], "unless", rows_max=1)
    local.broken.unlink()
    assert [result.value for result in local.run(ROWS[:4], "unless", rows_max=1)] == [[1], [2], [-3], [4]]
    with Archive(local.ledger) as archive:
        assert list(archive.letters()) == []
        assert archive.counts() == (4, 4, 0)


def test_rows_that_cannot_be_sent(inline: Jobs) -> None:
    rows = [1, (number for number in "ab"), 3]
    values, failed = failures(inline, rows)
    assert values == [[1], [3]]
    again, kept = failures(inline, rows)
    assert again == values
    assert [(failure.ticket, failure.cause) for failure in kept] == [(failed[0].ticket, failed[0].cause)]
    assert isinstance(kept[0].error, FeedError)


# tools


def with_tool(jobs: Jobs, factor: Any, *, early: bool = True) -> list[Any]:
    emp = jobs.mp("times")
    if early:
        emp.broadcast(factor=factor)
    with emp:
        if not early:
            emp.broadcast(factor=factor)
        return [result.value for result in emp.feed(range(20)).in_order()]


@pytest.mark.parametrize("early", [True, False])
def test_tools_are_the_same_or_refused(inline: Jobs, early: bool) -> None:
    values = with_tool(inline, 3, early=early)
    assert with_tool(inline, 3, early=not early) == values
    with pytest.raises(SettingsError, match="the tool 'factor' has changed"):
        with_tool(inline, 4, early=early)
    with Archive(inline.ledger) as archive:
        assert archive.tools(1).keys() == {"factor"}


# what is refused


def refusal(jobs: Jobs, rows: Any = None, worker: str = "squares", **settings: Any) -> str:
    """What a job says that goes on with `numbers()` and is another one."""
    jobs.part(numbers(), 12)
    before = jobs.ran()
    settled = jobs.done()
    with pytest.raises(EisenmpError) as refused:
        jobs.run(numbers() if rows is None else rows, worker, **settings)
    assert not settled & (jobs.ran() - before).keys()
    text = str(refused.value)
    assert text.startswith(f"{jobs.ledger}: ")
    assert len(jobs.run(numbers())) == 30  # and the ledger is as good as before
    return text


def test_another_worker(inline: Jobs) -> None:
    text = refusal(inline, worker="silent")
    assert "the worker modules were workers.py:squares and are workers.py:silent" in text
    assert "`eisenmp dlq retry`" in text


def test_a_worker_that_was_changed(inline: Jobs) -> None:
    copy = inline.folder / "own_squares.py"
    copy.write_text(WORKERS.read_text())
    settings = {"log": str(inline.log)}

    def run(resume: bool) -> eisenmp.Mp:
        return eisenmp.Mp(
            f"{copy}:squares", engine="inline", ledger=inline.ledger, resume=resume, variables=settings
        )

    with run(False) as emp:
        emp.feed(range(10)).wait()
    copy.write_text(WORKERS.read_text() + "\n# mended\n")
    with pytest.raises(SettingsError, match=r"the source of own_squares.py:squares has changed \(SHA-256 "):
        run(True).start()
    copy.write_text(WORKERS.read_text())
    with run(True) as emp:
        emp.feed(range(10)).wait()


def test_a_function_that_was_changed(tmp_path: Path) -> None:
    def of(step: int) -> Any:
        @eisenmp.worker
        def add(toolbox: Any, rows: Any) -> Any:
            return [row + step for row in rows]

        return add

    def run(step: int, resume: bool) -> eisenmp.Mp:
        ledger = str(tmp_path / "job.db")
        return eisenmp.Mp(of(step), engine="inline", ledger=ledger, resume=resume)

    with run(1, False) as emp:
        emp.feed(range(10)).wait()
    with run(1, True) as emp:
        assert [result.value for result in emp.feed(range(10))] == [list(range(1, 11))]
    with pytest.raises(SettingsError, match=r"the source of .*add has changed"):
        run(2, True).start()


def test_other_variables(inline: Jobs) -> None:
    assert "the variable factor is new" in refusal(inline, variables={"factor": 2})


def test_other_chunks(inline: Jobs) -> None:
    assert "of feed 1, rows_max was 10 and is 20" in refusal(inline, rows_max=20)


def test_a_sequence_instead_of_a_generator(inline: Jobs) -> None:
    assert "the source had an unknown number of rows and has 300 rows" in refusal(inline, range(300))


def test_other_rows(inline: Jobs) -> None:
    text = refusal(inline, (row + 1 for row in range(300)))
    assert "the source of feed 1 is not the one of the ledger: its first rows are others" in text


def test_too_few_rows(inline: Jobs) -> None:
    text = refusal(inline, numbers(25))
    assert "is not the one of the ledger: ticket 2 had 10 rows and has 5" in text


def test_no_rows(inline: Jobs) -> None:
    assert "ticket 0 had 10 rows and has 0" in refusal(inline, numbers(0))


@pytest.mark.parametrize(
    ("count", "text"), [(310, "more than the 300 rows"), (295, "ticket 29 had 10 rows and has 5")]
)
def test_another_end(inline: Jobs, count: int, text: str) -> None:
    inline.run(numbers())
    with pytest.raises(EisenmpError, match=text):
        inline.run(numbers(count))


def test_two_managers(inline: Jobs) -> None:
    with inline.mp() as emp:
        with pytest.raises(SettingsError, match=f"the ledger is in use by process {os.getpid()}"):
            inline.mp().start()
        assert len(list(emp.feed(numbers()))) == 30


def test_a_file_that_is_none(inline: Jobs) -> None:
    Path(inline.ledger).write_text("no ledger")
    for resume in (True, False):
        with pytest.raises(SettingsError, match="this is no ledger of eisenmp"):
            inline.mp(resume=resume).start()


def test_a_result_that_was_damaged_ends_the_feed(inline: Jobs) -> None:
    inline.run(numbers())
    import sqlite3

    database = sqlite3.connect(inline.ledger)
    database.execute("UPDATE results SET checksum = checksum + 1 WHERE ticket = (1 << 40) + 7")
    database.commit()
    database.close()
    with pytest.raises(EisenmpError, match="the ledger is damaged: the result of ticket 7 of feed 1"):
        inline.run(numbers())


# chunks that were cut


POISON = [1, 2, 2_000_000, 4, 5, 3_000_000, 7, 8]


def parts(jobs: Jobs) -> tuple[list[tuple[int, int, Any]], list[Any]]:
    """(number, part, value) of the results, and (part, rows, cause) of what was given up."""
    with jobs.mp("unless", rows_max=8, on_error="skip", retries=0) as emp:
        feed = emp.feed([*POISON, *range(8)])
        results = [(ticket.number, ticket.part, value) for ticket, value in feed.in_order()]
        return results, sorted((lost.ticket.part, lost.rows, lost.cause) for lost in feed.failed)


def test_the_pieces_of_a_chunk(local: Jobs) -> None:
    local.broken.touch()
    first = parts(local)
    results, lost = first
    assert [row for _, _, value in results for row in value] == [1, 2, 4, 5, 7, 8, *range(8)]
    assert [rows for _, rows, _ in lost] == [[2_000_000], [3_000_000]]
    local.broken.unlink()
    before = local.ran()
    again = parts(local)
    assert again[0] == results
    assert [(part, rows) for part, rows, _ in again[1]] == [(part, rows) for part, rows, _ in lost]
    assert local.ran() == before
    # one letter, then the other
    for start, left in ((5, 1), (2, 0)):
        assert retry(local, start) == left
        values, lost = parts(local)
        assert len(lost) == left
    assert [row for _, _, value in values for row in value] == [*POISON, *range(8)]
    cut = [part for number, part, _ in values if not number]
    assert cut == list(range(1, len(cut) + 1))


def retry(jobs: Jobs, start: int) -> int:
    """Run the dead letter that starts at that row of its chunk; how many are left."""
    with Archive(jobs.ledger) as archive:
        store = Store(jobs.ledger)
        store.open({}, resume=True)
        trial = Retrial(archive, store, Rerun(archive))
        (outcome,) = trial.run(found for found in archive.letters() if found.letter.start == start)
        assert (outcome.letters, len(outcome.pieces)) == ((), 1)
        store.close()
        return len(list(archive.letters()))
