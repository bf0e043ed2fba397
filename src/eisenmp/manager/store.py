"""The ledger on disk: every ticket that is sent, every result, every dead letter; one thread writes.

What a crash can lose is work, never exactness. The manager hands results on at once and records them a
moment later, in the order in which things happened and several to a transaction, so that what is in the file
is always a prefix of what was done. A ticket whose result was not recorded is run again by a resumed job, and
that gives out every result once, recorded ones too: whoever takes the results of a resumed run from its
beginning has each ticket exactly once. What was given out before the crash and was not recorded may differ
from what is given out after it only where the worker itself gives another result for the same ticket.

* The manager is killed: lost is what was done in the last moment (`GATHER`, and the commit after it).
* The machine stops: the log is in WAL mode with `synchronous = NORMAL`, so SQLite waits for the disk when it
  moves the log into the file, not at each commit. The last commits before a power cut may be missing, never
  one before one that is there. Waiting at each commit would save seconds of work in such a case, and would
  cost every run several milliseconds a commit.
* The disk is full: the job stops with an error that names the file; what was committed before is intact.

The loop never waits for the disk. When more than `BACKLOG` bytes wait to be written, the feeders cut no more
chunks until the thread has caught up; what workers then still send is bounded by the chunks that are out.
"""

from __future__ import annotations

import os
import sqlite3
import threading
import zlib
from collections import deque
from time import monotonic, time

