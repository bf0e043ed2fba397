"""The file of a ledger: its tables, what it is known by, and all that is read from it.

    job         what the job is: digests of its workers, what it takes to run a ticket again
    feeds       one row per feed of the manager, in their order
    tickets     one row per ticket that was sent: its rows, pickled, and how many they are
    results     one row per ticket that has outputs to keep: the pieces that are done
    letters     one row per piece that was given up
    broadcasts  the tools that were broadcast, in their order; their pickles once each, in `tools`

A ticket is done when it has results and no letters, failed when it has letters, else it was sent. A job that
runs for the first time only ever adds rows, so that a prefix of what was written is a valid ledger.
"""

from __future__ import annotations

import os
import zlib
from contextlib import contextmanager

from ..core.outcome import Letter, Piece, Settled, in_order, unpack
from ..core.record import NamedTuple
from ..errors import EisenmpError

try:
    import sqlite3
except ImportError as missing:  # a Python that was built without it
    from ..errors import SettingsError

    raise SettingsError("a ledger needs sqlite3, which this Python comes without") from missing

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

APPLICATION = 0x6569736E  #: 'eisn'
VERSION = 1
SHIFT = 40  #: a row of `tickets` is feed << SHIFT | number
PAGE = 256  #: tickets that are looked up at once
CHECKED_MAX = 1 << 28  #: bytes of a file that is looked through when it is opened
BUSY_TIMEOUT = 30.0  #: seconds that another program may keep the file locked

SCHEMA = f"""
CREATE TABLE job (name TEXT PRIMARY KEY, value) WITHOUT ROWID;
CREATE TABLE feeds (
    feed INTEGER PRIMARY KEY, queue TEXT NOT NULL, rows_max NOT NULL, listed INTEGER NOT NULL,
    title TEXT NOT NULL, size INTEGER, head TEXT, tickets INTEGER, rows INTEGER
);
CREATE TABLE tickets (
    ticket INTEGER PRIMARY KEY, rows INTEGER NOT NULL, flags INTEGER NOT NULL, tools INTEGER NOT NULL,
    packed INTEGER NOT NULL, body BLOB
);
CREATE TABLE results (ticket INTEGER PRIMARY KEY, checksum INTEGER NOT NULL, body BLOB NOT NULL);
CREATE TABLE letters (
    ticket INTEGER NOT NULL, part INTEGER NOT NULL, start INTEGER NOT NULL, rows INTEGER NOT NULL,
    kind TEXT NOT NULL, cause TEXT NOT NULL, error BLOB, traceback TEXT NOT NULL, tail TEXT NOT NULL,
    pid INTEGER, exitcode INTEGER, attempts INTEGER NOT NULL, first REAL NOT NULL, last REAL NOT NULL,
    final INTEGER NOT NULL, stack TEXT NOT NULL, body BLOB, PRIMARY KEY (ticket, start)
);
CREATE TABLE broadcasts (generation INTEGER NOT NULL, name TEXT NOT NULL, digest TEXT NOT NULL,
    tool TEXT, PRIMARY KEY (generation, name));
CREATE TABLE tools (tool TEXT PRIMARY KEY, size INTEGER NOT NULL, body BLOB);
PRAGMA application_id = {APPLICATION};
PRAGMA user_version = {VERSION};
"""
LETTER = (
    "part, start, rows, kind, cause, error, traceback, tail, pid, exitcode, "
    "attempts, first, last, final, stack, body"
)


class LedgerFault(EisenmpError):
    """The ledger cannot be used: it is in use, damaged, of another job, or its disk is full."""


class FeedEntry(NamedTuple):
    """A feed as the ledger knows it. `tickets` and `rows` are None while the source is not at its end."""

    feed: int
    queue: str
    rows_max: int | str
    listed: bool
    title: str
    size: int | None
    head: str | None
    tickets: int | None
    rows: int | None


class Sent(NamedTuple):
    """A ticket as it was sent: number of rows, flags, how many broadcasts came before, its pickled rows."""

    rows: int
    flags: int
    tools: int
    body: bytes | None


class Found(NamedTuple):
    """A dead letter with its feed and ticket."""

    feed: int
    number: int
    queue: str
    letter: Letter


def unlike(path: str, found: list[str]) -> str:
    """The sentence that says in what a run differs from the one that began the ledger."""
    return (
        f"{path}: the ledger is of another job: {'; '.join(found)}. Run what the ledger was begun with, "
        "or give another ledger. After mending a worker, `eisenmp dlq retry` runs the dead letters with it; "
        "then the mended one counts as the same"
    )


