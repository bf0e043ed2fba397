"""Sources that workers read, in jobs with a ledger: resumed, refused when they have changed, run once more."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import eisenmp
from eisenmp.errors import EisenmpError
from eisenmp.manager.archive import Archive
from eisenmp.manager.rerun import Rerun

from .jobs import Jobs

GENERATOR = """
def numbers(count):
    yield from range(count)
"""


@pytest.fixture
def numbers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    monkeypatch.syspath_prepend(str(tmp_path))  # where threads of this process find it, it stays
    path = tmp_path / "numbers_of_job.py"
    path.write_text(GENERATOR)
    return lambda count: eisenmp.replicate(f"{path}:numbers", count)


@pytest.fixture
def lines(tmp_path: Path) -> Callable[..., Any]:
    path = tmp_path / "lines"
    path.write_text("".join(f"{number}\n" for number in range(303)))
    return lambda count: eisenmp.lines(path)


@pytest.mark.parametrize("kind", ["numbers", "lines"])
@pytest.mark.parametrize("before", [0, 12, 31])
def test_it_goes_on(inline: Jobs, request: pytest.FixtureRequest, kind: str, before: int) -> None:
    source = request.getfixturevalue(kind)
    inline.part(source(303), before)
    settled, ran = inline.done(), inline.ran()
    results = inline.run(source(303))
    assert [result.ticket.number for result in results] == list(range(31))
    assert [value for result in results for value in result.value[0]] == [n**2 for n in range(303)]
    again = inline.ran() - ran
    assert not settled & again.keys()
    with Archive(inline.ledger) as archive:
        assert archive.counts() == (31, 31, 0)
        (feed,) = archive.feeds()
        assert (feed.tickets, feed.rows) == (31, 303)
        assert [archive.sent(1, number).rows for number in (0, 29, 30)] == [10, 10, 3]
    # and all of it is known now
    ran = inline.ran()
    assert inline.run(source(303)) == results
    assert inline.ran() == ran


def test_another_source_is_refused(inline: Jobs, numbers: Callable[..., Any]) -> None:
    inline.part(numbers(303), 12)
    with pytest.raises(EisenmpError, match="its first rows are others"):
        inline.run(numbers(304))


@pytest.mark.parametrize("kind", ["numbers", "lines"])
def test_a_ticket_is_run_once_more(inline: Jobs, request: pytest.FixtureRequest, kind: str) -> None:
    source = request.getfixturevalue(kind)
    inline.part(source(303), 31)
    with Archive(inline.ledger) as archive:
        rerun = Rerun(archive, engine="inline")
        (feed,) = archive.feeds()
        for number in (3, 30):
            (outcome,) = rerun.run(rerun.of_ticket(feed, number))
            assert [output.body for piece in outcome.pieces for output in piece.outputs] == [
                output.body
                for output in outcome.task.before.outputs  # type: ignore[union-attr]
            ]
