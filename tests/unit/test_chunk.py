"""Cutting rows into chunks, and the STOP row."""

from __future__ import annotations

import array
import copy
import operator
import pickle
from collections import UserList, deque, namedtuple
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eisenmp.core.chunk import (
    STOP_MSG,
    STOP_ROW,
    Cutter,
    StopMessage,
    StopRow,
    chunks_expected,
    is_sliceable,
    rows_total,
)


class Rows:
    """A sequence by index alone."""

    def __init__(self, *rows: object) -> None:
        self.rows = rows

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, place: int) -> object:
        if not isinstance(place, int):
            raise TypeError("no slices")
        return self.rows[place]


class Frame:
    """A table: what it yields are the names of its columns."""

    iloc = None

    def __len__(self) -> int:
        return 3

    def __getitem__(self, place: object) -> Frame:
        return self

    def __iter__(self) -> Iterator[str]:
        return iter("ab")


Pair = namedtuple("Pair", "a b c")
ARRAY: Any = np.arange(6).reshape(3, 2)
SLICED: list[Any] = [
    [1, 2, 3], (1, 2, 3), range(1, 4), b"abc", bytearray(b"abc"), memoryview(b"abc"),
    array.array("i", [1, 2, 3]), UserList([1, 2, 3]), Pair(1, 2, 3), np.arange(3), ARRAY, memoryview(ARRAY),
]  # fmt: skip
ITERATED: list[Any] = ["abc", {"a": 1, "b": 2, "c": 3}, {1, 2, 3}, deque([1, 2, 3]), Rows(1, 2, 3), Frame()]


def kind(rows: object) -> str:
    return type(rows).__name__


def cut(rows: Any, size: int) -> list[Any]:
    cutter = Cutter(rows)
    found = []
    while (chunk := cutter.cut(size)) is not None:
        found.append(chunk)
    assert cutter.cut(size) is None
    return found


# -- what is cut how -----------------------------------------------------------------------------


@pytest.mark.parametrize("rows", SLICED, ids=kind)
def test_chunks_of_a_sequence_are_its_slices(rows: Any) -> None:
    cutter = Cutter(rows)
    assert is_sliceable(rows)
    assert cutter.sliced
    first, second = cutter.cut(2), cutter.cut(2)
    assert type(first) is type(rows[0:2])
    assert np.array_equal(first, rows[0:2])
    assert np.array_equal(second, rows[2:3])
    assert cutter.cut(2) is None
    assert cutter.cut(2) is None


@pytest.mark.parametrize("rows", ITERATED, ids=kind)
def test_all_else_is_iterated_into_lists(rows: Any) -> None:
    assert not is_sliceable(rows)
    assert not Cutter(rows).sliced
    expected = list(rows)
    assert cut(rows, 2) == [expected[start : start + 2] for start in range(0, len(expected), 2)]


def test_a_slice_of_an_array_is_no_copy() -> None:
    (chunk,) = cut(ARRAY, 3)
    assert np.shares_memory(chunk, ARRAY)


@pytest.mark.parametrize("rows", [[], (), range(0), b"", "", {}, iter(()), np.zeros(0)], ids=kind)
def test_nothing_makes_no_chunk(rows: Any) -> None:
    assert cut(rows, 3) == []


@pytest.mark.parametrize("rows", [5, None, object(), np.array(5), int], ids=kind)
def test_what_cannot_be_iterated_is_refused(rows: Any) -> None:
    with pytest.raises(TypeError):
        Cutter(rows)


@given(st.lists(st.integers(), max_size=30), st.lists(st.integers(1, 7), min_size=1), st.booleans())
def test_no_row_is_lost_whatever_the_sizes(rows: list[int], sizes: list[int], sliced: bool) -> None:
    cutter = Cutter(rows if sliced else iter(rows))
    found: list[int] = []
    turn = 0
    while (chunk := cutter.cut(size := sizes[turn % len(sizes)])) is not None:
        assert 1 <= len(chunk) <= size
        found += chunk
        assert len(chunk) == size or len(found) == len(rows)
        turn += 1
    assert found == rows


@pytest.mark.parametrize(
    ("rows", "total"),
    [([1, 2], 2), (range(10**12), 10**12), ("abc", 3), (iter([1]), None), (np.array(5), None)],
)
def test_the_total_is_known_without_consuming(rows: Any, total: int | None) -> None:
    assert rows_total(rows) == total


# -- sources that are iterated -------------------------------------------------------------------


class Source:
    """A generator's class, that says what happens to it."""

    def __init__(self, rows: int, error: BaseException | None = None) -> None:
        self.rows, self.error = rows, error
        self.pulled = 0
        self.closed = 0

    def __iter__(self) -> Iterator[int]:
        return self

    def __next__(self) -> int:
        if self.pulled == self.rows:
            raise self.error or StopIteration
        self.pulled += 1
        return self.pulled - 1

    def close(self) -> None:
        self.closed += 1


def test_a_source_is_pulled_no_further_than_the_chunk() -> None:
    source = Source(10)
    cutter = Cutter(source)
    assert source.pulled == 0
    assert cutter.cut(3) == [0, 1, 2]
    assert source.pulled == 3


def test_rows_that_came_before_an_error_are_kept() -> None:
    cutter = Cutter(Source(5, error := OSError("gone")))
    assert cutter.cut(3) == [0, 1, 2]
    assert cutter.partial == []
    with pytest.raises(OSError) as raised:
        cutter.cut(3)
    assert raised.value is error
    assert cutter.partial == [3, 4]


