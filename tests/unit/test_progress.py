"""Progress: rate, percent and time left, and the two ways to say so."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eisenmp.core.progress import HALF_LIFE, Progress, clock, info_rows, info_text, percent_shown, speed


def test_a_steady_rate_is_exact_from_the_first_update() -> None:
    progress = Progress(100.0, total=1_000)
    for second in range(1, 9):
        rate, percent, eta = progress.update(100 * second, 100.0 + second)
        assert rate == pytest.approx(100.0)
        assert percent == pytest.approx(10.0 * second)
        assert eta == pytest.approx(10.0 - second)


def test_before_the_first_row_only_the_percent_is_known() -> None:
    progress = Progress(5.0, total=10)
    assert (progress.rate, progress.percent, progress.eta) == (0.0, 0.0, None)
    assert progress.update(0, 5.0) == (0.0, 0.0, None)
    assert progress.update(0, 9.0) == (0.0, 0.0, None)
    assert progress.info() is None
    assert progress.line() == "0 of 10 rows  0.0 %"


def test_rows_at_the_moment_of_the_start_give_no_rate() -> None:
    progress = Progress(5.0, total=10)
    assert progress.update(4, 5.0) == (0.0, 40.0, None)
    assert 0.0 < progress.update(4, 7.0)[0] <= 2.0


def test_the_rate_follows_a_change_and_smooths_a_burst() -> None:
    progress = Progress(0.0)
    now = 0.0
    for _ in range(100):
        now += 1.0
        progress.add(100, now)
    before = progress.rate
    progress.add(1_000, now + 1.0)
    assert before < progress.rate < 2 * before
    now += 1.0
    for _ in range(100):
        now += 1.0
        progress.add(10, now)
    assert progress.rate == pytest.approx(10.0, rel=0.2)


def test_a_stall_lowers_the_rate() -> None:
    progress = Progress(0.0, total=2_000)
    progress.update(1_000, 10.0)
    rate, _, eta = progress.update(1_000, 10.0 + HALF_LIFE)
    assert rate < 60.0
    assert eta is not None
    assert eta > 15.0


def test_without_a_total_there_is_neither_percent_nor_eta() -> None:
    progress = Progress(0.0)
    rate, percent, eta = progress.update(31_000, 10.0)
    assert rate == pytest.approx(3_100.0)
    assert percent is None
    assert eta is None
    assert progress.line() == "31,000 rows  3,100 rows/s"
    assert progress.info() is None


def test_a_total_may_become_known_later() -> None:
    progress = Progress(0.0)
    progress.update(50, 1.0)
    progress.total = 100
    assert progress.percent == 50.0
    assert progress.eta == pytest.approx(1.0)


def test_more_rows_than_announced_stay_at_100_percent() -> None:
    progress = Progress(0.0, total=100)
    rate, percent, eta = progress.update(103, 10.0)
    assert rate == pytest.approx(10.3)
    assert (percent, eta) == (100.0, 0.0)
    assert progress.info() == '\n\t[ "100.0%" done,  "0.0" seconds left ]\n'
    assert progress.line() == "103 of 100 rows  100.0 %  10 rows/s  0:00:00 left"


def test_nothing_to_do_is_done() -> None:
    progress = Progress(0.0, total=0)
    assert (progress.percent, progress.eta) == (100.0, 0.0)


def test_rows_and_time_do_not_run_backwards() -> None:
    progress = Progress(10.0, total=100)
    progress.update(50, 20.0)
    rate = progress.rate
    assert progress.update(40, 15.0) == (rate, 50.0, 50 / rate)
    assert progress.add(-5, 19.0)[1] == 50.0
    assert progress.done == 50
    # The time between 15 and 20 is not counted twice.
    assert progress.update(60, 21.0)[0] == pytest.approx(rate, rel=0.2)


@settings(deadline=None)
@given(
    total=st.none() | st.integers(0, 10**9),
    steps=st.lists(st.tuples(st.integers(-(10**6), 10**12), st.floats(-1e9, 1e9)), max_size=30),
)
def test_never_past_100_and_never_negative(total: int | None, steps: list[tuple[int, float]]) -> None:
    progress = Progress(0.0, total=total)
    for done, now in steps:
        rate, percent, eta = progress.update(done, now)
        assert rate >= 0.0
        assert percent is None or 0.0 <= percent <= 100.0
        assert eta is None or eta >= 0.0
        assert "-" not in progress.line()
        assert "-" not in (progress.info() or "")


def test_the_plain_line() -> None:
    progress = Progress(0.0, total=50_000)
    progress.update(12_000, 3.871)
    assert progress.line() == "12,000 of 50,000 rows  24.0 %  3,100 rows/s  0:00:12 left"
    slow = Progress(0.0, total=10)
    slow.update(1, 20.0)
    assert slow.line() == "1 of 10 rows  10.0 %  180.0 rows/h  0:03:00 left"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-3.0, "0:00:00"),
        (0.0, "0:00:00"),
        (0.1, "0:00:01"),
        (12.0, "0:00:12"),
        (59.5, "0:01:00"),
        (3_599.0, "0:59:59"),
        (3_600.0, "1:00:00"),
        (86_399.0, "23:59:59"),
        (90_061.0, "1 day 1:01:01"),
        (183_845.0, "2 days 3:04:05"),
    ],
)
def test_a_clock(seconds: float, text: str) -> None:
    assert clock(seconds) == text


@pytest.mark.parametrize(
    ("rate", "text"),
    [
        (12_345.6, "12,346 rows/s"),
        (10.0, "10 rows/s"),
        (2.54, "2.5 rows/s"),
        (0.1, "0.1 rows/s"),
        (0.001, "3.6 rows/h"),
    ],
)
def test_a_speed(rate: float, text: str) -> None:
    assert speed(rate) == text


@pytest.mark.parametrize(
    ("percent", "shown"),
    [(-1.0, 0.0), (0.0, 0.0), (33.333, 33.3), (99.94, 99.9), (99.99, 99.9), (100.0, 100.0), (102.0, 100.0)],
)
def test_100_percent_is_shown_only_at_the_end(percent: float, shown: float) -> None:
    assert percent_shown(percent) == shown


@pytest.mark.parametrize(
    ("percent", "seconds", "text"),
    [
        (24.0, 12.0, '\n\t[ "24.0%" done,  "12.0" seconds left ]\n'),
        (24.06, 12.34, '\n\t[ "24.1%" done,  "12.3" seconds left ]\n'),
        (102.0, -0.8, '\n\t[ "100.0%" done,  "0.0" seconds left ]\n'),
        (1.0, 3_599.9, '\n\t[ "1.0%" done,  "3599.9" seconds left ]\n'),
        (1.0, 3_600.0, '\n\t[ "1.0%" done,  "1.0" hours left ]\n'),
        (1.0, 9_000.0, '\n\t[ "1.0%" done,  "2.5" hours left ]\n'),
        (1.0, 86_400.0, '\n\t[ "1.0%" done,  "24.0" hours left ]\n'),
        (0.1, 216_000.0, '\n\t[ "0.1%" done,  "2.5" days left ]\n'),
    ],
)
def test_the_message_of_1_0(percent: float, seconds: float, text: str) -> None:
    assert info_text(percent, seconds) == text


def test_the_message_of_a_run() -> None:
    progress = Progress(0.0, total=10_000)
    progress.update(2_500, 30.0)
    assert progress.info() == '\n\t[ "25.0%" done,  "90.0" seconds left ]\n'


@pytest.mark.parametrize(
    ("message", "rows"),
    [
        (["PERF_HEADER_ETAProcess-1", 42], 42),
        (["PERF_HEADER_ETAProcess-1", 43], 42),
        (["PERF_HEADER_ETAProcess-1", 44], 44),
        (["PERF_HEADER_ETAProcess-1", 17], 17),
        (["PERF_HEADER_ETA", "12"], 12),
        (["PERF_HEADER_ETAProcess-1", -4], 0),
        (["PERF_HEADER_ETAProcess-1", None], 0),
        (["PERF_HEADER_ETAProcess-1", "many"], 0),
        (["PERF_HEADER_ETAProcess-1", float("inf")], 0),
        (["PERF_HEADER_ETAProcess-1"], None),
        (["OTHER", 42], None),
        ([42, 42], None),
        ([], None),
        ("PERF_HEADER_ETAProcess-1", None),
        (None, None),
    ],
)
def test_the_rows_that_a_worker_reports(message: object, rows: int | None) -> None:
    assert info_rows(message, rows_max=42) == rows


def test_without_rows_max_the_count_is_taken_as_it_is() -> None:
    assert info_rows(["PERF_HEADER_ETA", 43]) == 43


def test_lists_counted_with_header_and_stop_reach_100_percent_and_no_more() -> None:
    rows_max, rows = 42, 10_000
    progress = Progress(0.0, total=rows)
    full, rest = divmod(rows, rows_max)
    counts = [rows_max + 1] * full + [rest + 2]
    for number, count in enumerate(counts, 1):
        progress.add(info_rows(["PERF_HEADER_ETAProcess-1", count], rows_max) or 0, float(number))
        assert progress.done <= min(number * rows_max, rows) + 2
        assert progress.percent is not None
        assert progress.percent <= 100.0
    assert progress.percent == 100.0
