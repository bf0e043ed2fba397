"""The file of a ledger: its tables, what it is known by, and what is wrong with it when it cannot be used.

    job         what the job is: digests of its workers, what it takes to run a ticket again
    feeds       one row per feed of the manager, in their order
    tickets     one row per ticket that was sent: its rows, pickled, and how many they are
    results     one row per ticket that has outputs to keep: the pieces that are done
    letters     one row per piece that was given up
    broadcasts  the tools that were broadcast, in their order; their pickles once each, in `tools`

A ticket is done when it has results and no letters, failed when it has letters, else it was sent. A job that
runs for the first time only ever adds rows, so that a prefix of what was written is a valid ledger; but for
tickets of a source that workers read, which may turn out to lie behind its end.
"""

from __future__ import annotations

import os
from contextlib import contextmanager

from ..errors import EisenmpError

try:
    import sqlite3
except ImportError as missing:  # a Python that was built without it
    from ..errors import SettingsError

    raise SettingsError("a ledger needs sqlite3, which this Python comes without") from missing

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

APPLICATION = 0x6569736E  #: 'eisn'
VERSION = 1
SHIFT = 40  #: a row of `tickets` is feed << SHIFT | number
NUMBER = (1 << SHIFT) - 1
SOURCE = "source of feed "  #: name of the fact that holds a source which workers read
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

# in the order in which they stand within a transaction
FEED, HEAD, BROADCAST, TOOL, TICKET, SHORT, VOID, PARDON, RESULT, LOST, ENDED, FACT = range(12)
STATEMENTS = (
    "INSERT INTO feeds VALUES (?, ?, ?, ?, ?, ?, NULL, NULL, NULL)",
    "UPDATE feeds SET head = ? WHERE feed = ?",
    "INSERT INTO broadcasts VALUES (?, ?, ?, ?)",
    "INSERT OR IGNORE INTO tools VALUES (?, ?, ?)",
    "INSERT OR IGNORE INTO tickets VALUES (?, ?, ?, ?, ?, ?)",
    "UPDATE tickets SET rows = ? WHERE ticket = ?",
    "DELETE FROM tickets WHERE ticket >= ? AND ticket < ?",
    "DELETE FROM letters WHERE ticket = ? AND start = ?",
    "INSERT OR REPLACE INTO results VALUES (?, ?, ?)",
    f"INSERT OR REPLACE INTO letters (ticket, {LETTER}) VALUES ({', '.join('?' * 17)})",
    "UPDATE feeds SET tickets = ?, rows = ? WHERE feed = ?",
    "INSERT OR REPLACE INTO job VALUES (?, ?)",
)


class LedgerFault(EisenmpError):
    """The ledger cannot be used: it is in use, damaged, of another job, or its disk is full."""


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


def is_new(path: str, connection: sqlite3.Connection, *, look_through: bool = True) -> bool:
    """Whether there is nothing in the file yet; LedgerFault for one that is no ledger, or none of ours.

    `look_through`: a file that is not very big is looked through for damage.
    """
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
        if look_through and os.path.getsize(path) <= CHECKED_MAX:
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
