"""Cuts the rows of a chunk that has failed: the only place where the manager opens what passes through."""

from __future__ import annotations

from itertools import pairwise

from ..wire.pickles import dumps, loads

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence


def cut_rows(body: bytes, points: Sequence[int]) -> list[bytes] | None:
    """The pickled rows in pieces, cut before the rows `points`; None when these rows cannot be cut here."""
    try:
        rows = loads(body)
        ends = (0, *points, len(rows))
        return [dumps(rows[first:end], "rows") for first, end in pairwise(ends)]
    except Exception:  # a user's rows may raise anything when they are unpickled, sliced or pickled
        return None
