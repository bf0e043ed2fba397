"""Flask with SQLAlchemy on every CPU core, several servers in each process, one SQLite file for all.

Each process serves several ports with one application. Threads write entries through all ports at the same
time; at the end one server counts what all have written.
"""

from __future__ import annotations

import os
import sys
from argparse import Namespace
from concurrent.futures import ThreadPoolExecutor
from os import path
from tempfile import TemporaryDirectory
from typing import Any

import eisenmp

from . import command
from .visit import add_stay, ask, check_installed, ready, stay, usable_cores

dir_name = path.dirname(__file__)
WRITERS = 6  #: threads that write at the same time
DATABASE = "FLASK_ORM_DATABASE"  #: the servers look there for the file


class ModuleConfiguration:
    """What the manager function needs to know."""

    worker = path.join(dir_name, "flask_orm_worker.py:create_app")

    def __init__(self) -> None:
        self.cores = usable_cores()
        self.servers_per_slot = 3
        self.entries = 20  # written through each port
        self.stay = False


modConf = ModuleConfiguration()


def manager_entry(database: str) -> tuple[list[Any], list[Any]]:
    """Serve and write; returns what the writers were answered, and the table: pid, port, listeners."""
    from .flask_orm_worker import create_tables

    create_tables(database)
    os.environ[DATABASE] = database  # workers inherit it
    per_slot = modConf.servers_per_slot
    group = eisenmp.PortGroup(
        "site", ports=[0] * len(modConf.cores) * per_slot, cores=modConf.cores, servers_per_slot=per_slot
    )
    with eisenmp.Mp(eisenmp.Site(modConf.worker, factory=True), port_groups=[group], lame_duck=0) as emp:
        places = [place for _, place in ready(emp)]
        with ThreadPoolExecutor(WRITERS) as writers:
            written = list(
                writers.map(ask, places * modConf.entries, ["/listen/jazz"] * len(places) * modConf.entries)
            )
        table = ask(places[-1])
        show(written, table)
        stay(emp, modConf.stay)
    return written, table


def show(written: list[Any], table: list[Any]) -> None:
    """Print what each port has written, and what was lost."""
    for line in table:
        print(f"  process {line['pid']} port {line['port']}: {line['listeners']} entries")
    found = sum(line["listeners"] for line in table)
    processes = len({line["pid"] for line in table})
    print(
        f"{len(written)} entries written, {found} in the file, "
        f"by {len(table)} servers in {processes} processes",
        flush=True,
    )


def example(options: Namespace) -> int:
    """Run it with parsed options; returns the exit code."""
    check_installed(flask="flask", sqlalchemy="sqlalchemy", waitress="waitress")
    modConf.entries, modConf.stay = options.entries, options.stay
    with TemporaryDirectory(prefix="eisenmp-flask-") as folder:
        file = options.database or path.join(folder, "listeners.db")
        try:
            written, table = manager_entry(file)
        finally:
            os.environ.pop(DATABASE, None)
    answered = sorted(line["id"] for line in written)
    complete = len(set(answered)) == len(answered) <= sum(line["listeners"] for line in table)
    return command.DONE if complete else command.FAILED


def main(arguments: list[str]) -> int:
    """Entry of `eisenmp examples flask_orm`."""
    parser = command.parser("flask_orm", __doc__)
    parser.add_argument(
        "--entries", type=command.whole, default=modConf.entries, help="through each port (20)"
    )
    parser.add_argument(
        "--database", metavar="FILE", help="an SQLite file that is kept (default: one that is not)"
    )
    add_stay(parser)
    return command.run(parser, arguments, example)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
