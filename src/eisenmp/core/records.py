"""Where rows of a text end, found in its bytes: lines, or records of CSV, whose quotes may hold lines."""

from __future__ import annotations

import re
from bisect import bisect_left
from functools import cache
from itertools import accumulate

from .record import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from re import Pattern

NEAR = 1 << 12  #: bytes in which line ends are looked for one by one


class Form(NamedTuple):
    """How bytes are rows. `delimiter`: of CSV, a byte; nothing for plain lines.

    Lines end at LF, CR LF and CR; the lines of a quoted field are data, and blank lines of CSV are no rows.
    """

    delimiter: bytes = b""

    def cut(self, data: bytes, rows_max: int, *, final: bool) -> tuple[int, int]:
        """(rows, end): how many whole rows `data` starts with, `rows_max` at most, and where they end.

        `final`: the source ends with the data, so that a last row needs no line end.
        """
        if not final and data.endswith(b"\r"):
            data = data[:-1]  # half of a CR LF, perhaps
        if self._is_plain(data):
            return _cut_lines(data, rows_max, final)
        if not self.delimiter:
            return _cut_one_by_one(_LINE, data, rows_max, final, blank=True)
        if b'"' in data and _has_only_full_lines(data):
            found = _cut_quoted(data, rows_max, final, self.delimiter)
            if found is not None:
                return found
        return _cut_one_by_one(_record(self.delimiter), data, rows_max, final, blank=False)

    def _is_plain(self, data: bytes) -> bool:
        """Whether each LF ends a row, and nothing else does."""
        if not self.delimiter:
            return not _has_lone_returns(data)
        return b'"' not in data and _has_only_full_lines(data)


def lines_in(data: bytes) -> int:
    """How many line ends there are."""
    count = data.count(b"\n")
    return count + data.count(b"\r") - data.count(b"\r\n") if b"\r" in data else count


def _has_lone_returns(data: bytes) -> bool:
    return b"\r" in data and data.count(b"\r") != data.count(b"\r\n")


def _has_only_full_lines(data: bytes) -> bool:
    """Whether no line is blank, and none ends with a CR alone; lines within quotes may look so."""
    if data.startswith((b"\n", b"\r")) or b"\n\n" in data or b"\n\r" in data:
        return False
    return not _has_lone_returns(data)


def _cut_lines(data: bytes, rows_max: int, final: bool) -> tuple[int, int]:
    rows = data.count(b"\n")
    if rows >= rows_max:
        return rows_max, _end_of_line(data, rows_max)
    end = data.rfind(b"\n") + 1
    if final and end < len(data):
        return rows + 1, len(data)
    return rows, end


def _end_of_line(data: bytes, number: int) -> int:
    """Behind which byte the line of that number ends, counted from 1."""
    low, high = 0, len(data)
    while high - low > NEAR:
        middle = (low + high) // 2
        count = data.count(b"\n", low, middle)
        if count >= number:
            high = middle
        else:
            low = middle
            number -= count
    place = low - 1
    for _ in range(number):
        place = data.index(b"\n", place + 1)
    return place + 1


def _cut_quoted(data: bytes, rows_max: int, final: bool, delimiter: bytes) -> tuple[int, int] | None:
    """None where a quote stands within a field that has not begun with one: there it is a mere character."""
    parts = data.split(b'"')
    outside = parts[::2]
    before_quotes = b'"'.join(outside) + (b'"' if len(parts) % 2 == 0 else b"")
    if _stray(delimiter).search(before_quotes):
        return None
    counts = list(accumulate(part.count(b"\n") for part in outside))
    if counts[-1] >= rows_max:
        rows, number = rows_max, bisect_left(counts, rows_max)
        end = _end_of_line(outside[number], rows_max - (counts[number - 1] if number else 0))
    elif final and (len(parts) % 2 == 0 or (parts[-1] and not parts[-1].endswith(b"\n"))):
        return counts[-1] + 1, len(data)
    else:
        rows = counts[-1]
        number = bisect_left(counts, rows)
        end = outside[number].rfind(b"\n") + 1
        if final and len(parts) > 1 and not parts[-1]:
            return rows + 1, len(data)  # a quoted field is the last thing
    return rows, end + sum(map(len, parts[: 2 * number])) + 2 * number


def _cut_one_by_one(
    row: Pattern[bytes], data: bytes, rows_max: int, final: bool, *, blank: bool
) -> tuple[int, int]:
    rows = end = 0
    match = row.match
    while rows < rows_max:
        found = match(data, end)
        if found is None:
            if final and end < len(data):
                return rows + 1, len(data)
            break
        rows += blank or found.end(1) > end
        end = found.end()
    return rows, end


@cache
def _stray(delimiter: bytes) -> Pattern[bytes]:
    """A quote that begins no field, and does not follow another one either."""
    return re.compile(b'[^"\r\n' + re.escape(delimiter) + b']"')


@cache
def _record(delimiter: bytes) -> Pattern[bytes]:
    """A record as the module csv takes it apart, with its line end."""
    rest = b"[^\r\n" + re.escape(delimiter) + b"]*+"
    quoted = b'"[^"]*+(?:""[^"]*+)*+"' + rest
    bare = b'(?!")' + rest
    field = b"(?:" + quoted + b"|" + bare + b")"
    return re.compile(b"(" + field + b"(?:" + re.escape(delimiter) + field + b")*+)(?:\r\n|\r|\n)")


_LINE = re.compile(b"([^\r\n]*+)(?:\r\n|\r|\n)")
