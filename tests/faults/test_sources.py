"""Sources that call sys.exit(): an error of their feed, and no silent end of it."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import pytest

import eisenmp


@eisenmp.worker
def same(toolbox: eisenmp.ToolBox, rows: list[int]) -> list[int]:
    return list(rows)


def leaves() -> Iterator[int]:
    yield from range(3)
    sys.exit(5)


def leaves_late() -> Iterator[int]:
    try:
        yield from range(1_000_000)
    finally:
        sys.exit(7)


def test_a_generator_that_calls_exit_is_an_error_of_its_feed() -> None:
    with eisenmp.Mp(same, procs_max=1, rows_max=2) as emp:
        feed = emp.feed(leaves())
        results = iter(feed)
        assert next(results).value == [0, 1]
        with pytest.raises(eisenmp.FeedError, match="SystemExit: 5 at row 3, in ticket 1") as caught:
            next(results)
        assert isinstance(caught.value.__cause__, SystemExit)
        assert [failure.rows for failure in feed.failed] == [[2]]
        # the manager goes on
        assert [result.value for result in emp.feed(range(2))] == [[0, 1]]


def test_a_generator_that_calls_exit_when_it_is_closed_ends_its_feed() -> None:
    with pytest.warns(UserWarning, match="closing the generator .* raised SystemExit"):
        with eisenmp.Mp(same, procs_max=1, rows_max=2) as emp:
            feed = emp.feed(leaves_late())
            for result in feed:
                assert result.value == [0, 1]
                break
            feed.cancel()
            assert feed.wait(60)
