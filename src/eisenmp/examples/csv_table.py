"""The CSV file of the example csv_average: its columns, and pieces of whole records while it is read."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from io import StringIO
from itertools import chain
from typing import NamedTuple

from .command import Refused
from .csv_average_worker import decode
from .csv_source import Stream

PIECE = 1 << 17  #: bytes that are read at once; pieces are about that long
RECORD_MAX = 1 << 24  #: bytes; a longer record is a quote that never ends, or no CSV
BOM = b"\xef\xbb\xbf"


class Layout(NamedTuple):
    """How the bytes are text, and the text is fields."""

    encoding: str = "utf-8"
    delimiter: str = ","

    def check(self) -> None:
        """Raise Refused for what cannot be cut into pieces by its bytes."""
        if len(self.delimiter) != 1 or self.delimiter in '"\r\n':
            raise Refused(f"the delimiter must be one character and no quote, not {self.delimiter!r}")
        try:
            if '\n,"'.encode(self.encoding) == b'\n,"':
                return
        except LookupError:
            raise Refused(f"there is no encoding {self.encoding!r}") from None
        raise Refused(f"the encoding {self.encoding} does not spell lines and quotes as ASCII does")


class CsvTable:
    """`names`: the columns; then `pieces()`. Raises Refused when the stream has no header."""

    def __init__(self, name: str, stream: Stream, layout: Layout) -> None:
        layout.check()
        self._name = name
        self._layout = layout
        self._line = 1  # of what comes next
        self._pieces = self._cut(stream)
        self.names, self._first = self._header()

    def column(self, name: str) -> int:
        """The place of a column. Raises Refused with the names that there are."""
        if name in self.names:
            return self.names.index(name)
        raise Refused(f"{self._name}:1: there is no column {name!r}; there are {', '.join(self.names)}")

    def pieces(self) -> Iterator[tuple[int, bytes]]:
        """(number of the first line, whole records) until the stream ends. Raises Refused."""
        for data in chain((self._first,), self._pieces):
            line = self._line
            self._line += data.count(b"\n")
            if data:
                yield line, data

    def _header(self) -> tuple[list[str], bytes]:
        """The names, and what is left of the first piece."""
        data = next(self._pieces, b"").removeprefix(BOM)
        try:
            text = decode(data, self._layout.encoding, self._name, 1)
            lines = StringIO(text, newline="")
            reader = csv.reader(lines, delimiter=self._layout.delimiter)
            names = next((fields for fields in reader if fields), None)
        except ValueError as error:
            raise Refused(str(error)) from error
        if names is None:
            raise Refused(
                f"{self._name}:1: the file is empty, a line with the names of the columns is expected"
            )
        end = len(text[: lines.tell()].encode(self._layout.encoding))
        self._line += data.count(b"\n", 0, end)
        return names, data[end:]

    def _cut(self, stream: Stream) -> Iterator[bytes]:
        """Pieces that end where a record ends: a new line within quotes is text."""
        rest = b""
        while data := stream.read(PIECE):
            rest += data
            end = records_end(rest)
            if end:
                yield rest[:end]
                rest = rest[end:]
            elif len(rest) > RECORD_MAX:
                raise Refused(
                    f"{self._name}:{self._line}: no record ends within {RECORD_MAX:,} bytes: no CSV file?"
                )
        if rest.count(b'"') % 2:
            raise Refused(f"{self._name}:{self._line}: a quote that is opened here is never closed")
        if rest:
            yield rest


def records_end(data: bytes) -> int:
    """Where the last whole record ends; 0 when none does. An even number of quotes is before it."""
    end = data.rfind(b"\n")
    quotes = data.count(b'"', 0, max(end, 0))
    while end >= 0 and quotes % 2:
        before = data.rfind(b"\n", 0, end)
        quotes -= data.count(b'"', max(before, 0), end)
        end = before
    return end + 1
