"""How many rows a chunk of rows_max="auto" has: as many as the workers do in a moment."""

from __future__ import annotations

TARGET = 0.045  #: seconds of work in a chunk: as far from 20 ms as from 100 ms, in times
ROWS_MAX = 1 << 20
BYTES_MAX = 1 << 25  #: of the pickled rows; beyond that a larger chunk saves nothing
GROWTH = 4  #: times the rows of a chunk that was measured
SMOOTHING = 0.3
JUMP = 2.0  #: times faster or slower than expected: what was measured before says no more


class Pace:
    """Measures the chunks of one feed as they are done; `rows` is how many the next one should have."""

    __slots__ = ("_bytes", "_seconds", "rows")

    def __init__(self) -> None:
        self.rows = 1
        self._seconds = 0.0  # of a row
        self._bytes = 0.0  # of a row, pickled

    def done(self, rows: int, seconds: float) -> None:
        """A worker has done a chunk of so many rows in so many seconds: 0.0 is less than can be measured, and
        a negative number is not known.
        """
        if rows <= 0 or seconds < 0 or (rows * GROWTH < self.rows and seconds < TARGET):
            return  # what a chunk costs by itself hides what its few rows do
        measured = seconds / rows
        known = self._seconds
        if known and known < measured * JUMP and measured < known * JUMP:
            measured = known + (measured - known) * SMOOTHING
        self._seconds = measured
        wanted = TARGET / measured if measured else ROWS_MAX
        if self._bytes:
            wanted = min(wanted, BYTES_MAX / self._bytes)
        # chunks that were cut before the last change come in late: they are no reason to shrink
        self.rows = max(1, int(min(wanted, ROWS_MAX, max(self.rows, rows * GROWTH))))

    def packed(self, rows: int, size: int) -> None:
        """A chunk of so many rows is so many bytes long."""
        if rows > 0:
            self._bytes = size / rows
            if rows > 1 and self.rows * self._bytes > BYTES_MAX:
                self.rows = max(1, int(BYTES_MAX / self._bytes))
