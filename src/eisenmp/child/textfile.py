"""Rows of a text file, read by whoever needs them: its lines, or one column of a CSV file."""

from __future__ import annotations

import os
import threading

from ..core.record import NamedTuple
from ..core.records import Form, lines_in
from ..errors import FeedError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from ..core.span import Span
    from .stocks import Teller

FIELD_MAX = 1 << 24  #: characters of a CSV field; an unclosed quote must not fill the memory


class TextFile(NamedTuple):
    """A file that is not to change: its size and the time of its last change, in nanoseconds.

    `name` is what errors call it. With a delimiter in its form the rows are the fields at `place`, the
    column `column`; else the lines. The place of a span is (row, byte, byte behind it, line): where the rows
    begin that the bytes have, and where these are.
    """

    path: str
    name: str
    size: int
    changed: int
    encoding: str
    form: Form = Form()
    place: int = 0
    column: str = ""

    def open(self, teller: Teller | None = None) -> FileReader:
        return FileReader(self)


class FileReader:
    """Reads spans of the file. Raises FeedError that names file and line."""

    def __init__(self, file: TextFile) -> None:
        self._file = file
        self._descriptor = -1
        self._lock = threading.Lock()

    def rows(self, span: Span, lazily: bool = False) -> list[str]:
        first, start, stop, line = span.place
        data = self.read(start, stop)
        texts = self._texts(self.decoded(data, line), line)
        skipped = span.start - first
        return texts if len(texts) == span.rows else texts[skipped : skipped + span.rows]

    def read(self, start: int, stop: int) -> bytes:
        """Bytes of the file. Raises FeedError when it has changed, OSError."""
        file = self._file
        parts: list[bytes] = []
        with self._lock:
            if self._descriptor < 0:
                self._descriptor = os.open(file.path, os.O_RDONLY | getattr(os, "O_BINARY", 0))
            os.lseek(self._descriptor, start, os.SEEK_SET)
            while start < stop and (part := os.read(self._descriptor, stop - start)):
                parts.append(part)
                start += len(part)
        status = os.fstat(self._descriptor)
        if start < stop or (status.st_size, status.st_mtime_ns) != (file.size, file.changed):
            raise FeedError(f"{file.name}: the file has changed while it was read")
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def settle(self) -> None:
        """Nothing is read ahead."""

    def let_go(self) -> None:
        """Nothing is kept."""

    def close(self) -> None:
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)

    def __del__(self) -> None:
        self.close()  # of a feed that was refused, nobody does

    def decoded(self, data: bytes, line: int) -> str:
        try:
            return data.decode(self._file.encoding)
        except UnicodeDecodeError as error:
            before = data[: error.start]
            begin = max(before.rfind(b"\n"), before.rfind(b"\r")) + 1
            byte = f"byte 0x{data[error.start]:02x} at place {error.start - begin + 1}"
            kind = "UTF-8" if self._file.encoding == "utf-8" else self._file.encoding
            where = f"{self._file.name}:{line + lines_in(before)}"
            raise FeedError(f"{where}: {byte} is not {kind}") from error

    def _texts(self, text: str, line: int) -> list[str]:
        delimiter = self._file.form.delimiter.decode("ascii")
        if delimiter and '"' in text:
            return self._column(text, line, delimiter)
        if "\r" in text:
            text = text.replace("\r\n", "\n").replace("\r", "\n")
        lines = text.split("\n")
        if not lines[-1]:
            lines.pop()
        if not delimiter:
            return lines
        place = self._file.place
        try:
            # without quotes a record is a line, and what is behind the column needs no splitting
            return [record.split(delimiter, place + 1)[place] for record in lines if record]
        except IndexError:
            return self._column(text, line, delimiter)

    def _column(self, text: str, line: int, delimiter: str) -> list[str]:
        import csv
        from io import StringIO

        place, rows = self._file.place, []
        limit = csv.field_size_limit(FIELD_MAX)
        reader = csv.reader(StringIO(text, newline=""), delimiter=delimiter, strict=True)
        try:
            for row in reader:
                if len(row) > place:
                    rows.append(row[place])
                elif row:
                    raise self._short(row, line + reader.line_num - 1)
        except csv.Error as error:
            raise FeedError(f"{self._file.name}:{line + reader.line_num - 1}: not CSV: {error}") from error
        finally:
            csv.field_size_limit(limit)
        return rows

    def _short(self, row: Sequence[Any], line: int) -> FeedError:
        return FeedError(
            f"{self._file.name}:{line}: {len(row)} fields; "
            f"column {self._file.column!r} is number {self._file.place + 1}"
        )
