"""`eisenmp.lines` and `eisenmp.csv_column`: text files of which each worker reads what its tickets have."""

from __future__ import annotations

import os
import sys
import weakref

from ..child.textfile import FIELD_MAX, TextFile
from ..core.records import Form, lines_in
from ..core.span import Span
from ..errors import FeedError
from .columns import place_of
from .supply import Supply

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import IO, Any

BOM = b"\xef\xbb\xbf"
LOOK = 1 << 16  #: bytes that are read of a file before anything is known of it
HEAD = 16  #: rows that tell a file from others
STATEFUL = ("iso2022", "hz", "utf_7", "utf7")  #: bytes of line ends and quotes may be part of a letter there


def lines(path: str | os.PathLike[str], *, encoding: str = "utf-8") -> TextRows:
    """The lines of a text file, for `feed`: each a str without its line end, as `open(path)` gives them.

    The workers read them from the file, which must not change meanwhile. Compressed files (gzip, bzip2, xz,
    and zstd where Python has it) are unpacked once, into a file that ends with the program. Raises OSError
    for what cannot be opened; a line that is not in the encoding ends the feed with a FeedError that names
    file and line.
    """
    return TextRows(path, encoding, Form(), "")


def csv_column(
    path: str | os.PathLike[str], name: str, *, encoding: str = "utf-8", delimiter: str = ","
) -> TextRows:
    """The values of one column of a CSV file, for `feed`: each a str. The first line names the columns.

    The workers parse the file, which must not change meanwhile; compressed ones as for `lines`. Blank lines
    are no rows. Raises OSError, and FeedError for a column that is not there.
    """
    if len(delimiter) != 1 or delimiter in '"\r\n' or not delimiter.isascii():
        raise ValueError(f"a delimiter is one character of ASCII and no quote, not {delimiter!r}")
    rows = TextRows(path, encoding, Form(delimiter.encode()), name)
    rows.check()
    return rows


class TextRows(Supply):
    """What `lines` and `csv_column` return. Iterating over it reads the file here."""

    def __init__(self, path: str | os.PathLike[str], encoding: str, form: Form, column: str) -> None:
        self._name = os.fspath(path)
        self._encoding = _checked(encoding)
        self._form = form
        self._column = column
        self._unpacked: IO[bytes] | None = None
        self._path = os.path.abspath(self._name)
        self._open_packed()

    def _open_packed(self) -> None:
        with open(self._path, "rb") as file:
            opener = _opener(file.read(8), self._name)
        if opener is not None:
            from tempfile import NamedTemporaryFile

            unpacked = NamedTemporaryFile(prefix="eisenmp-")  # noqa: SIM115 - it lives as long as this
            weakref.finalize(self, unpacked.close)
            _unpack(opener, self._path, self._name, unpacked)
            self._path, self._unpacked = unpacked.name, unpacked

    def check(self) -> None:
        """Raise FeedError unless there is a header with the column in it."""
        self.stock(0)

    def empty_at(self) -> int | None:
        """The number of the line behind the last one when there are no rows; FeedError for a bad one."""
        stock = self.stock(0)
        scan, reader = self.cutter(stock), stock.open()
        try:
            span = scan.cut(1)
            if span is None:
                return scan.line
            reader.rows(span)
            return None
        finally:
            reader.close()
            scan.close()

    def stock(self, size: int) -> TextFile:
        status = os.stat(self._path)
        file = TextFile(
            self._path, self._name, status.st_size, status.st_mtime_ns, self._encoding, self._form,
            column=self._column,
        )  # fmt: skip
        if not self._column:
            return file
        scan = _Scan(file, self._header_of)
        scan.close()
        return file._replace(place=scan.column)

    def cutter(self, stock: TextFile) -> _Scan:
        return _Scan(stock, self._header_of)

    def __iter__(self) -> Iterator[str]:
        stock = self.stock(0)
        scan, reader = self.cutter(stock), stock.open()
        size = 1
        try:
            while (span := scan.cut(size)) is not None:
                yield from reader.rows(span)
                size = min(1 << 10, 2 * size)
        finally:
            reader.close()
            scan.close()

    def _header_of(self, fields: list[str] | None, line: int) -> int:
        """The place of the column among these fields. Raises FeedError."""
        name, column = f"{self._name}:{line}", self._column
        if fields is None:
            raise FeedError(f"{name}: there is no header line, and so no column {column!r}")
        return place_of(column, fields, name)

    def __repr__(self) -> str:
        return f"csv_column({self._name!r}, {self._column!r})" if self._column else f"lines({self._name!r})"


