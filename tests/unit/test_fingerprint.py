"""Digests are the same in every process, and differ when the values do."""

from __future__ import annotations

import subprocess
import sys
from decimal import Decimal
from fractions import Fraction
from itertools import count
from threading import Lock
from typing import Any

import numpy
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eisenmp.core.fingerprint import BYTES_MAX, ROWS, digest, head_digest

PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text() | st.binary(),
    lambda inner: st.lists(inner) | st.tuples(inner, inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)


class Point:
    def __init__(self, x: Any) -> None:
        self.x = x


def adder(step: int) -> Any:
    return lambda number: number + step


@given(PLAIN, PLAIN)
def test_equal_digests_mean_equal_values(one: Any, other: Any) -> None:
    same = repr(one) == repr(other)  # 1, 1.0 and True are equal, and are not the same
    if not isinstance(one, dict):
        assert (digest(one) == digest(other)) is same
    if same:
        assert digest(one) == digest(other)


def test_the_order_of_a_mapping_or_a_set_does_not_count() -> None:
    assert digest({"a": 1, "b": 2}) == digest({"b": 2, "a": 1})
    assert digest({"a", "b", "c"}) == digest({"c", "b", "a"})
    assert digest([1, 2]) != digest([2, 1])


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (1, True),
        ([1, 2], (1, 2)),
        ("ab", b"ab"),
        (["ab", "c"], ["a", "bc"]),
        (Decimal("1.0"), Decimal("1.00")),
        (Fraction(1, 3), Fraction(1, 4)),
        (Point(1), Point(2)),
        (numpy.arange(3), numpy.arange(4)),
        (numpy.arange(3), numpy.arange(3.0)),
        (adder(1), adder(2)),
        (lambda: 1, lambda: 2),
        (int, float),
    ],
)
def test_what_differs(one: Any, other: Any) -> None:
    assert digest(one) == digest(one)
    assert digest(one) != digest(other)


def test_what_is_alive_besides_does_not_count() -> None:
    text = "".join(["a", "b"])
    assert digest([text, text]) == digest(["ab", "".join(["a", "b"])])
    assert digest(Point("x")) == digest(Point("x"))
    assert digest(adder(1)) == digest(adder(1))


def test_what_cannot_be_taken_apart_counts_by_its_type() -> None:
    assert digest(Lock()) == digest(Lock())


def test_an_object_may_hold_itself() -> None:
    one: list[Any] = [1]
    one.append(one)
    other: list[Any] = [2]
    other.append(other)
    assert digest(one) != digest(other)
    deep: list[Any] = []
    for _ in range(10_000):
        deep = [deep]
    assert digest(deep) == digest([deep[0]])


def test_the_head_looks_at_few_rows_and_at_little_of_each() -> None:
    assert head_digest(count()) == head_digest(range(ROWS))
    assert head_digest(range(ROWS)) != head_digest(range(ROWS - 1))
    long = "x" * BYTES_MAX
    assert head_digest([long + "a"]) == head_digest([long + "b"])
    assert head_digest([long + "a"]) != head_digest([long + "bc"])
    assert digest(long + "a") != digest(long + "b")


def test_the_same_under_any_hash_seed() -> None:
    program = (
        "from eisenmp.core.fingerprint import digest\n"
        "def f(x, known=frozenset('abcdef')):\n    return x in {'q', 'w', 'e', 'r', 't'}, known\n"
        "class C:\n    def m(self): return {'q', 'w', 'e'}\n"
        "print(digest([set('qwertzuiop'), {'k': frozenset('asdf')}, f, C]))"
    )
    outputs = {
        subprocess.run(
            [sys.executable, "-c", program],
            env={"PYTHONHASHSEED": seed}, capture_output=True, text=True, check=True,
        ).stdout
        for seed in ("1", "2", "3")
    }  # fmt: skip
    assert len(outputs) == 1
