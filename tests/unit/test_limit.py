"""Memory against its limit: what becomes of a worker, when to look again, how it is told."""

from __future__ import annotations

import pytest

from eisenmp.core.limit import (
    ENDS,
    GOES,
    INTERVAL,
    INTERVAL_MIN,
    STAYS,
    Size,
    exceeded,
    judge,
    mebibytes,
    pause,
)

MIB = 1024**2


@pytest.mark.parametrize(
    ("number", "verdict"),
    [
        (0, STAYS),
        (100 * MIB, STAYS),
        (100 * MIB + 1, GOES),
        (150 * MIB - 1, GOES),
        (150 * MIB, ENDS),
        (10**12, ENDS),
    ],
)
def test_what_becomes_of_a_worker(number: int, verdict: int) -> None:
    assert judge(number, 100 * MIB) == verdict


@pytest.mark.parametrize(
    ("before", "now", "seconds"),
    [
        (None, Size(140, 1.0), INTERVAL),
        (Size(50, 0.5), Size(50, 1.0), INTERVAL),
        (Size(90, 0.5), Size(50, 1.0), INTERVAL),
        # 20 a second: far over in five seconds
        (Size(40, 0.5), Size(50, 1.0), INTERVAL),
        # 500 a second: far over in a fifth
        (Size(0, 0.9), Size(50, 1.0), 0.2),
        (Size(0, 0.9), Size(149, 1.0), INTERVAL_MIN),
        (Size(0, 0.9), Size(200, 1.0), INTERVAL_MIN),
        # two looks at one time tell no rate
        (Size(0, 1.0), Size(200, 1.0), INTERVAL),
    ],
)
def test_who_grows_fast_is_looked_at_sooner(before: Size | None, now: Size, seconds: float) -> None:
    assert pause(100, before, now) == pytest.approx(seconds)


def test_a_worker_that_grows_is_seen_before_it_is_twice_as_big() -> None:
    """Whatever the rate, as long as it is not many times the limit in the shortest interval."""
    for rate in (10, 100, 1000, 5000):
        time, before = 0.0, None
        while True:
            now = Size(int(rate * time), time)
            if judge(now.number, 1000) == ENDS:
                break
            time += pause(1000, before, now)
            before = now
        assert now.number < 1000 * 2 or time <= INTERVAL, rate


def test_the_phrase() -> None:
    assert exceeded(512 * MIB, 601 * MIB) == "memory_max = 512 MiB exceeded: 601 MiB"
    assert [mebibytes(int(size * MIB)) for size in (1, 1.5, 2, 9.96, 10.4, 2048.7)] == [
        "1 MiB", "1.5 MiB", "2 MiB", "10.0 MiB", "10 MiB", "2049 MiB",
    ]  # fmt: skip
