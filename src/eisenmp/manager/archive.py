"""A ledger open for reading: the job, its feeds, tickets, results, dead letters and tools."""

from __future__ import annotations

import os
import zlib

from ..core.outcome import Letter, Piece, Settled, in_order, unpack
from ..core.record import NamedTuple
from .tables import LETTER, NUMBER, SHIFT, SOURCE, LedgerFault, connect, damaged, explaining, is_new, key

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

PAGE = 256  #: tickets that are looked up at once


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


class Page(NamedTuple):
    """Tickets of a feed: how many rows each has; the bytes of the results of those that are settled."""

    rows: dict[int, int]
    settled: dict[int, int]


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


class Archive:
    """A ledger open for reading, while a manager may be writing to it. Raises LedgerFault; close it."""

    def __init__(self, path: str, *, look_through: bool = True) -> None:
        self.path = path
        if not os.path.isfile(path):
            raise LedgerFault(f"{path}: there is no such file")
        self._connection = connect(path)
        try:
            if is_new(path, self._connection, look_through=look_through):
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

    def page(self, feed: int, number: int) -> Page:
        """What is known of the tickets from `number` on, of `PAGE` at most."""
        low, high = key(feed, number), key(feed, number + PAGE)
        rows = self._rows("SELECT ticket, rows FROM tickets WHERE ticket >= ? AND ticket < ?", low, high)
        done = self._rows(
            "SELECT ticket, length(body) FROM results WHERE ticket >= ? AND ticket < ?", low, high
        )
        failed = self._rows(
            "SELECT ticket, min(final) FROM letters WHERE ticket >= ? AND ticket < ? GROUP BY ticket",
            low,
            high,
        )
        settled = {ticket & NUMBER: 0 for ticket, _ in failed} | {
            ticket & NUMBER: size for ticket, size in done
        }
        for ticket, final in failed:
            if not final:
                del settled[ticket & NUMBER]
        return Page({ticket & NUMBER: count for ticket, count in rows}, settled)

    def settled(self, feed: int, number: int) -> Settled:
        """A ticket that is done or failed, with its results and letters."""
        return self.settled_run(feed, number, 1)[0]

    def settled_run(self, feed: int, number: int, count: int) -> list[Settled]:
        """So many tickets in a row, all of them done or failed."""
        low, high = key(feed, number), key(feed, number + count)
        sent = self._rows(
            "SELECT ticket, rows, flags FROM tickets WHERE ticket >= ? AND ticket < ? ORDER BY ticket",
            low,
            high,
        )
        results = {
            ticket: self._opened(ticket, checksum, body)
            for ticket, checksum, body in self._rows(
                "SELECT ticket, checksum, body FROM results WHERE ticket >= ? AND ticket < ?", low, high
            )
        }
        failed = {
            ticket
            for (ticket,) in self._rows(
                "SELECT DISTINCT ticket FROM letters WHERE ticket >= ? AND ticket < ?", low, high
            )
        }
        run = []
        for ticket, rows, flags in sent:
            done = ticket & NUMBER
            if ticket in failed:
                pieces, letters = self.parts(feed, done)
                run.append(Settled(done, rows, flags, pieces, letters, self.sent(feed, done).body))
            else:
                run.append(Settled(done, rows, flags, in_order(results[ticket], ())[0], ()))
        return run

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
        return self._opened(key(feed, number), *found[0])

    def _opened(self, ticket: int, checksum: int, body: bytes) -> tuple[Piece, ...]:
        try:
            if zlib.crc32(body) != checksum:
                raise ValueError("its checksum does not agree")
            return unpack(body)
        except ValueError as error:
            name = f"ticket {ticket & NUMBER} of feed {ticket >> SHIFT}"
            raise damaged(self.path, f"the result of {name}: {error}") from error

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
            feed, number = ticket >> SHIFT, ticket & NUMBER
            for letter in self.parts(feed, number)[1]:
                yield Found(feed, number, queue, letter)

    def rows_of(self, found: Found) -> bytes | None:
        """The pickled rows of a dead letter; None for rows that could not be pickled."""
        return found.letter.body or self.sent(found.feed, found.number).body

    def source(self, feed: int) -> bytes | None:
        """The pickled source that the workers read the rows of this feed from; None when they were sent."""
        found = self._rows("SELECT value FROM job WHERE name = ?", f"{SOURCE}{feed}")
        return found[0][0] if found else None

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
