"""A job with a ledger, run again and again in one folder."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import eisenmp
from eisenmp.core.outcome import Settled
from eisenmp.manager.archive import Archive

WORKERS = Path(__file__).with_name("workers.py")


class Jobs:
    """Managers on the same ledger, one after the other."""

    def __init__(self, folder: Path, engine: str) -> None:
        self.folder = folder
        self.engine = engine
        self.ledger = str(folder / "job.db")
        self.log = folder / "log"
        self.broken = folder / "broken"

    def mp(self, worker: str = "squares", *, resume: bool = True, **settings: Any) -> eisenmp.Mp:
        given = {
            "procs_max": 2,
            "rows_max": 10,
            "engine": self.engine,
            "ledger": self.ledger,
            "resume": resume,
        }
        variables = {"log": str(self.log), **settings.pop("variables", {})}
        return eisenmp.Mp(f"{WORKERS}:{worker}", **{**given, **settings}, variables=variables)

    def part(self, rows: Any, results: int, worker: str = "squares", **settings: Any) -> list[eisenmp.Result]:
        """So many results of a new job, whose manager is stopped then."""
        with self.mp(worker, resume=False, **settings) as emp:
            return list(islice(emp.feed(rows), results))

    def run(self, rows: Any, worker: str = "squares", **settings: Any) -> list[eisenmp.Result]:
        """All results in order, of a job that goes on."""
        with self.mp(worker, **settings) as emp:
            return list(emp.feed(rows).in_order())

    def ran(self) -> Counter[tuple[int, int]]:
        """How often each (feed, ticket) was run."""
        lines = self.log.read_text().splitlines() if self.log.exists() else []
        return Counter((int(feed), int(number)) for feed, number in map(str.split, lines))

    def done(self) -> set[tuple[int, int]]:
        """The tickets that the ledger has as done or given up."""
        with Archive(self.ledger) as archive:
            return set(_settled(archive))

    def recorded(self) -> dict[tuple[int, int], Settled]:
        """What the ledger has of them."""
        with Archive(self.ledger) as archive:
            return {(feed, number): archive.settled(feed, number) for feed, number in _settled(archive)}


def _settled(archive: Archive) -> Iterator[tuple[int, int]]:
    for feed in archive.feeds():
        number = 0
        while archive.has(feed.feed, number):
            page = archive.page(feed.feed, number)
            yield from ((feed.feed, ticket) for ticket in page.settled)
            number += len(page.rows)
