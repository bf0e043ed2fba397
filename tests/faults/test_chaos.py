"""Short chaos runs: each row once or a dead letter, each cause as journalled; and what is wrong is seen."""

from __future__ import annotations

from pathlib import Path

import pytest

import eisenmp
from eisenmp.core.ticket import Ticket
from tests.faults.chaos import Outcome, complaints, moment, report, run
from tests.faults.plan import FINE, KILL, RAISE, SLOW, STOP, Entry


@pytest.mark.parametrize("seed", [7, 4])  # forkserver and spawn, with few rows that stop: each takes its time
def test_a_short_run(seed: int, tmp_path: Path) -> None:
    outcome = run(moment(seed), str(tmp_path))
    assert complaints(outcome) == [], report(outcome)
    # else it says nothing
    inside = {entry.how for entry in outcome.journal if entry.row is not None}
    assert inside == {KILL, STOP, RAISE, SLOW}
    assert any(entry.row is None for entry in outcome.journal)
    assert {type(failure.error).__name__ for failure in outcome.failures} == {
        "WorkerDied", "ChunkTimeout", "WorkerFailed",
    }  # fmt: skip


# complaints


SIZE = moment(1)
ROWS = {
    kind: next(row for row in range(SIZE.rows) if SIZE.plan.of(row) == kind)
    for kind in (KILL, STOP, RAISE, FINE)
}


def failure(error: eisenmp.EisenmpError, rows: list[int], cause: str) -> eisenmp.Failure:
    return eisenmp.Failure(Ticket("queue", 1, 1), rows, error, cause, SIZE.budget + 1)


DIED = eisenmp.WorkerDied("")
KILLED = "process 7 was killed by signal 9 (SIGKILL)"


def good() -> Outcome:
    """A run in which only one row struck, which killed its worker."""
    row = ROWS[KILL]
    return Outcome(
        size=SIZE,
        kept={number: number * number for number in range(SIZE.rows) if number != row},
        twice=[],
        failures=[failure(DIED, [row], KILLED)],
        missing=0,
        deaths=[(7, KILLED)],
        journal=[Entry(KILL, row, 7)],
        tickets=1,
        seconds=1.0,
    )


def test_nothing_is_wrong_with_a_good_run() -> None:
    assert complaints(good()) == []


def test_rows_that_are_lost_or_come_twice_are_seen() -> None:
    kept = good().kept
    fine = ROWS[FINE]
    assert complaints(good()._replace(kept={row: kept[row] for row in kept if row != fine}))
    assert complaints(good()._replace(kept={**kept, ROWS[KILL]: ROWS[KILL] ** 2}))
    assert complaints(good()._replace(kept={**kept, fine: fine + 1}))
    assert complaints(good()._replace(kept={**kept, -1: 1}))
    assert complaints(good()._replace(twice=[fine]))
    assert complaints(good()._replace(missing=1))


def test_causes_that_are_not_those_of_the_journal_are_seen() -> None:
    row = ROWS[KILL]
    assert complaints(good()._replace(failures=[failure(DIED, [row], "timeout")]))
    assert complaints(good()._replace(failures=[failure(eisenmp.ChunkTimeout(""), [row], KILLED)]))
    assert complaints(good()._replace(deaths=[(7, "process 7 ended with exit code 1")]))
    assert complaints(good()._replace(deaths=[(8, KILLED)]))
    assert complaints(good()._replace(deaths=[]))
    assert complaints(good()._replace(journal=[]))
    assert complaints(good()._replace(journal=[Entry(STOP, None, 7)]))


def test_rows_that_are_innocent_are_not_to_be_given_up() -> None:
    row, other = ROWS[KILL], ROWS[FINE]
    kept = {number: value for number, value in good().kept.items() if number != other}
    assert complaints(good()._replace(kept=kept, failures=[failure(DIED, [row, other], KILLED)]))
    assert complaints(good()._replace(failures=[], kept={**good().kept, row: row * row}))


def test_an_error_names_its_row() -> None:
    row = ROWS[RAISE]
    kept = {number: value for number, value in good().kept.items() if number != row}
    raised = failure(eisenmp.WorkerFailed(""), [row], f"Refused: {row}")
    outcome = good()._replace(kept=kept, journal=[*good().journal, Entry(RAISE, row, 9)])
    assert complaints(outcome._replace(failures=[*good().failures, raised])) == []
    assert complaints(
        outcome._replace(failures=[*good().failures, raised._replace(cause=f"Refused: {row + 1}")])
    )