def key(feed: int, number: int) -> int:
    """The row of a ticket."""
    return feed << SHIFT | number


def explained(path: str, error: Exception) -> LedgerFault:
    """What an error of SQLite says about the file, and what to do."""
    name = str(getattr(error, "sqlite_errorname", ""))
    if name.startswith("SQLITE_NOTADB"):
        return LedgerFault(
            f"{path}: this is no ledger of eisenmp: it is not an SQLite file, or a damaged one"
        )
    if name.startswith("SQLITE_CORRUPT"):
        return damaged(path, str(error))
    if name.startswith("SQLITE_FULL"):
        return LedgerFault(
            f"{path}: the disk is full. What was recorded before is intact: "
            "make room, and go on with resume=True (eisenmp resume)"
        )
    if name.startswith(("SQLITE_BUSY", "SQLITE_LOCKED")):
        return LedgerFault(f"{path}: another program keeps it locked")
    if name.startswith("SQLITE_READONLY"):
        return LedgerFault(f"{path}: it cannot be written to: {error}")
    return LedgerFault(f"{path}: {error}")


def damaged(path: str, what: str) -> LedgerFault:
    return LedgerFault(
        f"{path}: the ledger is damaged: {what}. It cannot be gone on with; "
        "remove it, or give another name, to start anew"
    )


def connect(path: str) -> sqlite3.Connection:
    """A connection to the file, which may be made by it; statements are committed one by one."""
    try:
        return sqlite3.connect(path, timeout=BUSY_TIMEOUT, isolation_level=None, check_same_thread=False)
    except sqlite3.Error as error:
        raise explained(path, error) from error


def is_new(path: str, connection: sqlite3.Connection) -> bool:
    """Whether there is nothing in the file yet; LedgerFault for one that is no ledger, or none of ours."""
    with explaining(path):
        (application,) = connection.execute("PRAGMA application_id").fetchone()
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        (tables,) = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
        if not tables and not application:
            return True
        if application != APPLICATION:
            raise LedgerFault(f"{path}: this is no ledger of eisenmp but an SQLite file of another program")
        if version != VERSION:
            raise LedgerFault(
                f"{path}: this ledger has format {version}, and this version of eisenmp knows {VERSION}"
            )
        if os.path.getsize(path) <= CHECKED_MAX:
            (verdict,) = connection.execute("PRAGMA quick_check(1)").fetchone()
            if verdict != "ok":
                raise damaged(path, str(verdict).splitlines()[-1])
    return False


@contextmanager
def explaining(path: str) -> Iterator[None]:
    """Errors of SQLite come out as LedgerFault."""
    try:
        yield
    except sqlite3.Error as error:
        raise explained(path, error) from error


