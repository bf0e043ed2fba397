"""The ledger's file: what is written is read back, in whole transactions, by one manager at a time."""

from __future__ import annotations

import os
import pickle
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from eisenmp.core.outcome import Kept, Letter, Piece
from eisenmp.errors import SettingsError
from eisenmp.manager import store as store_module
from eisenmp.manager.archive import PAGE, Archive, FeedEntry
from eisenmp.manager.store import Store
from eisenmp.manager.tables import LedgerFault

FEED = FeedEntry(1, "mp_input_q (default)", 10, False, "", None, None, None, None)
LETTER = Letter(0, 0, 2, "raised", "ValueError: no", b"error", "trace", "tail", 12, -9, 3)


def whole(value: bytes, rows: int = 2) -> list[Piece]:
    return [Piece(0, 0, rows, (Kept(0, value),))]


@pytest.fixture
def path(tmp_path: Path) -> str:
    return str(tmp_path / "job.db")


@pytest.fixture
def store(path: str) -> Iterator[Store]:
    with_books = Store(path)
    with_books.open({"job": "[]"}, resume=True)
    with_books.feed(FEED)
    yield with_books
    with_books.close()


def reopened(store: Store) -> Archive:
    """The file after all that was noted is committed."""
    assert store.flush()
    return Archive(store.path)


def test_a_ticket_on_its_way(store: Store) -> None:
    store.sent(1, 0, 2, 32, b"rows of 0")
    store.sent(1, 1, 2, 0, b"rows of 1" * 1000)
    store.sent(1, 2, 2, 0, b"rows of 2")
    store.settle(1, 0, whole(b"value"))
    store.attempt(1, 1, 0)
    store.attempt(1, 1, 0)
    store.settle(1, 1, (), [store.timed(1, 1, LETTER)])
    with reopened(store) as archive:
        assert archive.counts() == (3, 1, 1)
        assert archive.page(1, 0).rows == {0: 2, 1: 2, 2: 2}
        assert archive.page(1, 0).settled.keys() == {0, 1}
        done, failed = archive.settled(1, 0), archive.settled(1, 1)
        assert (done.rows, done.flags, done.pieces, done.letters) == (2, 32, tuple(whole(b"value")), ())
        assert archive.sent(1, 0).body == b"rows of 0"
        assert failed.body == b"rows of 1" * 1000
        letter = failed.letters[0]
        assert letter._replace(first=0, last=0) == LETTER
        assert 0 < letter.first < letter.last
        assert [found.number for found in archive.letters()] == [1]
        assert archive.has(1, 2)
        assert not archive.has(1, 3)
        with pytest.raises(LedgerFault, match="there is no ticket 3 of feed 1"):
            archive.sent(1, 3)


def test_pieces_that_are_done_beside_those_that_are_not(store: Store) -> None:
    store.sent(1, 0, 10, 0, b"rows")
    pieces = [Piece(3, 6, 4, (Kept(0, b"b"), Kept(8, b"c"))), Piece(1, 0, 5, (Kept(0, b"a"),))]
    store.settle(1, 0, pieces, [LETTER._replace(part=1, start=5, rows=1, body=b"row 5")])
    with reopened(store) as archive:
        settled = archive.settled(1, 0)
        assert settled.pieces == (pieces[1], pieces[0])
        assert [(letter.part, letter.start, letter.body) for letter in settled.letters] == [(2, 5, b"row 5")]
        assert archive.counts() == (1, 0, 1)
        assert archive.rows_of(next(archive.letters())) == b"row 5"
    store.settle(1, 0, [*pieces, Piece(0, 5, 1, ())], pardoned=[5])
    with reopened(store) as archive:
        assert archive.counts() == (1, 1, 0)
        assert [(piece.part, piece.start) for piece in archive.settled(1, 0).pieces] == [
            (1, 0),
            (2, 5),
            (3, 6),
        ]
        assert list(archive.letters()) == []


def test_a_letter_that_ended_the_job_is_no_end_of_the_ticket(store: Store) -> None:
    store.sent(1, 0, 2, 0, b"rows")
    store.failed(1, 0, LETTER._replace(final=False))
    with reopened(store) as archive:
        assert archive.page(1, 0) == ({0: 2}, {})
        assert len(list(archive.letters())) == 1


def test_feeds_and_their_ends(store: Store) -> None:
    store.head(1, "digest")
    store.feed(FEED._replace(feed=2, rows_max="auto", listed=True, title="mine", size=7))
    store.ended(2, 3, 7)
    with reopened(store) as archive:
        assert archive.feeds() == [
            FEED._replace(head="digest"),
            FeedEntry(2, FEED.queue, "auto", True, "mine", 7, None, 3, 7),
        ]
        assert archive.feed(2) == archive.feeds()[1]
        assert archive.feed(3) is None


