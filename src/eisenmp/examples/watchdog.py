"""A mate watches the worker of its process and has it restarted when it is stuck; no ticket is lost.

The mate is the second registered module: it is loaded and called before the worker, in every worker process.
It sees the heartbeat that the worker keeps among `toolbox.instances`. In one row the worker gets stuck, the
first time; the process that takes its place does the ticket again.
"""

from __future__ import annotations

import sys
import time
from argparse import ArgumentTypeError, Namespace
from os import path
from tempfile import TemporaryDirectory

import eisenmp
from eisenmp.manager.events import WorkerDied

from . import command

dir_name = path.dirname(__file__)


class ModuleConfiguration:
    """What the manager function needs to know; the variables reach worker and mate in `toolbox.kwargs`."""

    worker = path.join(dir_name, "watchdog_worker.py:worker_entrance")
    mate = path.join(dir_name, "watchdog_mate.py:watchdog_start")

    def __init__(self) -> None:
        self.procs_max = 2
        self.rows_max = 25
        self.rows = range(1, 1_001)
        self.stuck_row = 500
        self.patience = 0.5  # seconds


modConf = ModuleConfiguration()


def manager_entry(folder: str) -> tuple[dict[int, int], list[WorkerDied], int]:
    """Feed the rows; returns {row: steps}, what happened to workers, and how many tickets are missing."""
    variables = {
        "stuck_row": modConf.stuck_row,
        "stuck_file": path.join(folder, "was_stuck"),
        "patience": modConf.patience,
    }
    deaths: list[WorkerDied] = []
    emp = eisenmp.Mp(
        modConf.worker,
        modConf.mate,
        procs_max=modConf.procs_max,
        rows_max=modConf.rows_max,
        variables=variables,
    )
    emp.on(WorkerDied, deaths.append)
    with emp:
        feed = emp.feed(modConf.rows)
        steps = dict(pair for result in feed.in_order() for pair in result.value)
        print(f"{feed.done} of {feed.expected} tickets are done, {len(feed.missing)} missing")
        return steps, deaths, len(feed.missing)


def seconds(text: str) -> float:
    """An argument that is a number of seconds above 0."""
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < float("inf"):
        raise ArgumentTypeError(f"a number of seconds above 0 is expected, not {text!r}")
    return value


def example(options: Namespace) -> int:
    """Run it with parsed options; returns the exit code."""
    begin = time.perf_counter()
    modConf.patience = options.patience
    print(f"\nthe worker that takes row {modConf.stuck_row} gets stuck in it, once")
    with TemporaryDirectory(prefix="eisenmp-watchdog-") as folder:
        steps, deaths, missing = manager_entry(folder)
    for death in deaths:
        print(f"{death.name} was {death.cause}")
    longest = max(steps, key=steps.__getitem__)
    print(f"{len(steps):,} rows, {sum(steps.values()):,} steps, the most from {longest}")
    print(f"time {time.perf_counter() - begin:.2f} s")
    return command.DONE if not missing and list(steps) == list(modConf.rows) else command.FAILED


def main(arguments: list[str]) -> int:
    """Entry of `eisenmp examples watchdog`."""
    parser = command.parser("watchdog", __doc__)
    parser.add_argument(
        "--patience", type=seconds, default=modConf.patience, help="seconds without a heartbeat (default 0.5)"
    )
    return command.run(parser, arguments, example)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
