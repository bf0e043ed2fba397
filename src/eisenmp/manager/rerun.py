"""Tickets of a ledger run once more: dead letters to try them again, done ones to compare.

Each runs with its own number in its own feed, so that `toolbox.rng` and `toolbox.ticket` are what they were;
with the settings, variables and queues of the job, and with the tools that had been broadcast before it.
"""

from __future__ import annotations

import json
import sys
from itertools import groupby
from time import time

from ..child.loader import Source
from ..core import messages as m
from ..core.ledger import Parcel
from ..core.outcome import UNSENT, Letter, Piece
from ..core.record import NamedTuple
from ..wire.pickles import dumps, loads
from .bookkeeper import job_from
from .books import Books
from .feed import Feed
from .feeder import Feeder
from .imprint import imprint
from .mp import Mp
from .source import resolve
from .tables import LedgerFault

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from typing import Any, TypeVar

    from ..core.job import Imprint
    from ..engine.base import Engine
    from .archive import Archive, FeedEntry, Found

    Part = TypeVar("Part", Piece, Letter)


class Task(NamedTuple):
    """A ticket, or a part of one, to be run once more. `before` is what the ledger has of it."""

    feed: FeedEntry
    number: int
    start: int
    rows: int
    flags: int
    tools: int
    body: bytes
    before: Piece | Letter

    @property
    def letter(self) -> Letter | None:
        """The dead letter that it is; None for a ticket that was done."""
        return self.before if isinstance(self.before, Letter) else None


class Outcome(NamedTuple):
    """What came of it: the pieces that are done now, and those that were given up."""

    task: Task
    pieces: tuple[Piece, ...]
    letters: tuple[Letter, ...]


class Rerun:
    """Runs tasks of the ledger that `archive` reads. `engine` is 'local', 'inline' or an engine."""

    def __init__(
        self, archive: Archive, *, engine: str | Engine = "local", procs_max: int | None = None
    ) -> None:
        self._archive = archive
        self._facts = archive.facts()
        self._engine = engine
        self._procs_max = procs_max
        self._add_path()
        self.sources = [_now(Source(*fields)) for fields in loads(self._facts["sources"])]

    def _add_path(self) -> None:
        """Modules are found where the program that began the ledger found them."""
        for folder in json.loads(self._facts["path"]):
            if folder not in sys.path:
                sys.path.append(folder)

    def imprints(self) -> list[Imprint]:
        """The worker modules as they are now."""
        return [imprint(source) for source in self.sources]

    def changed(self) -> list[str]:
        """The names of the worker modules that are not what the ledger was begun with."""
        then = job_from(self._facts["job"]).workers
        now = self.imprints()
        return [new.name for old, new in zip(then, now, strict=True) if new.digests[0] not in old.digests]

    # what there is to run

    def of_letters(self, letters: Iterable[Found]) -> list[Task]:
        """The tasks of dead letters. LedgerFault for one whose rows could not be pickled."""
        return [self._of_letter(found) for found in letters]

    def of_ticket(self, feed: FeedEntry, number: int) -> list[Task]:
        """All there is of a ticket: one task, or one for each piece that it was cut into."""
        archive = self._archive
        sent = archive.sent(feed.feed, number)
        if sent.body is None:
            raise LedgerFault(f"{archive.path}: the rows of ticket {number} are not in the ledger")
        pieces, letters = archive.parts(feed.feed, number)
        parts: list[Piece | Letter] = [*pieces, *letters]
        if not parts:
            raise LedgerFault(f"{archive.path}: ticket {number} of feed {feed.feed} was never finished")
        tasks = []
        for before in sorted(parts, key=lambda part: part.start):
            body = sent.body
            if before.part:
                body = dumps(loads(body)[before.start : before.start + before.rows])
            tasks.append(Task(feed, number, before.start, before.rows, sent.flags, sent.tools, body, before))
        return tasks

    def _of_letter(self, found: Found) -> Task:
        archive, letter = self._archive, found.letter
        feed = archive.feed(found.feed)
        assert feed is not None
        sent = archive.sent(found.feed, found.number)
        body = archive.rows_of(found)
        if body is None or letter.kind == UNSENT:
            raise LedgerFault(
                f"{archive.path}: the rows of ticket {found.number} are not in the ledger: {letter.cause}"
            )
        return Task(feed, found.number, letter.start, letter.rows, sent.flags, sent.tools, body, letter)

    # running

    def run(self, tasks: Iterable[Task]) -> Iterator[Outcome]:
        """Run them, as each group of tasks with the same tools and of the same feed is done."""
        ordered = sorted(tasks, key=_group)
        with self._manager(len(ordered)) as manager:
            tools = 0
            for group, together in groupby(ordered, _group):
                if group[0] != tools:
                    tools = group[0]
                    packed = self._archive.tools(tools)
                    manager.broadcast(**{name: loads(body) for name, body in packed.items()})
                source = self._archive.source(group[1])
                yield from _run_together(manager, list(together), source)

    def _manager(self, tasks: int) -> Mp:
        facts = self._facts
        if facts["variables"] is None:
            raise LedgerFault(
                f"{self._archive.path}: the variables of the job cannot be kept in a ledger (a lock or queue "
                "of multiprocessing is among them), so its tickets cannot be run by themselves"
            )
        settings: dict[str, Any] = {**loads(facts["settings"]), "on_error": "skip", "rows_max": 1}
        procs = self._procs_max or settings["procs_max"]
        settings["procs_max"] = min(tasks, procs) if procs else min(tasks, _cpus())
        settings.update(ledger=None, resume=False, results_store=False, info_enable=False)
        manager = Mp(*self.sources, engine=self._engine, **settings)
        manager.contract = facts["contract"]
        manager._variables = dict(loads(facts["variables"]))
        for category, short, maxsize in json.loads(facts["queues"]):
            manager.queue(short, category=category, maxsize=maxsize)
        return manager


