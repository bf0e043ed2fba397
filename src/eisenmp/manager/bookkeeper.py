"""What a manager does with its ledger on disk: open it for this job or refuse, books for feeds, tools."""

from __future__ import annotations

import json
import os
import sys
from hashlib import sha256
from time import time

from ..core.chunk import rows_total
from ..core.fingerprint import digest
from ..core.job import Imprint, Job, Origin, job_differences, source_differences
from ..errors import SettingsError
from ..wire.pickles import Unpicklable, dumps
from .archive import FeedEntry
from .books import Books
from .imprint import job_of
from .store import Store
from .tables import LedgerFault, unlike

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import Any

    from ..child.loader import Source
    from ..core.queues import QueueName
    from ..core.settings import Settings
    from .feed import Feed

TOOL_MAX = 1 << 28  #: bytes of a pickled tool that is kept; of a bigger one only type and size are known
ELSEWHERE = ("ledger", "resume", "variables", "port_groups", "dashboard", "progress", "name")
STANDARD_QUEUES = 6


class Bookkeeper:
    """Keeps the ledger of one manager. `on_fault(error)` comes from the writer's thread."""

    def __init__(self, path: str, on_fault: Callable[[LedgerFault], None]) -> None:
        self.store = Store(path, on_fault)
        self._known: dict[int, FeedEntry] = {}
        self._broadcasts: dict[int, dict[str, str]] = {}

    def open(self, job: Job, facts: Mapping[str, Any], *, resume: bool) -> None:
        """Begin the ledger, or go on with it. SettingsError says what stands against that."""
        try:
            self._open(job, {**facts, "job": json.dumps(job), "begun": time()}, resume)
        except LedgerFault as fault:  # before anything runs it is a setting that is wrong
            raise SettingsError(str(fault)) from fault

    def _open(self, job: Job, facts: Mapping[str, Any], resume: bool) -> None:
        store = self.store
        store.open(facts, resume=resume)
        if not store.resumed:
            return
        try:
            with store.archive() as archive:
                if found := job_differences(job_from(archive.facts()["job"]), job):
                    raise SettingsError(unlike(store.path, found))
                self._known = {entry.feed: entry for entry in archive.feeds()}
                self._broadcasts = archive.broadcasts()
        except BaseException:
            store.close()
            raise

    def books(self, feed: Feed, rows: Any, rows_max: int | str) -> Books:
        """The books of a feed that begins. SettingsError when the ledger has another under its number."""
        number, queue = feed.number, feed.queue.name
        entry = FeedEntry(
            number, queue, rows_max, feed.listed, feed.title, rows_total(rows), None, None, None
        )
        known = self._known.get(number)
        if known is None:
            self.store.feed(entry)
            return Books(self.store, number)
        if found := source_differences(_origin(known), _origin(entry)):
            raise SettingsError(unlike(self.store.path, [f"of feed {number}, {text}" for text in found]))
        return Books(self.store, number, known)

    def broadcast(self, tools: Mapping[str, Any]) -> None:
        """Tools that all chunks see from now on. SettingsError when they are not those of the earlier run."""
        packed = {name: _pack(name, tool) for name, tool in tools.items()}
        digests = {name: _tool_digest(tool, packed[name][1]) for name, tool in tools.items()}
        known = self._broadcasts.get(self.store.generation + 1)
        if known is not None and known != digests:
            names = sorted(name for name in {*known, *digests} if known.get(name) != digests.get(name))
            raise SettingsError(unlike(self.store.path, [f"the tool {name!r} has changed" for name in names]))
        self.store.generation += 1
        if known is None:
            self.store.broadcast(digests, packed)

    def close(self) -> None:
        """Write what waits, let go of the file."""
        self.store.close()

    def abandon(self) -> None:
        """In a copy of the program made by os.fork() the ledger is the other one's."""
        self.store.abandon()


def job_facts(
    sources: Sequence[Source],
    contract: str,
    variables: Mapping[str, Any],
    settings: Settings,
    queues: Sequence[QueueName],
) -> tuple[Job, dict[str, Any]]:
    """The job, and what it takes to run one of its tickets again."""
    try:
        body = dumps(variables, "variables")
    except Unpicklable:  # a lock or a queue of multiprocessing: such a ticket cannot be run again by itself
        body = None
    values = {name: value for name, value in vars(settings).items() if name not in ELSEWHERE}
    own = [(queue.category, queue.short, queue.maxsize) for queue in queues[STANDARD_QUEUES:]]
    versions = {"python": sys.version.partition(" ")[0], "eisenmp": _version()}
    return job_of(sources, contract, variables), {
        "contract": contract,
        "sources": dumps([tuple(source) for source in sources]),
        "variables": body,
        "settings": dumps(values),
        "queues": json.dumps(own),
        "versions": json.dumps(versions),
        "folder": os.getcwd(),
        "path": json.dumps([os.path.abspath(folder) for folder in sys.path]),
    }


def job_from(text: str) -> Job:
    """The job that was noted as JSON."""
    workers, contract, variables = json.loads(text)
    return Job(tuple(Imprint(name, tuple(digests)) for name, digests in workers), contract, variables)


def _origin(entry: FeedEntry) -> Origin:
    return Origin(entry.queue, entry.rows_max, entry.listed, entry.size)


def _pack(name: str, tool: Any) -> tuple[str, int, bytes | None]:
    body = dumps(tool, name)
    return sha256(body).hexdigest(), len(body), body if len(body) <= TOOL_MAX else None


def _tool_digest(tool: Any, size: int) -> str:
    if size <= TOOL_MAX:
        return digest(tool)
    return f"{type(tool).__module__}.{type(tool).__qualname__} of {size} bytes"


def _version() -> str:
    from .. import __version__

    return __version__
