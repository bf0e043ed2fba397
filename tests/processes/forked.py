"""Managers whose workers are forked, and report to the test who they are."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import eisenmp
from eisenmp.manager.events import WorkerDied, WorkerReady

PATIENCE = 30.0

# A mate that says who and what each worker is; `extra` is what a test adds.
REPORT = """
import os
import eisenmp

with open(os.path.join(os.path.dirname(__file__), "imports"), "a") as file:
    file.write(f"{os.getpid()}\\n")

def extra(toolbox):
    return None

def report(toolbox):
    toolbox.seen.put({
        "slot": toolbox.START_SEQUENCE_NUM, "id": toolbox.WORKER_ID, "name": toolbox.WORKER_NAME,
        "pid": os.getpid(), "parent": os.getppid(), "extra": extra(toolbox),
    })

@eisenmp.worker
def double(toolbox, rows):
    return [2 * row for row in rows]
"""


def write(folder: Path, *texts: str) -> Path:
    path = folder / "module.py"
    path.write_text("\n".join(textwrap.dedent(text) for text in texts))
    return path


class Crew:
    """A manager whose workers report to the test, one report for each that starts."""

    def __init__(self, path: Path, **settings: Any) -> None:
        settings = {"procs_max": 3, "rows_max": 10, "start_method": "forkserver", **settings}
        self.emp = eisenmp.Mp(f"{path}:double", f"{path}:report", **settings)
        self.seen = self.emp.queue("seen", maxsize=64)
        self.deaths: list[WorkerDied] = []
        self.ready: list[WorkerReady] = []
        self.emp.on(WorkerDied, self.deaths.append)
        self.emp.on(WorkerReady, self.ready.append)

    def __enter__(self) -> Crew:
        self.emp.__enter__()
        return self

    def __exit__(self, *error: Any) -> None:
        self.emp.__exit__(*error)

    def report(self) -> dict[str, Any]:
        found: dict[str, Any] = self.seen.get(timeout=PATIENCE)
        return found

    def reports(self, number: int = 3) -> list[dict[str, Any]]:
        return sorted((self.report() for _ in range(number)), key=lambda report: report["slot"])

    def wait_for(self, ready: Callable[[], bool]) -> None:
        assert self.emp.dispatcher.pump.wait_until(ready, PATIENCE)

    def work(self) -> list[int]:
        results = self.emp.feed(range(200)).in_order()
        return [value for result in results for value in result.value]


def importers(folder: Path) -> list[int]:
    return [int(line) for line in (folder / "imports").read_text().split()]


@contextmanager
def crews(folder: Path) -> Iterator[Callable[..., Crew]]:
    """Opens crews with the report and further texts as their module; none is left."""
    opened: list[Crew] = []

    def open_crew(*texts: str, **settings: Any) -> Crew:
        crew = Crew(write(folder, REPORT, *texts), **settings)
        opened.append(crew)
        return crew.__enter__()

    try:
        yield open_crew
    finally:
        for crew in opened:
            crew.emp.stop(grace=0.0)