def test_feeds_do_not_mix(store: Store) -> None:
    for feed in (1, 2):
        for number in (0, PAGE - 1, PAGE):
            store.sent(feed, number, feed, 0, b"%d" % feed)
    with reopened(store) as archive:
        assert archive.page(1, 0) == ({0: 1, PAGE - 1: 1}, {})
        assert archive.page(1, PAGE) == ({PAGE: 1}, {})
        assert archive.page(2, 1) == ({PAGE - 1: 2, PAGE: 2}, {})
        assert archive.sent(2, 0).body == b"2"


def test_tools_are_kept_once(store: Store) -> None:
    store.sent(1, 0, 1, 0, b"before")
    for generation, names in ((1, ("a", "b")), (2, ("b",))):
        store.generation = generation
        packed = {name: (f"{name}{generation}", 3, f"{name}{generation}".encode()) for name in names}
        store.broadcast({name: f"digest of {name}{generation}" for name in names}, packed)
    store.generation = 3
    store.broadcast({"c": "digest"}, {"c": ("a1", 3, b"a1")})
    store.generation = 4
    store.broadcast({"big": "digest"}, {"big": ("big", 1 << 40, None)})
    store.sent(1, 1, 1, 0, b"behind")
    with reopened(store) as archive:
        assert [archive.sent(1, number).tools for number in (0, 1)] == [0, 4]
        assert archive.tools(0) == {}
        assert archive.tools(1) == {"a": b"a1", "b": b"b1"}
        assert archive.tools(3) == {"a": b"a1", "b": b"b2", "c": b"a1"}
        assert archive.broadcasts()[1] == {"a": "digest of a1", "b": "digest of b1"}
        with pytest.raises(LedgerFault, match="the tool 'big' is not in the ledger: its 1099511627776 bytes"):
            archive.tools(4)


def test_nothing_is_noted_after_the_end(store: Store) -> None:
    store.close()
    store.sent(1, 0, 1, 0, b"rows")
    assert sorted(os.listdir(os.path.dirname(store.path))) == ["job.db"]
    with Archive(store.path) as archive:
        assert archive.counts() == (0, 0, 0)
        assert archive.feeds() == [FEED]


def test_close_writes_what_waits(store: Store) -> None:
    for number in range(5000):
        store.sent(1, number, 1, 0, b"rows")
        store.settle(1, number, whole(b"value"))
    store.close()
    with Archive(store.path) as archive:
        assert archive.counts() == (5000, 5000, 0)


def test_what_is_too_long_is_run_again(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store_module, "BLOB_MAX", 1000)
    store.sent(1, 0, 1, 0, b"x" * 1001)
    with pytest.warns(RuntimeWarning, match="the result of ticket 0 has .* bytes, too many for a ledger"):
        store.settle(1, 0, whole(b"y" * 1001))
    with reopened(store) as archive:
        assert archive.sent(1, 0).body is None
        assert archive.page(1, 0) == ({0: 1}, {})


def test_the_backlog_is_bounded(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store_module, "BACKLOG", 1000)
    store.wait_for_room()
    blocked = sqlite3.connect(store.path, isolation_level=None)
    blocked.execute("BEGIN IMMEDIATE")
    for number in range(100):
        store.sent(1, number, 1, 0, b"x" * 100)
    waits = threading.Thread(target=store.wait_for_room)
    waits.start()
    blocked.execute("COMMIT")
    blocked.close()
    waits.join()
    with reopened(store) as archive:
        assert archive.counts() == (100, 0, 0)


# opening


def test_an_earlier_run_is_not_overwritten(store: Store) -> None:
    store.close()
    with pytest.raises(SettingsError, match=r"it holds an earlier run. resume=True \(--resume\) goes on"):
        Store(store.path).open({}, resume=False)
    again = Store(store.path)
    again.open({"job": "other"}, resume=True)
    again.close()
    assert again.resumed
    with Archive(store.path) as archive:
        assert archive.facts() == {"job": "[]"}


@pytest.mark.parametrize("resume", [False, True])
def test_an_empty_file_is_as_good_as_none(path: str, resume: bool) -> None:
    Path(path).touch()
    new = Store(path)
    new.open({"job": "[]"}, resume=resume)
    new.close()
    assert not new.resumed
    with Archive(path) as archive:
        assert archive.facts() == {"job": "[]"}


def test_one_manager_at_a_time(store: Store) -> None:
    before = os.listdir("/proc/self/fd")
    for name in (store.path, str(Path(store.path).parent / "." / "job.db")):
        with pytest.raises(LedgerFault, match=rf"is in use by process {os.getpid()}; one manager at a time"):
            Store(name).open({}, resume=True)
    assert len(os.listdir("/proc/self/fd")) == len(before)
    store.close()
    again = Store(store.path)
    again.open({}, resume=True)
    again.close()


