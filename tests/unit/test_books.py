"""The books of one feed: a ticket is settled when all its rows are accounted for, and not before."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from eisenmp.core.outcome import UNSENT, Kept, Piece
from eisenmp.core.parcel import Parcel
from eisenmp.manager.archive import Archive, FeedEntry
from eisenmp.manager.books import Books
from eisenmp.manager.cause import Blame
from eisenmp.manager.store import Store
from eisenmp.manager.tables import LedgerFault

ENTRY = FeedEntry(1, "mp_input_q (default)", 10, False, "", None, None, None, None)
BLAME = Blame("died", "killed", None, "", "last line", 12, -9, "the stack")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    store = Store(str(tmp_path / "job.db"))
    store.open({}, resume=True)
    store.feed(ENTRY)
    yield store
    store.close()


@pytest.fixture
def books(store: Store) -> Books:
    return Books(store, 1)


def again(store: Store) -> Books:
    """The books as the next run finds them."""
    assert store.flush()
    with store.archive() as archive:
        return Books(store, 1, archive.feed(1))


def piece(start: int, rows: int) -> Parcel:
    parcel = Parcel(0, f"rows from {start}".encode(), feed=1, number=0, rows=rows)
    parcel.start, parcel.piece = start, True
    return parcel


def value(start: int, rows: int) -> Piece:
    return Piece(0, start, rows, (Kept(0, b"value"),))


def test_a_piece_that_was_given_up_waits_for_the_rest_of_its_ticket(store: Store, books: Books) -> None:
    books.sent(0, 10, b"all rows")
    books.gave_up(piece(3, 1), 1, BLAME, final=True)
    early = again(store)
    assert early.settled(0) == []
    assert early.rows_of(0) == 10
    early.close()
    books.done(0, [value(0, 3), value(4, 6)])
    late = again(store)
    (settled,) = late.settled(0)
    late.close()
    assert [(part.part, part.start, part.rows) for part in settled.pieces] == [(1, 0, 3), (3, 4, 6)]
    (letter,) = settled.letters
    assert (letter.part, letter.start, letter.rows, letter.body) == (2, 3, 1, b"rows from 3")
    assert (letter.kind, letter.cause, letter.tail, letter.pid, letter.exitcode, letter.stack) == (
        "died", "killed", "last line", 12, -9, "the stack",
    )  # fmt: skip


def test_a_ticket_without_any_piece_that_is_done(store: Store, books: Books) -> None:
    books.sent(0, 2, b"all rows")
    for start in (1, 0):
        books.gave_up(piece(start, 1), 1, BLAME, final=True)
    books.done(0, ())
    late = again(store)
    (settled,) = late.settled(0)
    late.close()
    assert settled.pieces == ()
    assert [(letter.part, letter.start) for letter in settled.letters] == [(1, 0), (2, 1)]


def test_what_ended_the_job_is_pardoned_when_its_ticket_is_settled(store: Store, books: Books) -> None:
    books.sent(0, 10, b"all rows")
    books.gave_up(piece(3, 1), 1, BLAME, final=False)
    second = again(store)
    assert second.settled(0) == []
    with Archive(store.path) as archive:
        assert [found.letter.final for found in archive.letters()] == [False]
    second.gave_up(Parcel(0, b"all rows", feed=1, number=0, rows=10), 0, BLAME, final=True)
    second.close()
    third = again(store)
    (settled,) = third.settled(0)
    third.close()
    assert [(letter.start, letter.rows, letter.final) for letter in settled.letters] == [(0, 10, True)]


def test_rows_that_no_worker_has_seen(store: Store, books: Books) -> None:
    books.unsendable(0, 3, TypeError("a generator"))
    late = again(store)
    (settled,) = late.settled(0)
    late.close()
    assert (settled.rows, settled.body, settled.letters[0].kind) == (3, None, UNSENT)


@pytest.mark.parametrize(
    ("number", "rows", "text"),
    [
        (0, [1, 2], "ticket 0 had 3 rows and has 2"),
        (0, [1, 2, 4], "its first rows are others"),
        (1, None, "ticket 1 had 2 rows and has 0"),
        (2, [9], "it has more than the 5 rows that it had"),
    ],
)
def test_another_source(store: Store, books: Books, number: int, rows: Any, text: str) -> None:
    books.check(0, [1, 2, 3])
    books.sent(0, 3, b"")
    books.sent(1, 2, b"")
    books.ended(2, 5)
    second = again(store)
    with pytest.raises(LedgerFault, match=text):
        second.check(number, rows)
    second.close()


def test_the_same_source(store: Store, books: Books) -> None:
    books.check(0, [1, 2, 3])
    books.sent(0, 3, b"")
    second = again(store)
    second.check(0, [1, 2, 3])
    second.check(1, [4])
    second.check(2, None)
    second.close()