class Archive:
    """A ledger open for reading, while a manager may be writing to it. Raises LedgerFault; close it."""

    def __init__(self, path: str) -> None:
        self.path = path
        if not os.path.isfile(path):
            raise LedgerFault(f"{path}: there is no such file")
        self._connection = connect(path)
        try:
            if is_new(path, self._connection):
                raise LedgerFault(f"{path}: the ledger is empty: its job was ended before it began")
        except BaseException:
            self._connection.close()
            raise

    def close(self) -> None:
        self._connection.close()

    def __enter__(self) -> Archive:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _rows(self, statement: str, *values: object) -> list[Any]:
        # all at once: an open statement would keep the log from being emptied
        with explaining(self.path):
            return self._connection.execute(statement, values).fetchall()

    def facts(self) -> dict[str, Any]:
        """What is noted about the job, by name."""
        return dict(self._rows("SELECT name, value FROM job"))

    def feeds(self) -> list[FeedEntry]:
        statement = (
            "SELECT feed, queue, rows_max, listed, title, size, head, tickets, rows FROM feeds ORDER BY feed"
        )
        return [FeedEntry._make((*row[:3], bool(row[3]), *row[4:])) for row in self._rows(statement)]

    def feed(self, feed: int) -> FeedEntry | None:
        return next((entry for entry in self.feeds() if entry.feed == feed), None)

    def counts(self) -> tuple[int, int, int]:
        """How many tickets were sent, are done, are failed."""
        statement = (
            "SELECT (SELECT count(*) FROM tickets), (SELECT count(*) FROM results), "
            "(SELECT count(DISTINCT ticket) FROM letters), "
            "(SELECT count(*) FROM results WHERE ticket IN (SELECT ticket FROM letters))"
        )
        sent, results, failed, both = self._rows(statement)[0]
        return sent, results - both, failed

    def page(self, feed: int, number: int) -> tuple[dict[int, int], set[int]]:
        """Of the tickets from `number` on: how many rows each has, and which of them are settled."""
        low, high = key(feed, number), key(feed, number + PAGE)
        mask = (1 << SHIFT) - 1
        rows = self._rows("SELECT ticket, rows FROM tickets WHERE ticket >= ? AND ticket < ?", low, high)
        done = self._rows("SELECT ticket FROM results WHERE ticket >= ? AND ticket < ?", low, high)
        failed = self._rows(
            "SELECT ticket, min(final) FROM letters WHERE ticket >= ? AND ticket < ? GROUP BY ticket",
            low,
            high,
        )
        settled = {ticket & mask for (ticket,) in done} | {ticket & mask for ticket, final in failed if final}
        settled -= {ticket & mask for ticket, final in failed if not final}
        return {ticket & mask: count for ticket, count in rows}, settled

    def settled(self, feed: int, number: int) -> Settled:
        """A ticket that is done or failed, with its results and letters."""
        sent = self.sent(feed, number)
        pieces, letters = self.parts(feed, number)
        return Settled(number, sent.rows, sent.flags, pieces, letters, sent.body if letters else None)

    def parts(self, feed: int, number: int) -> tuple[tuple[Piece, ...], tuple[Letter, ...]]:
        """What is done of a ticket, and what was given up."""
        return in_order(self.pieces(feed, number), tuple(self.letters_of(feed, number)))

    def sent(self, feed: int, number: int) -> Sent:
        """A ticket as it was sent; LedgerFault when it never was."""
        found = self._rows(
            "SELECT rows, flags, tools, packed, body FROM tickets WHERE ticket = ?", key(feed, number)
        )
        if not found:
            raise LedgerFault(f"{self.path}: there is no ticket {number} of feed {feed}")
        rows, flags, tools, packed, body = found[0]
        try:
            return Sent(rows, flags, tools, zlib.decompress(body) if packed else body)
        except zlib.error as error:
            raise damaged(self.path, f"the rows of ticket {number} of feed {feed}: {error}") from error

    def has(self, feed: int, number: int) -> bool:
        """Whether the ticket was sent."""
        return bool(self._rows("SELECT 1 FROM tickets WHERE ticket = ?", key(feed, number)))

    def pieces(self, feed: int, number: int) -> tuple[Piece, ...]:
        """What is done of a ticket."""
        found = self._rows("SELECT checksum, body FROM results WHERE ticket = ?", key(feed, number))
        if not found:
            return ()
        checksum, body = found[0]
        try:
            if zlib.crc32(body) != checksum:
                raise ValueError("its checksum does not agree")
            return unpack(body)
        except ValueError as error:
            raise damaged(self.path, f"the result of ticket {number} of feed {feed}: {error}") from error

    def letters_of(self, feed: int, number: int) -> Iterator[Letter]:
        for row in self._rows(
            f"SELECT {LETTER} FROM letters WHERE ticket = ? ORDER BY start", key(feed, number)
        ):
            yield Letter._make((*row[:13], bool(row[13]), *row[14:]))

    def letters(self) -> Iterator[Found]:
        """All dead letters, in the order of their tickets."""
        statement = (
            "SELECT DISTINCT ticket, queue FROM letters JOIN feeds ON feed = ticket >> ? ORDER BY ticket"
        )
        for ticket, queue in self._rows(statement, SHIFT):
            feed, number = ticket >> SHIFT, ticket & ((1 << SHIFT) - 1)
            for letter in self.parts(feed, number)[1]:
                yield Found(feed, number, queue, letter)

    def rows_of(self, found: Found) -> bytes | None:
        """The pickled rows of a dead letter; None for rows that could not be pickled."""
        return found.letter.body or self.sent(found.feed, found.number).body

    def broadcasts(self) -> dict[int, dict[str, str]]:
        """The digests of the tools of each broadcast, by its number from 1."""
        found: dict[int, dict[str, str]] = {}
        for generation, name, tool in self._rows("SELECT generation, name, digest FROM broadcasts"):
            found.setdefault(generation, {})[name] = tool
        return found

    def tools(self, generation: int) -> dict[str, bytes]:
        """The pickled tools that a chunk sees that was cut after so many broadcasts."""
        tools: dict[str, bytes] = {}
        statement = (
            "SELECT name, size, body FROM broadcasts LEFT JOIN tools USING (tool) "
            "WHERE generation <= ? ORDER BY generation"
        )
        for name, size, body in self._rows(statement, generation):
            if body is None:
                raise LedgerFault(
                    f"{self.path}: the tool {name!r} is not in the ledger: its {size} bytes are too many"
                )
            tools[name] = body
        return tools
