"""Where the results of `eisenmp run` go, each as it arrives: JSON lines, CSV, SQLite, a terminal.

A file that exists is rewritten, never appended to. A value that is not JSON raises Unwritable.
"""

from __future__ import annotations

import csv
import io
import json
import os
import shutil
import sys

from .failure import Refusal, file_refusal
from .stream import STDIN

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Protocol

    from ..core.results import Result
    from ..core.ticket import Ticket

    class Output(Protocol):
        """Takes results; each is with the reader when `write` returns."""

        name: str

        def write(self, result: Result) -> None: ...

        def close(self) -> None: ...


STDOUT = "stdout"
SEPARATORS = "\x85\u2028\u2029"  #: many readers of lines take these for the end of one


class Unwritable(Exception):
    """The value of a ticket is not JSON."""


def open_output(path: str | None, source: str | None) -> Output:
    """The output for `-o path`, by its suffix; without one stdout. `source` is the input file, if it is one.

    Raises Refusal; a file is not touched before its name is found good.
    """
    if path is None or path == "-":
        if sys.stdout is None:
            raise Refusal("stdout is closed; -o FILE says where the results go")
        return Screen() if path is None and sys.stdout.isatty() else JsonLines(STDOUT, sys.stdout.buffer)
    kinds: dict[str, type[JsonLines | Csv | Sqlite]] = {".jsonl": JsonLines, ".csv": Csv, ".db": Sqlite}
    suffix = os.path.splitext(path)[1].lower()
    if suffix not in kinds:
        raise Refusal(f"-o {path}: the name of an output ends with {', '.join(kinds)}, or is - for stdout")
    try:
        is_file = source is not None and source != STDIN
        if is_file and os.path.exists(path) and os.path.samefile(path, source or ""):
            raise Refusal(f"-o {path}: it is the input too, and would be rewritten before it is read")
        return kinds[suffix](path, io.BufferedWriter(io.FileIO(path, "w")))
    except OSError as error:
        raise file_refusal(path, error) from error


def to_json(ticket: Ticket, value: Any) -> str:
    """The value as JSON; arrays and numbers of numpy as what their `tolist()` gives. Raises Unwritable."""
    try:
        text = json.dumps(value, ensure_ascii=False, allow_nan=False, default=_plain)
        if text.isascii():
            return text
        try:
            text.encode()
        except UnicodeEncodeError:  # half of a surrogate pair, which only an escape can spell
            return json.dumps(value, allow_nan=False, default=_plain)
    except (TypeError, ValueError, RecursionError) as error:
        raise Unwritable(
            f"ticket {ticket.number} of queue {ticket.queue!r}: its value cannot be written as JSON: {error}"
        ) from error
    for separator in SEPARATORS:
        text = text.replace(separator, f"\\u{ord(separator):04x}")
    return text


def _plain(value: Any) -> Any:
    if hasattr(value, "tolist"):
        return value.tolist()
    raise TypeError(f"a {type(value).__name__} is none of dict, list, tuple, str, int, float, bool and None")


class JsonLines:
    """`{"ticket": 7, "queue": "mp_input_q (default)", "value": …}`, with `"part"` for a part of a ticket."""

    def __init__(self, name: str, file: Any) -> None:
        self.name = name
        self._file = file

    def write(self, result: Result) -> None:
        ticket, value = result
        part = f', "part": {ticket.part}' if ticket.part else ""
        queue = json.dumps(ticket.queue, ensure_ascii=False)
        line = f'{{"ticket": {ticket.number}{part}, "queue": {queue}, "value": {to_json(ticket, value)}}}\n'
        try:
            self._file.write(line.encode())
            self._file.flush()
        except (KeyboardInterrupt, SystemExit):
            # nobody reads, or it would not have waited: what is left must not wait once more at exit
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, self._file.fileno())
            os.close(nowhere)
            raise

    def close(self) -> None:
        if self.name != STDOUT:
            self._file.close()


class Csv:
    """Columns ticket and value; a value that is no text is written as JSON, None as an empty field."""

    def __init__(self, name: str, file: Any) -> None:
        self.name = name
        self._file = io.TextIOWrapper(
            file, encoding="utf-8", errors="surrogatepass", newline="", write_through=True
        )
        self._table = csv.writer(self._file, lineterminator="\n")
        try:
            self._table.writerow(("ticket", "value"))
            self._file.flush()
        except OSError:
            file.raw.close()
            raise

    def write(self, result: Result) -> None:
        ticket, value = result
        if value is None:
            value = ""
        elif not isinstance(value, str):
            value = to_json(ticket, value)
        self._table.writerow((ticket.number, value))
        self._file.flush()

    def close(self) -> None:
        self._file.close()


class Sqlite:
    """Table results(ticket, part, value): integers, and the value as the text of its JSON."""

    def __init__(self, name: str, file: Any) -> None:
        file.close()  # that has emptied it, and an empty file is a database
        self.name = name
        try:
            import sqlite3
        except ImportError as error:
            raise Refusal(f"-o {name}: this Python comes without sqlite3") from error
        self._error = sqlite3.Error
        try:
            self._database = sqlite3.connect(name, isolation_level=None)
            # With a log beside the file a result costs no wait for the disk, and others can read meanwhile.
            self._database.execute("PRAGMA journal_mode = WAL")
            self._database.execute("PRAGMA synchronous = NORMAL")
            self._database.execute(
                "CREATE TABLE results (ticket INTEGER, part INTEGER, value TEXT, PRIMARY KEY (ticket, part))"
            )
        except sqlite3.Error as error:
            raise Refusal(f"{name}: {error}") from error

    def write(self, result: Result) -> None:
        ticket, value = result
        row = (ticket.number, ticket.part, to_json(ticket, value))
        try:
            self._database.execute("INSERT INTO results VALUES (?, ?, ?)", row)
        except self._error as error:
            raise OSError(str(error)) from error

    def close(self) -> None:
        try:
            self._database.execute("PRAGMA journal_mode = DELETE")  # one file again
        except self._error:
            pass  # somebody reads it now; the log stays beside it
        self._database.close()


class Screen:
    """A line for each ticket, as much of the value as fits."""

    name = STDOUT

    def write(self, result: Result) -> None:
        ticket, value = result
        number = f"{ticket.number}.{ticket.part}" if ticket.part else str(ticket.number)
        text = value if isinstance(value, str) else repr(value)
        line = f"{number:>8}  {text.splitlines()[0] if text.splitlines() else text}"
        width = shutil.get_terminal_size().columns
        # By `sys.stdout` as it is now: a progress bar moves out of the way of what goes through it.
        print(line if len(line) <= width else f"{line[: width - 1]}…", flush=True)

    def close(self) -> None:
        """The terminal stays open."""