def test_the_lock_of_the_dead_is_free(path: str) -> None:
    program = (
        "import os, signal, sys\nfrom eisenmp.manager.store import Store\nstore = Store(sys.argv[1])\n"
        "store.open({'job': '[]'}, resume=True)\nstore.fact('name', 'value')\nstore.flush()\n"
        "os.kill(os.getpid(), signal.SIGKILL)"
    )
    assert subprocess.run([sys.executable, "-c", program, path]).returncode == -9
    assert os.path.exists(f"{path}-lock")
    store = Store(path)
    store.open({}, resume=True)
    store.close()
    with Archive(path) as archive:
        assert archive.facts() == {"job": "[]", "name": "value"}


def test_a_copy_of_the_program_leaves_it_alone(store: Store) -> None:
    child = os.fork()
    if not child:
        store.abandon()
        store.sent(1, 7, 1, 0, b"from the copy")
        store.close = lambda: None  # type: ignore[method-assign]
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
    store.sent(1, 0, 1, 0, b"rows")
    with reopened(store) as archive:
        assert archive.counts() == (1, 0, 0)
    with pytest.raises(LedgerFault, match="is in use"):
        Store(store.path).open({}, resume=True)


def make_foreign(path: Path) -> None:
    database = sqlite3.connect(path)
    database.execute("CREATE TABLE mine (a)")
    database.commit()
    database.close()


def make_a_ledger(path: Path) -> None:
    store = Store(str(path))
    store.open({"job": "[]"}, resume=True)
    store.feed(FEED)
    for number in range(3000):
        store.sent(1, number, 1, 0, os.urandom(40))
        store.settle(1, number, whole(os.urandom(40)))
    store.close()


def make_torn(path: Path) -> None:
    make_a_ledger(path)
    os.truncate(path, path.stat().st_size // 2)


def make_overwritten(path: Path) -> None:
    make_a_ledger(path)
    with open(path, "r+b") as file:
        file.seek(path.stat().st_size // 3)
        file.write(b"\xff" * 20_000)


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (
            lambda path: path.write_text("rows of mine\n" * 1000),
            "this is no ledger of eisenmp: it is not an SQLite",
        ),
        (make_foreign, "this is no ledger of eisenmp but an SQLite file of another program"),
        (make_torn, "the ledger is damaged: "),
        (make_overwritten, "the ledger is damaged: "),
    ],
)
def test_a_file_that_is_no_ledger_is_left_as_it_is(path: str, make: Any, text: str) -> None:
    make(Path(path))
    before = Path(path).read_bytes()
    with pytest.raises(LedgerFault, match=text):
        Store(path).open({}, resume=True)
    with pytest.raises(LedgerFault, match=text):
        Archive(path)
    assert Path(path).read_bytes() == before
    assert os.listdir(os.path.dirname(path)) == ["job.db"]


def test_a_newer_format_is_refused(store: Store) -> None:
    store.close()
    database = sqlite3.connect(store.path)
    database.execute("PRAGMA user_version = 99")
    database.close()
    with pytest.raises(LedgerFault, match="this ledger has format 99, and this version of eisenmp knows 1"):
        Store(store.path).open({}, resume=True)


def test_a_result_that_was_changed_is_found_out(store: Store) -> None:
    store.sent(1, 0, 2, 0, b"rows")
    store.settle(1, 0, whole(pickle.dumps("value")))
    store.close()
    database = sqlite3.connect(store.path)
    database.execute("UPDATE results SET body = CAST(replace(CAST(body AS TEXT), 'value', 'falue') AS BLOB)")
    database.commit()
    database.close()
    with (
        Archive(store.path) as archive,
        pytest.raises(LedgerFault, match="the result of ticket 0 of feed 1: its checksum"),
    ):
        archive.settled(1, 0)


def test_a_place_where_no_ledger_can_be(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="there is no folder .*nowhere"):
        Store(str(tmp_path / "nowhere" / "job.db")).open({}, resume=True)
    with pytest.raises(SettingsError, match="this is a folder"):
        Store(str(tmp_path)).open({}, resume=True)
    with pytest.raises(LedgerFault, match="there is no such file"):
        Archive(str(tmp_path / "job.db"))
    with pytest.raises(LedgerFault, match="its lock .* cannot be made: File name too long"):
        Store(str(tmp_path / ("x" * 255))).open({}, resume=True)
    assert list(tmp_path.iterdir()) == []


def test_a_fault_of_the_writer_ends_it_and_is_told_once(path: str) -> None:
    told: list[LedgerFault] = []
    store = Store(path, told.append)
    store.open({}, resume=True)
    store.sent(1, 0, 1, 0, b"rows")
    assert store.flush()
    store._note(store_module.TICKET, 1, "too few")
    store.sent(1, 1, 1, 0, b"rows")
    assert not store.flush()
    store.sent(1, 2, 1, 0, b"rows")
    store.close()
    assert told == [store.fault]
    with Archive(path) as archive:
        assert archive.has(1, 0)
        assert archive.counts()[0] == 1
