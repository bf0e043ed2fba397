"""Chunks as the feeder has packed them, in pieces: of the same kind, no row lost, or not at all.

What becomes of rows that only the user's code can open: tests/faults.
"""

from __future__ import annotations

from typing import Any

import numpy
import pytest

from eisenmp.core.chunk import Cutter
from eisenmp.manager.cutting import cut_plain
from eisenmp.manager.feeder import _packed
from eisenmp.wire.pickles import dumps, loads


class Shut:
    """A row that would end the program that opens it."""

    def __reduce__(self) -> tuple[Any, ...]:
        return _leave, ()


def _leave() -> None:
    raise SystemExit("opened")


SOURCES: list[tuple[str, Any, type]] = [
    ("list", [1, "two", None, 4.0, (5,), {"six"}, b"7"], list),
    ("tuple", (1, 2, 3, 4, 5, 6, 7), tuple),
    ("range", range(10, 80, 10), range),
    ("bytes", b"abcdefg", bytes),
    ("bytearray", bytearray(b"abcdefg"), bytearray),
    ("memoryview", memoryview(b"abcdefg"), bytes),
    ("generator", (number for number in range(7)), list),
    ("text", "abcdefg", list),
]


@pytest.mark.parametrize("points", [(3,), (2, 3), (1,), (6,), (1, 2, 3, 4, 5, 6)])
@pytest.mark.parametrize(("rows", "kind"), [source[1:] for source in SOURCES], ids=[s[0] for s in SOURCES])
def test_pieces_are_of_the_kind_of_the_chunk(rows: Any, kind: type, points: tuple[int, ...]) -> None:
    if not hasattr(rows, "__len__"):
        rows = list(range(7))
    chunk = Cutter(rows).cut(100)
    bodies = cut_plain(_packed(chunk), points)
    assert bodies is not None
    pieces = [loads(body) for body in bodies]
    assert {type(piece) for piece in pieces} == {kind}
    ends = (0, *points, 7)
    assert [len(piece) for piece in pieces] == [ends[n + 1] - ends[n] for n in range(len(points) + 1)]
    assert [row for piece in pieces for row in piece] == list(chunk)


@pytest.mark.parametrize("shape", [(7,), (7, 3)])
def test_an_array_is_cut_by_its_rows(shape: tuple[int, ...]) -> None:
    array = numpy.arange(numpy.prod(shape)).reshape(shape)
    bodies = cut_plain(_packed(Cutter(array).cut(100)), (2, 3))
    assert bodies is not None
    pieces = [loads(body) for body in bodies]
    assert [len(piece) for piece in pieces] == [2, 1, 4]
    assert {piece.dtype for piece in pieces} == {array.dtype}
    assert (numpy.concatenate(pieces) == array).all()


def test_a_slice_of_a_range_keeps_its_step() -> None:
    bodies = cut_plain(_packed(range(100, 0, -7)[3:10]), (5,))
    assert bodies is not None
    assert [loads(body) for body in bodies] == [range(79, 44, -7), range(44, 30, -7)]


@pytest.mark.parametrize("rows", [[1, Shut(), 3], numpy.array([1, Shut(), 3])])
def test_what_takes_the_code_of_the_user_is_not_opened_here(rows: Any) -> None:
    assert cut_plain(_packed(rows), (1,)) is None


@pytest.mark.parametrize("rows", [5, None, {1: 2, 3: 4}, {1, 2, 3}])
def test_what_is_no_sequence_stays_together(rows: object) -> None:
    assert cut_plain(dumps(rows), (1,)) is None


def test_broken_bytes_stay_together() -> None:
    assert cut_plain(b"this is no pickle", (1,)) is None