from ..core.outcome import Letter, Piece, pack
from ..errors import SettingsError
from .archive import Archive, FeedEntry
from .lock import Lock
from .tables import (
    BROADCAST,
    ENDED,
    FACT,
    FEED,
    HEAD,
    LOST,
    PARDON,
    RESULT,
    SCHEMA,
    SHORT,
    STATEMENTS,
    TICKET,
    TOOL,
    VOID,
    LedgerFault,
    connect,
    explained,
    explaining,
    is_new,
    key,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from typing import Any

    Entry = tuple[int, tuple[Any, ...]]

GATHER = 0.01  #: seconds that a record waits for company in its transaction
BACKLOG = 1 << 26  #: bytes that may wait to be written before the feeders are held up
RECORD = 200  #: bytes that a record counts for, besides what it carries
BLOB_MAX = 900_000_000  #: SQLite takes 1e9 bytes; a longer result is not kept, and its ticket run again
PACKED_MIN = 2048  #: bytes of rows from which on compressing is tried


class Store:
    """A ledger open for one manager.

    `on_fault(error)` comes from the writer's thread when it has to stop, `on_warning(text)` from the loop.
    """

    def __init__(
        self,
        path: str,
        on_fault: Callable[[LedgerFault], None] = lambda fault: None,
        on_warning: Callable[[str], None] = lambda text: None,
    ) -> None:
        self.path = path
        self.resumed = False  #: there was something in it
        self.generation = 0  #: broadcasts so far
        self.fault: LedgerFault | None = None  #: why nothing is written any more
        self._on_fault = on_fault
        self._on_warning = on_warning
        self._entries: deque[Entry] = deque()
        self._size = 0
        self._changed = threading.Condition()
        self._hurry = threading.Event()
        self._idle = False
        self._closing = False
        self._written = 0  # entries that are committed
        self._noted = 0
        self._attempts: dict[tuple[int, int, int], float] = {}
        self._file = os.path.abspath(path)  # the program may change its directory
        self._lock = Lock(os.path.realpath(path))
        self._connection: sqlite3.Connection | None = None
        self._thread: threading.Thread | None = None

    # opening and closing

    def open(self, facts: Mapping[str, Any], *, resume: bool) -> None:
        """Lock the file, make what is missing, start to write. `facts` are noted where the ledger is new.

        Raises SettingsError for a ledger that is there and not to be resumed, LedgerFault for what is none.
        """
        self._acquire()
        try:
            self._connection = connect(self._file)
            self._prepare(self._connection, facts, resume)
        except BaseException:
            self._let_go()
            raise
        self._thread = threading.Thread(target=self._run, name="eisenmp-ledger", daemon=True)
        self._thread.start()

    def _acquire(self) -> None:
        folder = os.path.dirname(os.path.abspath(self.path))
        if not os.path.isdir(folder):
            raise SettingsError(f"ledger {self.path}: there is no folder {folder}")
        if os.path.isdir(self.path):
            raise SettingsError(f"ledger {self.path}: this is a folder")
        try:
            mine = self._lock.acquire()
        except OSError as error:
            raise LedgerFault(
                f"{self.path}: its lock {self._lock.path} cannot be made: {error.strerror}"
            ) from error
        if not mine:
            raise LedgerFault(
                f"{self.path}: the ledger is in use by {self._lock.holder()}; "
                "one manager at a time writes to it"
            )

    def _prepare(self, connection: sqlite3.Connection, facts: Mapping[str, Any], resume: bool) -> None:
        new = is_new(self.path, connection)
        if not new and not resume:
            raise SettingsError(
                f"ledger {self.path}: it holds an earlier run. resume=True (--resume) goes on with that; "
                "to start anew, remove the file or give another name"
            )
        with explaining(self.path):
            (mode,) = connection.execute("PRAGMA journal_mode = WAL").fetchone()
            if mode != "wal":
                raise LedgerFault(
                    f"{self.path}: the file system cannot keep the log of a ledger (WAL); take a local disk"
                )
            connection.execute("PRAGMA synchronous = NORMAL")
            if new:
                connection.executescript(f"BEGIN IMMEDIATE; {SCHEMA}")
                connection.executemany(STATEMENTS[FACT], list(facts.items()))
                connection.execute("COMMIT")
        self.resumed = not new

    def archive(self) -> Archive:
        """A connection for reading; the file was looked through when it was opened."""
        return Archive(self._file, look_through=False)

    def close(self) -> None:
        """Write what waits, let go of the file. May be called again."""
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        self._hurry.set()
        if self._thread is not None:
            self._thread.join()
        self._let_go()

    def _let_go(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()
        self._lock.release()

    def abandon(self) -> None:
        """In a copy of the program made by os.fork(): nothing is written, and the lock is the other one's."""
        self._closing = True
        _abandoned.append(self)  # its connection must not be closed here: that would move the log
        self._lock.abandon()

    # what the manager notes; none of it waits

    def _note(self, kind: int, *values: Any, size: int = 0) -> None:
        self._note_all([(kind, values)], size)

    def _note_all(self, entries: Sequence[Entry], size: int) -> None:
        """Note what belongs into one transaction."""
        with self._changed:
            if self._closing or self.fault is not None:
                return
            self._entries.extend(entries)
            self._noted += len(entries)
            self._size += RECORD * len(entries) + size
            if self._idle:
                self._changed.notify_all()
            if self._size > BACKLOG:
                self._hurry.set()

    def feed(self, entry: FeedEntry) -> None:
        """A feed that the ledger has not seen."""
        self._note(FEED, entry.feed, entry.queue, entry.rows_max, int(entry.listed), entry.title, entry.size)

    def head(self, feed: int, digest: str) -> None:
        """The digest of the first rows of a feed."""
        self._note(HEAD, digest, feed)

    def broadcast(
        self, digests: Mapping[str, str], tools: Mapping[str, tuple[str, int, bytes | None]]
    ) -> None:
        """Tools, by name: their digests; the name of the pickle, its size, and the pickle."""
        for name, (tool, size, body) in tools.items():
            self._note(TOOL, tool, size, body, size=0 if body is None else size)
            self._note(BROADCAST, self.generation, name, digests[name], tool)

    def sent(self, feed: int, number: int, rows: int, flags: int, body: bytes | None) -> None:
        """A ticket, before it is sent."""
        if body is not None and len(body) > BLOB_MAX:
            body = None
        self._note(TICKET, key(feed, number), rows, flags, self.generation, 0, body, size=len(body or b""))

    def shortened(self, feed: int, number: int, rows: int) -> None:
        """A ticket has fewer rows than it was sent with."""
        self._note(SHORT, rows, key(feed, number))

    def cut_back(self, feed: int, number: int) -> None:
        """Tickets of the feed from this number on were nothing."""
        self._note(VOID, key(feed, number), key(feed + 1, 0))

    def attempt(self, feed: int, number: int, start: int) -> None:
        """A ticket, or a piece of it, goes to a worker."""
        self._attempts.setdefault((feed, number, start), time())

    def settle(
        self,
        feed: int,
        number: int,
        pieces: Iterable[Piece],
        letters: Iterable[Letter] = (),
        *,
        pardoned: Iterable[int] = (),
    ) -> None:
        """A ticket has come to its end: what is done of it, and what was given up, in one transaction.

        Earlier letters of it that start at the rows `pardoned` go.
        """
        pieces = list(pieces)
        for piece in pieces:
            self._attempts.pop((feed, number, piece.start), None)
        row = key(feed, number)
        entries: list[Entry] = [(PARDON, (row, start)) for start in pardoned]
        entries += [(LOST, _letter(row, letter)) for letter in letters]
        body = pack(pieces) if pieces else b""
        if len(body) > BLOB_MAX:
            self._on_warning(
                f"{self.path}: the result of ticket {number} has {len(body)} bytes, too many for a ledger: "
                "it is not kept, and a resumed job runs the ticket again"
            )
            return
        if pieces:
            entries.append((RESULT, (row, zlib.crc32(body), body)))
        self._note_all(entries, len(body) + sum(len(letter.body or b"") for letter in letters))

    def failed(self, feed: int, number: int, letter: Letter) -> None:
        """A ticket, or a piece of it, was given up and has ended the job."""
        self._note(LOST, *_letter(key(feed, number), letter), size=len(letter.body or b""))

    def timed(self, feed: int, number: int, letter: Letter) -> Letter:
        """The letter with the time of its first attempt, and that of now."""
        now = time()
        return letter._replace(first=self._attempts.pop((feed, number, letter.start), now), last=now)

    def ended(self, feed: int, tickets: int, rows: int) -> None:
        """The source of a feed is at its end."""
        self._note(ENDED, tickets, rows, feed)

    def fact(self, name: str, value: Any) -> None:
        """Something about the job."""
        self._note(FACT, name, value)

    # for those who may wait

    def wait_for_room(self) -> None:
        """Wait until the writer has caught up; it does, or has stopped."""
        if self._size <= BACKLOG:
            return
        with self._changed:
            while self._size > BACKLOG and self.fault is None and not self._closing:
                self._changed.wait()

    def flush(self, timeout: float | None = None) -> bool:
        """Wait until all that was noted is committed; False when it is not, or cannot be."""
        until = None if timeout is None else monotonic() + timeout
        self._hurry.set()
        with self._changed:
            noted = self._noted
            while self._written < noted and self.fault is None and not self._closing:
                remaining = None if until is None else until - monotonic()
                if remaining is not None and remaining <= 0:
                    break
                self._changed.wait(remaining)
            return self._written >= noted

    # the writer

    def _run(self) -> None:
        while entries := self._take():
            try:
                self._write(entries)
            except (sqlite3.Error, OverflowError) as error:
                self._stop_writing(explained(self.path, error))
                return
            with self._changed:
                self._written += len(entries)
                self._changed.notify_all()

    def _take(self) -> list[Entry]:
        """What is to be written next; empty at the end."""
        with self._changed:
            self._idle = True
            while not self._entries and not self._closing:
                self._changed.wait()
            self._idle = False
        if not self._closing:
            self._hurry.wait(GATHER)
        with self._changed:
            entries = list(self._entries)
            self._entries.clear()
            self._size = 0
            if not self._closing:
                self._hurry.clear()
        return entries

    def _write(self, entries: list[Entry]) -> None:
        by_kind: dict[int, list[tuple[Any, ...]]] = {}
        for kind, values in entries:
            by_kind.setdefault(kind, []).append(_packed(values) if kind == TICKET else values)
        connection = self._connection
        assert connection is not None
        connection.execute("BEGIN IMMEDIATE")
        try:
            for kind in sorted(by_kind):
                connection.executemany(STATEMENTS[kind], by_kind[kind])
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise

    def _stop_writing(self, fault: LedgerFault) -> None:
        with self._changed:
            self.fault = fault
            self._entries.clear()
            self._size = 0
            self._changed.notify_all()
        self._on_fault(fault)


def _letter(row: int, letter: Letter) -> tuple[Any, ...]:
    """A record of LOST."""
    return (row, *letter[:13], int(letter.final), *letter[14:])


def _packed(values: tuple[Any, ...]) -> tuple[Any, ...]:
    """A record of TICKET with its rows compressed where that saves something."""
    body = values[-1]
    if body is not None and len(body) >= PACKED_MIN:
        smaller = zlib.compress(body, 1)
        if len(smaller) < len(body) * 7 // 8:
            return (*values[:-2], 1, smaller)
    return values


_abandoned: list[Store] = []
