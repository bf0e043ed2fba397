"""A ticket in pieces: whole when no row is missing, each piece once, numbered in the order of the rows."""

from __future__ import annotations

from itertools import permutations

import pytest

from eisenmp.core.pieces import FAILED, Pieces

ENDS = [(0, 3, ["a"]), (3, 1, FAILED), (4, 2, []), (6, 4, ["b", "c"])]


@pytest.mark.parametrize("order", list(permutations(range(4))))
def test_in_whatever_order_they_end(order: tuple[int, ...]) -> None:
    pieces = Pieces(10)
    assert [pieces.add(*ENDS[index]) for index in order] == [False, False, False, True]
    assert pieces.done() == [(1, 0, 3, ["a"]), (3, 4, 2, []), (4, 6, 4, ["b", "c"])]
    assert [pieces.part(start) for start, _, _ in ENDS] == [1, 2, 3, 4]


def test_a_piece_counts_once() -> None:
    pieces = Pieces(2)
    assert not pieces.add(0, 1, ["first"])
    assert not pieces.add(0, 1, ["again"])
    assert pieces.add(1, 1, FAILED)
    assert pieces.done() == [(1, 0, 1, ["first"])]


def test_nothing_is_done_where_all_was_given_up() -> None:
    pieces = Pieces(2)
    pieces.add(1, 1, FAILED)
    assert pieces.add(0, 1, FAILED)
    assert pieces.done() == []
