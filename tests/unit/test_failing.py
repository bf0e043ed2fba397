"""What becomes of a chunk that has failed: again, in pieces or over; and how long it waits until then."""

from __future__ import annotations

from itertools import pairwise

import pytest

from eisenmp.core.failing import (
    AGAIN,
    CANCELLED,
    CUT,
    DIED,
    OVER,
    RAISED,
    TIMED_OUT,
    Backoff,
    Budget,
    cut_points,
)
from eisenmp.core.messages import LISTED
from eisenmp.core.parcel import Parcel


def chunk(rows: int = 8, *, piece: bool = False, flags: int = 0) -> Parcel:
    parcel = Parcel(0, b"", feed=1, number=0, rows=rows, flags=flags)
    parcel.piece = piece
    return parcel


# (kind, rows, piece, budget of the kind) -> what follows each failure, to the end
VERDICTS: list[tuple[str, int, bool, int, list[int]]] = [
    (RAISED, 8, False, 0, [OVER]),
    (RAISED, 8, False, 2, [AGAIN, AGAIN, OVER]),
    (RAISED, 8, True, 1, [AGAIN, OVER]),
    (RAISED, 1, False, 1, [AGAIN, OVER]),
    # a first death may be another's fault; cutting is not charged
    (DIED, 8, False, 2, [AGAIN, CUT]),
    (DIED, 8, False, 1, [AGAIN, CUT]),
    (DIED, 8, False, 0, [CUT]),
    (DIED, 8, True, 2, [CUT]),
    (DIED, 1, True, 2, [AGAIN, AGAIN, OVER]),
    (DIED, 1, False, 2, [AGAIN, AGAIN, OVER]),
    (DIED, 1, False, 0, [OVER]),
    (TIMED_OUT, 8, False, 0, [CUT]),
    (TIMED_OUT, 8, False, 3, [CUT]),
    (TIMED_OUT, 2, True, 0, [CUT]),
    (TIMED_OUT, 1, True, 0, [OVER]),
    (TIMED_OUT, 1, False, 2, [AGAIN, AGAIN, OVER]),
    (CANCELLED, 8, False, 9, [OVER]),
    (CANCELLED, 1, True, 9, [OVER]),
]


def budget(kind: str, count: int, *, cuts: bool = True) -> Budget:
    """Plenty of everything but of this kind."""
    given = {"deaths": 99, "raises": 99, "timeouts": 99}
    name = {DIED: "deaths", RAISED: "raises", TIMED_OUT: "timeouts"}.get(kind)
    return Budget(**{**given, **({} if name is None else {name: count})}, cuts=cuts)


@pytest.mark.parametrize(("kind", "rows", "piece", "count", "verdicts"), VERDICTS)
def test_what_follows_each_failure(
    kind: str, rows: int, piece: bool, count: int, verdicts: list[int]
) -> None:
    parcel = chunk(rows, piece=piece)
    known = budget(kind, count)
    assert [known.charge(parcel, kind, 3) for _ in verdicts] == verdicts
    assert parcel.attempts == len(verdicts)
    assert parcel.trials is not None
    assert parcel.trials.avoid == 3


@pytest.mark.parametrize(("kind", "count"), [(DIED, 2), (TIMED_OUT, 2)])
@pytest.mark.parametrize("why", ["worker", "list", "whole"])
def test_who_cannot_be_cut_is_tried_whole(kind: str, count: int, why: str) -> None:
    """Workers of the old contract, lists of the old door, rows that did not let themselves be cut."""
    parcel = chunk(flags=LISTED if why == "list" else 0)
    known = budget(kind, count, cuts=why != "worker")
    if why == "whole":
        assert known.charge(parcel, RAISED, 0) == AGAIN
        assert parcel.trials is not None
        parcel.trials.whole = True
    assert [known.charge(parcel, kind, 0) for _ in range(3)] == [AGAIN, AGAIN, OVER]


def test_each_kind_has_a_budget_of_its_own() -> None:
    parcel = chunk(1)
    known = Budget(deaths=1, raises=1, timeouts=1)
    assert [known.charge(parcel, kind, 0) for kind in (RAISED, DIED, TIMED_OUT)] == [AGAIN] * 3
    assert (parcel.attempts, parcel.raises, parcel.deaths, parcel.timeouts) == (3, 1, 1, 1)
    assert known.charge(parcel, DIED, 0) == OVER


def test_pieces_start_anew_and_remember_how_often_they_failed_as_a_whole() -> None:
    parcel = chunk(5)
    known = Budget(deaths=1, cuts=True)
    assert [known.charge(parcel, DIED, slot) for slot in (4, 6)] == [AGAIN, CUT]
    pieces = parcel.cut((2, 3), [b"a", b"b", b"c"])
    assert [(piece.start, piece.rows, piece.body) for piece in pieces] == [
        (0, 2, b"a"),
        (2, 1, b"b"),
        (3, 2, b"c"),
    ]
    for piece in pieces:
        assert piece.piece
        assert (piece.queue, piece.feed, piece.number) == (0, 1, 0)
        assert (piece.attempts, piece.deaths) == (2, 0)
        assert piece.trials is not None
        assert piece.trials.avoid == 6
    assert [known.charge(pieces[1], DIED, 0) for _ in range(2)] == [AGAIN, OVER]
    assert pieces[1].attempts == 4
    assert pieces[0].attempts == 2
    # a piece of a piece lies where its rows are in the chunk
    assert [(piece.start, piece.rows) for piece in pieces[2].cut((1,), [b"", b""])] == [(3, 1), (4, 1)]


@pytest.mark.parametrize(
    ("rows", "done", "points"),
    [
        (1000, -1, (500,)),
        (2, -1, (1,)),
        (3, -1, (1,)),
        (10, 4, (4, 5)),
        (10, 0, (1,)),
        (10, 9, (9,)),
        (2, 0, (1,)),
        (2, 1, (1,)),
        # more rows than there are were said to be done: that tells nothing
        (10, 10, (5,)),
    ],
)
def test_a_chunk_is_cut_around_the_guilty_row_or_in_the_middle(
    rows: int, done: int, points: tuple[int, ...]
) -> None:
    assert cut_points(rows, done) == points


def test_pauses_double_up_to_a_limit() -> None:
    pauses = [Backoff(lambda: 0.5)(count) for count in range(1, 41)]
    assert pauses[:4] == [0.05, 0.1, 0.2, 0.4]
    assert pauses[-1] == 30.0
    assert all(after == min(30.0, 2 * before) for before, after in pairwise(pauses))


@pytest.mark.parametrize("count", [1, 2, 7, 30])
def test_pauses_vary_by_half_either_way(count: int) -> None:
    middle = Backoff(lambda: 0.5)(count)
    assert Backoff(lambda: 0.0)(count) == middle / 2
    assert Backoff(lambda: 1.0)(count) == middle * 1.5
