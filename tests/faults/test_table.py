"""The rows of the table come out as its rules say, and leave nothing behind.

A subset in which every pair of values occurs; all of them with FAULTS=all, as `make faults` does.
"""

from __future__ import annotations

import os
import re
from collections import Counter
from itertools import combinations
from pathlib import Path

import pytest

from tests.faults import table
from tests.faults.pairs import pairs_of, pairwise
from tests.faults.runner import environment, run
from tests.faults.table import POSSIBLE, Row, expected

CHOSEN = pairwise(POSSIBLE)
ROWS = POSSIBLE if os.environ.get("FAULTS") == "all" else sorted(CHOSEN, key=POSSIBLE.index)


@pytest.mark.parametrize("row", ROWS, ids=str)
def test_row(row: Row, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = str(tmp_path)
    for name, value in environment(row, folder).items():
        monkeypatch.setenv(name, value)
    outcome, follows = run(row, folder), expected(row)

    assert outcome.error == follows.error, outcome
    # kept: each row once, in order where that was asked for
    assert len(outcome.kept) == len(set(outcome.kept)), outcome
    if follows.kept is not None:
        assert set(outcome.kept) == follows.kept, outcome
    if row.order == "ordered":
        assert outcome.tickets == sorted(outcome.tickets), outcome
        assert outcome.kept == sorted(outcome.kept), outcome
    # given up: the guilty row, or its chunk where no process ended, with the cause
    assert sorted(outcome.given_up) == sorted(follows.given_up), outcome
    for failure in outcome.failures:
        assert type(failure.error).__name__ == follows.failure, outcome
        assert re.search(follows.cause, failure.cause), outcome
        if row.where == "print" and follows.failure != "FeedError":
            assert "the worker speaks" in failure.output_tail.splitlines(), outcome
    # all is accounted for
    if not follows.error:
        assert outcome.missing == 0
        assert {*outcome.kept, *(number for rows in outcome.given_up for number in rows)} == set(table.ROWS)
    # every process that was struck and ended is told, with the cause; and no other
    least, most = follows.strikes
    dead = {pid for pid, _ in outcome.deaths}
    # where a start has a limit, a busy machine may come to it before it comes to the fault
    late = dead - set(outcome.strikes) if follows.cause == table.NOT_READY else set()
    assert least - len(late) <= len(outcome.strikes) <= most, outcome
    if not follows.deaths:
        assert not dead, outcome
    elif follows.error:
        assert dead, outcome
        assert dead <= late.union(outcome.strikes), outcome
    else:
        assert dead <= late.union(outcome.strikes), outcome
        assert len(set(outcome.strikes) - dead) == follows.others, outcome
    for _, cause in outcome.deaths:
        assert re.search(follows.cause, cause), outcome
    # requeued: begun once for each death, and once more with success
    if row.place in table.WITH_A_CHUNK and row.where not in ("unpickling", "tools"):
        deaths = len(outcome.strikes) if follows.deaths else 1
        assert outcome.runs[table.GUILTY[row.where]] == deaths + follows.requeued, outcome
    # the manager opens nothing that only passes through, and workers nothing that is the manager's
    assert not outcome.spared, outcome
    if follows.exit_code:
        codes = Counter(outcome.exit_codes)
        assert codes == Counter([follows.exit_code] * len(outcome.strikes) + [0] * (2 - len(outcome.strikes)))


def test_the_subset_has_every_pair_that_is_possible() -> None:
    possible = set().union(*map(pairs_of, POSSIBLE))
    assert set().union(*map(pairs_of, CHOSEN)) == possible
    for (left, lefts), (right, rights) in combinations(enumerate(table.FACTORS), 2):
        for one in lefts:
            for other in rights:
                if (left, one, right, other) not in possible:
                    reasons = {
                        table.impossible(row) for row in table.ALL if (row[left], row[right]) == (one, other)
                    }
                    assert all(reasons), (one, other)
    assert len(CHOSEN) < len(POSSIBLE) / 4


def test_every_place_is_described() -> None:
    assert tuple(table.PLACES) == table.WHERE
