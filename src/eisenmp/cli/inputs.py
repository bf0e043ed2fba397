"""Where the rows of `eisenmp run` come from: lines, a column of a CSV file, JSON lines, a generator."""

from __future__ import annotations

import csv
import json
import os
import sys
from itertools import chain

from ..child.loader import add_folders, check_signature, load_object
from ..errors import FeedError, LoadError
from ..manager import textfile
from ..manager.columns import place_of
from ..manager.source import resolve
from .exitcodes import FAILED
from .failure import Refusal, file_refusal
from .stream import STDIN, Lines

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from typing import Any

FIELD_MAX = 1 << 24  #: characters of a CSV field; an unclosed quote must not fill the memory


class Input:
    """The rows, and how to end a read of them that waits. A context: leaving it closes the file."""

    def __init__(self, name: str, rows: Iterable[Any], lines: Lines | None = None) -> None:
        self.name = name
        self.rows = rows
        self._lines = lines

    def end(self) -> None:
        """No more rows are wanted: a thread that waits for one gets the end."""
        if self._lines is not None:
            self._lines.end()

    def __enter__(self) -> Input:
        return self

    def __exit__(self, *_: object) -> None:
        if self._lines is not None:
            self._lines.close()


def open_input(
    feed: str | None, lines: str | None, csv: str | None, column: str | None, jsonl: str | None
) -> Input:
    """The one input that was asked for. Raises Refusal when it is not one, or has no rows, and LoadError."""
    given = {"--feed": feed, "--lines": lines, "--csv": csv, "--jsonl": jsonl}
    chosen = [name for name, value in given.items() if value is not None]
    if len(chosen) != 1:
        rest = f"; given are {' and '.join(chosen)}" if chosen else ""
        raise Refusal(f"one of {', '.join(given)} says where the rows come from{rest}")
    if (csv is None) != (column is None):
        raise Refusal(
            "--csv and --column go together: the file, and the name of the column whose values are the rows"
        )
    if feed is not None:
        return Input(feed, load_rows(feed))
    if lines is not None:
        if _lies_there(lines):
            return _read_by_workers(lines, lambda: textfile.lines(lines))
        return _first_read(Lines(lines), text_rows)
    if jsonl is not None:
        return _first_read(Lines(jsonl), json_rows)
    table, name = csv or "", column or ""
    if _lies_there(table):
        return _read_by_workers(table, lambda: textfile.csv_column(table, name))
    return _first_read(Lines(table), lambda file: column_rows(file, name))


def _lies_there(path: str) -> bool:
    """Whether it is a file that can be read in any order; some of the kernel's have no size."""
    try:
        return path != STDIN and os.path.isfile(path) and os.path.getsize(path) > 0
    except OSError:
        return False


def _read_by_workers(name: str, source: Callable[[], textfile.TextRows]) -> Input:
    """The input with a look at its first row, as for those that are read here."""
    try:
        try:
            rows = source()
        except FeedError as error:
            raise Refusal(str(error)) from error
        line = rows.empty_at()
    except OSError as error:
        raise file_refusal(name, error) from error
    if line is not None:
        raise Refusal(f"{name}:{line}: there are no rows")
    return Input(name, rows)


def _first_read(file: Lines, rows_of: Callable[[Lines], Iterator[Any]]) -> Input:
    """The input with its first row read: what has no column or no rows is refused before a worker starts."""
    try:
        rows = rows_of(file)
        for first in rows:
            return Input(file.name, chain((first,), rows), file)
        raise Refusal(f"{file.name}:{file.number + 1}: there are no rows")
    except OSError as error:
        file.close()
        raise Refusal(f"{file.name}: {error.strerror}", FAILED) from error
    except BaseException:
        file.close()
        raise


def text_rows(file: Lines) -> Iterator[str]:
    """Each line as a str without its line end; empty lines too. A CR alone ends a line as well."""
    for line in file:
        yield from line.removesuffix("\n").removesuffix("\r").split("\r")


def json_rows(file: Lines) -> Iterator[Any]:
    """The value of each line; blank lines are left out."""
    for line in file:
        text = line.strip()
        if not text:
            continue
        try:
            row = json.loads(text)
        except json.JSONDecodeError as error:
            place = f"{file.name}:{file.number}"
            raise Refusal(f"{place}: not JSON: {error.msg} at place {error.pos + 1}", FAILED) from error
        except (ValueError, RecursionError) as error:
            raise Refusal(f"{file.name}:{file.number}: not JSON that can be read: {error}", FAILED) from error
        yield row


def column_rows(file: Lines, column: str) -> Iterator[str]:
    """The values of one column as str. The first line that is not blank names the columns."""
    csv.field_size_limit(FIELD_MAX)
    reader = csv.reader(file, strict=True)
    try:
        header = next((row for row in reader if row), None)
        if header is None:
            raise Refusal(
                f"{file.name}:{file.number + 1}: there is no header line, and so no column {column!r}"
            )
        place = _column_place(header, column, f"{file.name}:{file.number}")
        for row in reader:
            if len(row) > place:
                yield row[place]
            elif row:
                raise Refusal(
                    f"{file.name}:{file.number}: {len(row)} fields; column {column!r} is number {place + 1}",
                    FAILED,
                )
    except csv.Error as error:
        raise Refusal(f"{file.name}:{file.number}: not CSV: {error}", FAILED) from error


def _column_place(header: list[str], column: str, where: str) -> int:
    try:
        return place_of(column, header, where)
    except FeedError as error:
        raise Refusal(str(error)) from error


def load_rows(reference: str) -> Iterable[Any]:
    """The rows that 'file.py:name' stands for: what is there if it can be iterated, else what it returns."""
    found: Any = load_object(resolve(reference))
    if isinstance(found, type) or not hasattr(found, "__iter__"):
        if not callable(found):
            raise LoadError(f"{reference}: {type(found).__name__} is neither a function nor an iterable")
        check_signature(found, (), role="feed")
        try:
            found = found()
        except Exception as error:  # whatever the user's function raises
            raise Refusal(f"{reference}: {type(error).__name__}: {error}") from error
    if not hasattr(found, "__iter__") and not hasattr(found, "__getitem__"):
        raise LoadError(f"{reference}: it gives {type(found).__name__}, which is no iterable")
    rows: Iterable[Any] = found
    return rows


def import_from_here() -> None:
    """Modules of the working directory can be named, whichever way the command was started."""
    if not sys.flags.safe_path:
        add_folders([os.getcwd()])
