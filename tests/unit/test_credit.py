"""Credit: how many chunks are sent ahead of the running one."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eisenmp.core.credit import CREDIT_MAX, MOMENT, SMOOTHING, Credit

SECONDS = st.one_of(st.floats(0.0, 1e6), st.sampled_from([0.0, 1e-9, MOMENT, MOMENT / 2, 5e-324, 1e300]))


def credit(*seconds: float) -> Credit:
    measured = Credit()
    for duration in seconds:
        measured.measured(duration)
    return measured


def test_one_chunk_ahead_until_something_was_measured() -> None:
    assert Credit().ahead == 1
    assert Credit().seconds == 0.0


@pytest.mark.parametrize(
    ("seconds", "ahead"),
    [
        (1e-6, CREDIT_MAX),
        (MOMENT / 100, CREDIT_MAX),
        (MOMENT / 10.5, 11),
        (MOMENT / 2, 3),
        (MOMENT * 1.01, 1),
        (60, 1),
    ],
)
def test_as_many_as_take_a_moment(seconds: float, ahead: int) -> None:
    assert credit(seconds).ahead == ahead
    assert credit(seconds).seconds == seconds


def test_the_change_is_told() -> None:
    measured = Credit()
    assert measured.measured(1e-5) == CREDIT_MAX - 1
    assert measured.measured(1e-5) == 0
    assert measured.measured(1.0) == 1 - CREDIT_MAX


def test_a_chunk_without_duration_is_no_measure_of_the_next() -> None:
    assert credit(0.0).ahead == CREDIT_MAX
    assert credit(0.0, 1.0).seconds == 1.0
    assert credit(0.0, 1.0).ahead == 1


def test_a_much_slower_chunk_counts_at_once_and_a_faster_one_slowly() -> None:
    assert credit(1e-5, 1e-5, 1.0).seconds == 1.0
    assert credit(1.0, 0.0).seconds == pytest.approx(1.0 - SMOOTHING)
    assert credit(1.0, 2.0).seconds == pytest.approx(1.0 + SMOOTHING)


def test_a_steady_time_is_reached() -> None:
    assert credit(1.0, *[1e-5] * 60).ahead == CREDIT_MAX
    assert credit(1e-5, *[0.1] * 60).ahead == 1


@given(st.lists(SECONDS, min_size=1))
def test_it_stays_within_bounds_and_the_changes_add_up(durations: list[float]) -> None:
    measured = Credit()
    total = 1
    for seconds in durations:
        total += measured.measured(seconds)
        assert total == measured.ahead
        assert 1 <= measured.ahead <= CREDIT_MAX
        assert 0.0 <= measured.seconds <= max(durations) * (1 + 1e-9)