class _Catch(Books):
    """Instead of the books of a feed: keeps what comes of each ticket."""

    def __init__(self) -> None:
        self.came: dict[int, tuple[tuple[Piece, ...], tuple[Letter, ...]]] = {}
        self._held = {}

    def attempt(self, parcel: Parcel) -> None:
        """Nothing is to be noted."""

    def timed(self, number: int, letter: Letter) -> Letter:
        now = time()
        return letter._replace(first=now, last=now)

    def settle(self, number: int, pieces: Iterable[Piece], letters: Iterable[Letter]) -> None:
        self.came[number] = tuple(pieces), tuple(letters)

    def close(self) -> None:
        """There is no file."""


class _Feeder(Feeder):
    """Feeds tasks as they were sent before."""

    def __init__(self, feed: Feed, tasks: list[Task], manager: Mp) -> None:
        super().__init__(feed, tasks, manager.dispatcher, 1, len(tasks))

    def _feed_some(self, room: int) -> bool:
        feed = self.feed
        for _ in range(room):
            found = self._cutter.cut(1)
            if found is None or feed.stopped:
                return False
            task: Task = found[0]
            feed.cut(task.rows)
            # where time counts, a worker reports each chunk before it starts the next
            flags = task.flags | (m.CAREFUL if self._dispatcher.enforcer.watches else 0)
            parcel = Parcel(
                feed.queue.number,
                task.body,
                feed=feed.number,
                number=task.number,
                flags=flags,
                rows=task.rows,
            )
            feed.inflow.append(parcel)
            self._dispatcher.take_in(feed)
        return True


def _run_together(manager: Mp, tasks: list[Task], source: bytes | None) -> Iterator[Outcome]:
    """Tasks of one feed, no two of the same ticket. `source`: what workers read it from by themselves."""
    entry = tasks[0].feed
    catch = _Catch()
    feed = Feed(entry.feed, manager._names.find(entry.queue), manager.dispatcher, listed=False, skip=True)
    feed.title, feed.books = entry.title, catch
    if source is not None:
        manager.dispatcher.stocks.add(entry.feed, source)
    manager._begin(feed, _Feeder(feed, tasks, manager))
    feed.wait()
    for task in tasks:
        pieces, letters = catch.came.get(task.number, ((), ()))
        placed = tuple(_placed(piece, task) for piece in pieces)
        yield Outcome(task, placed, tuple(_placed(letter, task) for letter in letters))


def _placed(part: Part, task: Task) -> Part:
    """A piece or a letter of the rerun, as one of the whole ticket."""
    if part.part:
        return part._replace(start=task.start + part.start)
    return part._replace(part=task.before.part, start=task.start, rows=task.rows)


def _group(task: Task) -> tuple[int, int, int]:
    # two pieces of one ticket cannot be on their way in one feed
    return task.tools, task.feed.feed, task.start


def _now(source: Source) -> Source:
    """The worker module as it is today; what travelled by value or was pinned by its hash is as it was."""
    if source.kind == "file":
        return resolve(f"{source.path}:{source.name}")
    if source.kind == "module":
        return resolve(f"{source.module}:{source.name}")
    return source


def _cpus() -> int:
    from ..engine.cpus import usable_cpus

    return usable_cpus()
