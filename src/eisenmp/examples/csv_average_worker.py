"""Worker of the example csv_average: adds up one column of pieces of a CSV file."""

from __future__ import annotations

import csv
from io import StringIO
from math import fsum, isfinite

import eisenmp

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

MISSING = frozenset(("", "NA", "N/A", "NaN", "nan", "NULL", "null"))  #: cells that are left out

csv.field_size_limit(1 << 30)  # a piece bounds a field


@eisenmp.worker
def worker_entrance(toolbox: eisenmp.ToolBox, rows: list[tuple[int, bytes]]) -> tuple[str, int, int, float]:
    """Its name, how many records there are, how many have a number in the column, and the sum of those.

    A row is (number of its first line, whole records as bytes). Raises ValueError that names file and line.
    """
    name, column, index = (toolbox.kwargs[key] for key in ("file_name", "column", "index"))
    encoding, delimiter = toolbox.kwargs["encoding"], toolbox.kwargs["delimiter"]
    records = 0
    numbers: list[float] = []
    for first_line, data in rows:
        text = decode(data, encoding, name, first_line)
        for line, fields in split(text, delimiter, index, first_line):
            records += 1
            if len(fields) <= index:
                raise ValueError(f"{name}:{line}: the record ends before column {column!r}")
            cell = fields[index].strip()
            if cell not in MISSING:
                try:
                    numbers.append(finite(cell))
                except ValueError as error:
                    raise ValueError(f"{name}:{line}: column {column!r}: {error}") from None
    return toolbox.WORKER_NAME, records, len(numbers), fsum(numbers)


def decode(data: bytes, encoding: str, name: str, first_line: int) -> str:
    """The text. Raises ValueError with the line of a byte that is none of the encoding."""
    try:
        return data.decode(encoding)
    except UnicodeDecodeError as error:
        line = first_line + data.count(b"\n", 0, error.start)
        raise ValueError(f"{name}:{line}: not {encoding} text: byte 0x{data[error.start]:02x}") from None


def split(text: str, delimiter: str, index: int, line: int) -> Iterator[tuple[int, list[str]]]:
    """(line, fields up to the one at index at least) of each record that is not blank."""
    if '"' in text or text.count("\r") > text.count("\r\n"):
        reader = csv.reader(StringIO(text, newline=""), delimiter=delimiter)
        for fields in reader:
            if fields:
                yield line + reader.line_num - 1, fields
        return
    # a record is a line, and what is behind the column needs no splitting
    for number, record in enumerate(text.split("\n"), line):
        record = record.removesuffix("\r")
        if record:
            yield number, record.split(delimiter, index + 1)


def finite(cell: str) -> float:
    """The number. Raises ValueError for text, and for infinity."""
    try:
        number = float(cell)
    except ValueError:
        number = float("inf")
    if not isfinite(number):
        raise ValueError(f"{cell[:40]!r} is no number")
    return number
