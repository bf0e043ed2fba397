"""The order of the tests: all of them, once, the long ones first in the share of each process."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import pytest

from tests.order import LONG, in_order

ROOT = Path(__file__).resolve().parents[2]


class Item(NamedTuple):
    nodeid: str


TESTS = [Item(f"test_{letter}[{number}]") for letter in "abcd" for number in range(3)]


def names(processes: int, *long: str) -> str:
    return " ".join(test.nodeid[5:].replace("[", "")[:2] for test in in_order(TESTS, processes, long))


def test_long_ones_begin_and_stay_together() -> None:
    assert names(1, "test_d", "test_b[1]") == "d0 d1 d2 b1 a0 a1 a2 b0 b2 c0 c1 c2"
    assert names(2, "test_d", "test_b[1]") == "d0 d1 d2 a0 a1 a2 b0 b1 b2 c0 c1 c2"
    assert names(2) == "a0 a1 a2 b0 b1 b2 c0 c1 c2 d0 d1 d2"


@pytest.mark.parametrize("processes", [1, 2, 3, 4, 7, 50])
def test_none_is_lost_and_none_comes_twice(processes: int) -> None:
    assert sorted(in_order(TESTS, processes, ("test_c", "test_a[0]", "no_such"))) == sorted(TESTS)


def test_what_is_long_is_there() -> None:
    """A test that was renamed is to be renamed there."""
    for begin in LONG:
        file, _, name = begin.partition("::")
        assert f"def {name.partition('[')[0]}" in (ROOT / file).read_text(), begin