def test_nothing_is_partial_after_a_whole_chunk() -> None:
    cutter = Cutter(Source(2))
    assert cutter.cut(3) == [0, 1]
    assert cutter.partial == []
    assert cutter.cut(3) is None
    assert cutter.partial == []


def test_rows_may_be_taken_one_by_one() -> None:
    cutter = Cutter(Source(5, OSError()))
    assert list(cutter.rows(3)) == [0, 1, 2]
    rows: list[int] = []
    with pytest.raises(OSError):
        rows.extend(cutter.rows(4))
    assert rows == [3, 4]


def test_close_reaches_the_generator() -> None:
    ended = []

    def numbers() -> Iterator[int]:
        try:
            yield from range(10)
        finally:
            ended.append(True)

    cutter = Cutter(numbers())
    cutter.cut(2)
    cutter.close()
    assert ended == [True]
    source = Source(3)
    Cutter(source).close()
    assert source.closed == 1


@pytest.mark.parametrize("rows", [[1], "abc", iter([1]), range(3)], ids=kind)
def test_close_of_what_has_none_does_nothing(rows: Any) -> None:
    Cutter(rows).close()


@pytest.mark.parametrize(
    ("total", "rows_max", "chunks", "lists"),
    [(0, 3, 0, 1), (1, 3, 1, 1), (3, 3, 1, 2), (4, 3, 2, 2), (6, 3, 2, 3)],
)
def test_how_many_chunks_to_expect(total: int, rows_max: int, chunks: int, lists: int) -> None:
    assert chunks_expected(total, rows_max, listed=False) == chunks == len(cut(range(total), rows_max))
    # at the door of 1.0 the last list has fewer rows than the others, perhaps none
    assert chunks_expected(total, rows_max, listed=True) == lists


# -- STOP ----------------------------------------------------------------------------------------


def compared(one: object, other: object) -> set[bool]:
    """What == and != say of the two, from both sides."""
    equal = {operator.eq(one, other), operator.eq(other, one)}
    return equal | {not operator.ne(one, other), not operator.ne(other, one)}


@pytest.mark.parametrize("other", ["STOP", STOP_ROW, StopRow("STOP"), STOP_MSG], ids=kind)
def test_the_stop_row_is_any_stop(other: object) -> None:
    assert compared(STOP_ROW, other) == {True}


@pytest.mark.parametrize("other", ["stop", "NONSTOP", "", 5, None, ["STOP"]])
def test_the_stop_row_is_nothing_else(other: object) -> None:
    assert compared(STOP_ROW, other) == {False}


@pytest.mark.parametrize("other", ["STOP", "NONSTOP", "", 5, None])
def test_the_message_is_no_stop_of_a_user(other: object) -> None:
    assert compared(STOP_MSG, other) == {False}
    assert compared(STOP_MSG, StopMessage()) == {True}


def test_in_rows_only_the_stop_row_is_found() -> None:
    assert STOP_MSG in ["header", 1, STOP_ROW]
    assert STOP_MSG not in ["header", "STOP", "NONSTOP", 1, None]
    assert STOP_MSG in ("header", pickle.loads(pickle.dumps(STOP_ROW)))
    assert "STOP" in ["header", STOP_ROW]
    assert ["STOP", STOP_ROW].index(STOP_MSG) == 1
    assert ["STOP", STOP_ROW].count("STOP") == 2


def test_in_a_text_only_the_stop_row_is_found() -> None:
    assert STOP_MSG in STOP_ROW
    assert STOP_MSG in str(STOP_ROW)
    assert STOP_MSG not in "STOP"
    assert STOP_MSG not in "NONSTOP"
    assert "STO" in STOP_ROW
    assert "x" not in STOP_ROW


def test_in_sets_and_dicts_they_meet() -> None:
    assert hash(STOP_ROW) == hash(STOP_MSG) == hash("STOP")
    assert STOP_MSG in {STOP_ROW}
    assert STOP_MSG not in {"STOP"}
    assert "STOP" in {STOP_ROW}
    counts: dict[str, int] = {STOP_ROW: 1}
    assert counts["STOP"] == counts[STOP_MSG] == 1


@pytest.mark.parametrize("stop", [STOP_ROW, STOP_MSG], ids=kind)
def test_both_are_shown_as_stop(stop: str) -> None:
    assert str(stop) == "STOP"
    assert repr(stop) == "'STOP'"
    assert f"{stop}" == "STOP"
    assert f"{stop:>6}|{stop!s}|{stop!r}" == "  STOP|STOP|'STOP'"
    assert operator.mod("%s", stop) == "STOP"
    assert isinstance(stop, str)


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
@pytest.mark.parametrize("stop", [STOP_ROW, STOP_MSG], ids=kind)
def test_both_stay_what_they_are_in_a_pickle(stop: str, protocol: int) -> None:
    for found in (pickle.loads(pickle.dumps(stop, protocol)), copy.copy(stop), copy.deepcopy(stop)):
        assert type(found) is type(stop)
        assert found == stop
        assert str(found) == "STOP"
    assert STOP_MSG in pickle.loads(pickle.dumps(["header", STOP_ROW], protocol))


def test_a_row_of_an_array_is_compared_like_any_other() -> None:
    assert STOP_MSG in list(np.array(["a", STOP_ROW], dtype=object))
    assert STOP_MSG not in list(np.array(["a", "STOP"]))
