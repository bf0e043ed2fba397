"""The CSV files of the example csv_average: found, opened, and cut into pieces while they are read."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from contextlib import ExitStack
from io import StringIO
from os import path
from types import TracebackType
from typing import IO, NamedTuple, Protocol, Self

from .command import Refused, package_folder

PIECE = 1 << 17  #: bytes that are read at once; pieces are about that long
RECORD_MAX = 1 << 24  #: bytes of one record: more is a quote that never ends, or no CSV
TIMEOUT = 30.0  #: seconds without a byte from a server
ZIP_MAGIC = b"PK\x03\x04"


class Stream(Protocol):
    """What can be read piece by piece."""

    def read(self, size: int, /) -> bytes:
        """At most `size` bytes; none at the end."""


class Layout(NamedTuple):
    """How the bytes are text, and the text is fields."""

    encoding: str = "utf-8"
    delimiter: str = ","


class CsvSource:
    """An open CSV file behind a path or a URL, directly or as a member of a zip file.

    `names`: the columns. Raises Refused when there is no such file, or no header in it.
    """

    def __init__(self, source: str | None, member: str | None, layout: Layout) -> None:
        self._layout = layout
        self._files = ExitStack()
        self.line = 1  #: of the piece that comes next
        check_layout(layout)
        try:
            self.name, self._stream = self._open(source or flights(), member)
            self._rest = self._stream.read(PIECE).removeprefix(b"\xef\xbb\xbf")
            self.names = self._header()
        except BaseException:
            self._files.close()
            raise

