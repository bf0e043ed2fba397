"""How many rows a chunk has that is cut by measured time. Through a whole manager: test_auto."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

import pytest

from eisenmp.core.pace import BYTES_MAX, GROWTH, ROWS_MAX, TARGET, Pace

LEAST, MOST = 0.02, 0.1  # seconds of work that a chunk should have
OVERHEAD = 20e-6  # seconds that each chunk costs besides its rows


def run(pace: Pace, cost: Callable[[int], float], chunks: int, flying: int = 6) -> list[tuple[int, float]]:
    """Rows and seconds of chunks, of which so many are cut before the first of them is done."""
    done = []
    cut: deque[int] = deque()
    for number in range(chunks + flying):
        if number < chunks:
            cut.append(pace.rows)
        if len(cut) == flying or number >= chunks:
            rows = cut.popleft() if cut else 0
            if rows:
                seconds = OVERHEAD + rows * cost(len(done))
                pace.done(rows, seconds)
                done.append((rows, seconds))
    return done


@pytest.mark.parametrize("cost", [1e-6, 1e-5, 1e-4, 1e-3, 1e-2])
@pytest.mark.parametrize("flying", [1, 6, 130, 600])
def test_chunks_come_to_the_time_that_they_should_take(cost: float, flying: int) -> None:
    done = run(Pace(), lambda number: cost, 30 * flying, flying)
    assert all(LEAST <= seconds <= MOST for _, seconds in done[-10 * flying :])


def test_a_row_that_takes_longer_is_a_chunk() -> None:
    assert {rows for rows, _ in run(Pace(), lambda number: 1.0, 50)} == {1}


@pytest.mark.parametrize("before,after", [(1e-6, 1e-2), (1e-2, 1e-6), (1e-4, 3e-4), (1e-3, 1.0), (1.0, 1e-3)])
def test_when_rows_change_their_cost_the_chunks_follow(before: float, after: float) -> None:
    pace = Pace()
    done = run(pace, lambda number: before if number < 100 else after, 250)
    shortest = max(LEAST, after)  # a chunk has a row at least
    for late in (done[60:100], done[160:]):
        assert all(LEAST <= seconds <= MOST or rows == 1 for rows, seconds in late)
    assert min(seconds for _, seconds in done[160:]) >= min(shortest, LEAST)
    # once the first slow chunk is known, only those that were cut already are out of measure
    slow = [rows for rows, seconds in done[100:] if seconds > MOST and rows > 1]
    assert len(slow) <= 6


def test_costs_that_scatter_give_chunks_in_measure() -> None:
    done = run(Pace(), lambda number: (0.7, 1.3, 1.0, 0.8, 1.2)[number % 5] * 1e-4, 200)
    assert all(LEAST <= seconds <= MOST for _, seconds in done[60:])


def test_a_chunk_that_was_cut_early_says_nothing_unless_it_took_long() -> None:
    pace = Pace()
    run(pace, lambda number: 1e-6, 200)
    rows = pace.rows
    pace.done(1, 3 * OVERHEAD)
    pace.done(rows // GROWTH - 1, 0.01)
    pace.done(10, -1.0)
    assert pace.rows == rows
    pace.done(100, 1.0)
    assert pace.rows == int(TARGET / 0.01)


def test_a_chunk_grows_by_a_few_times_of_what_was_measured_and_not_without_end() -> None:
    pace = Pace()
    pace.done(1, 0.0)
    assert pace.rows == GROWTH
    pace.done(1, 0.0)
    assert pace.rows == GROWTH
    for _ in range(20):
        pace.done(pace.rows, 0.0)
    assert pace.rows == ROWS_MAX


def test_large_rows_make_small_chunks() -> None:
    pace = Pace()
    pace.packed(1, 2 * BYTES_MAX)
    run(pace, lambda number: 1e-6, 20)
    assert pace.rows == 1
    pace.packed(1, 1 << 20)
    run(pace, lambda number: 1e-6, 20)
    assert pace.rows == BYTES_MAX >> 20
    pace.packed(pace.rows, pace.rows << 21)
    assert pace.rows == BYTES_MAX >> 21