class _Scan:
    """Finds where the rows of a file end, as far as spans are asked for."""

    sliced = True

    def __init__(self, file: TextFile, header_of: Callable[[list[str] | None, int], int]) -> None:
        self.partial: list[Any] = []
        self.column = 0
        self._file = file
        self._reader = file.open()
        self._row = 0
        self._byte = 0
        self.line = 1  #: the number of the next one
        self._width = 64.0  # bytes of a row, about
        try:
            if file.encoding == "utf-8" and self._reader.read(0, min(3, file.size)) == BOM:
                self._byte = 3
            if file.column:
                self.column = self._read_header(header_of)
        except BaseException:
            self.close()
            raise

    def _read_header(self, header_of: Callable[[list[str] | None, int], int]) -> int:
        from csv import Error, reader
        from io import StringIO

        start, line = self._byte, self.line
        found = self._cut(1)
        if found is None:
            return header_of(None, self.line)
        text = StringIO(self._reader.decoded(self._reader.read(start, self._byte), line), newline="")
        records = reader(text, delimiter=self._file.form.delimiter.decode(), strict=True)
        try:
            fields = next((fields for fields in records if fields), None)
        except Error as error:
            raise FeedError(f"{self._file.name}:{line}: not CSV: {error}") from error
        return header_of(fields, line + records.line_num - 1)

    def cut(self, size: int) -> Span | None:
        """The next `size` rows, fewer at the end of the file; None when there are no more."""
        start, line, row = self._byte, self.line, self._row
        rows = self._cut(size)
        if not rows:
            self.close()
            return None
        self._row += rows
        span = Span(row, rows, (row, start, self._byte, line))
        span.head = self._first(span)
        return span

    def _first(self, span: Span) -> Iterator[str]:
        """What tells the file from others, read when it is asked for."""
        reader = self._file.open()
        try:
            yield str(self._file.size)
            yield from reader.rows(span)[:HEAD]
        finally:
            reader.close()

    def _cut(self, size: int) -> int | None:
        """Pass over so many rows; returns how many there were."""
        file = self._file
        length = max(LOOK if size < LOOK else 0, int(size * self._width * 1.1))
        while True:
            stop = min(file.size, self._byte + length)
            data = self._reader.read(self._byte, stop)
            final = stop == file.size
            rows, end = file.form.cut(data, size, final=final)
            if rows == size or final:
                break
            if not rows and length > FIELD_MAX:
                raise FeedError(f"{file.name}:{self.line}: no row ends within {length:,} bytes")
            length *= 2
        passed = data[:end]
        self.line += lines_in(passed)
        self._byte += end
        if rows:
            self._width = max(1.0, end / rows)
        return rows or None

    def skip(self, size: int) -> int:
        """Leave out the next `size` rows; returns how many there were."""
        span = self.cut(size)
        return 0 if span is None else len(span)

    def pull(self, rows: list[Any], count: int) -> None:
        """Spans are not put together row by row."""

    def close(self) -> None:
        """Let go of the file."""
        self._reader.close()


def _checked(encoding: str) -> str:
    """The name by which Python knows it. Raises ValueError for one whose bytes do not spell line ends."""
    from codecs import lookup

    try:
        name = lookup(encoding).name
        plain = '\n,"'.encode(name) == b'\n,"'
    except (LookupError, UnicodeError):
        raise ValueError(f"there is no encoding {encoding!r}") from None
    if not plain or name.replace("-", "_").startswith(STATEFUL):
        raise ValueError(f"the encoding {encoding} does not spell lines and quotes as ASCII does")
    return "utf-8" if name == "utf-8-sig" else name


def _opener(magic: bytes, name: str) -> Callable[..., IO[bytes]] | None:
    """What opens a file that begins so; None when it is not compressed."""
    module = next((module for begin, module in PACKED.items() if magic.startswith(begin)), None)
    if module is None:
        return None
    from importlib import import_module

    try:
        opener: Callable[..., IO[bytes]] = import_module(module).open
    except ImportError as error:
        raise FeedError(f"{name}: to unpack it takes the module {module}, which is not there") from error
    return opener


PACKED = {
    b"\x1f\x8b": "gzip",
    b"BZh": "bz2",
    b"\xfd7zXZ\x00": "lzma",
    b"\x28\xb5\x2f\xfd": "compression.zstd" if sys.version_info >= (3, 14) else "zstandard",
}


def _unpack(opener: Callable[..., IO[bytes]], path: str, name: str, to: Any) -> None:
    from shutil import copyfileobj

    try:
        with opener(path, "rb") as packed:
            copyfileobj(packed, to, 1 << 20)
        to.flush()
    except Exception as error:  # each library has errors of its own for damaged files
        to.close()
        raise FeedError(f"{name}: it cannot be unpacked: {error}") from error
