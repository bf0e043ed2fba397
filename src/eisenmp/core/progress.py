"""Progress in rows: how much is done, how fast it goes, how long it will take; and both as text."""

from __future__ import annotations

PERF_HEADER_ETA = "PERF_HEADER_ETA"  #: begin of the header of a message on the info queue
HALF_LIFE = 15.0  #: seconds after which a measured rate counts half

_HOUR, _DAY = 3_600, 86_400


class Progress:
    """Counts rows and tells rate, percent and seconds left. Time is that of any steady clock, in seconds."""

    __slots__ = ("_counted", "_elapsed", "_last", "done", "started", "total")

    def __init__(self, started: float, total: int | None = None) -> None:
        self.started = started
        self.total = total
        self.done = 0
        self._last = started
        self._counted = 0.0
        self._elapsed = 0.0

    def update(self, done: int, now: float) -> tuple[float, float | None, float | None]:
        """Gives (rate, percent, eta) now that `done` rows are finished in all; they never become fewer."""
        done = max(self.done, done)
        passed = max(0.0, now - self._last)
        # Rows and seconds fade alike, so a steady rate is exact from the first update on.
        fade = 0.5 ** (passed / HALF_LIFE)
        self._counted = self._counted * fade + (done - self.done)
        self._elapsed = self._elapsed * fade + passed
        self._last = max(self._last, now)
        self.done = done
        return self.rate, self.percent, self.eta

    def add(self, rows: int, now: float) -> tuple[float, float | None, float | None]:
        """The same for `rows` more rows."""
        return self.update(self.done + max(0, rows), now)

    @property
    def rate(self) -> float:
        """Rows per second, of late rather than on the whole; 0.0 as long as nothing is known."""
        return self._counted / self._elapsed if self._elapsed > 0 else 0.0

    @property
    def percent(self) -> float | None:
        """0 to 100, also when more rows come than were announced; None without a total."""
        if self.total is None:
            return None
        return min(100.0, 100.0 * self.done / self.total) if self.total > 0 else 100.0

    @property
    def eta(self) -> float | None:
        """Seconds left, 0.0 or more; None without a total or a rate."""
        if self.total is None:
            return None
        if self.done >= self.total:
            return 0.0
        return (self.total - self.done) / self.rate if self.rate > 0 else None

    def line(self) -> str:
        """'12,000 of 50,000 rows  24.0 %  3,100 rows/s  0:00:12 left', without what is not known."""
        total = "" if self.total is None else f" of {self.total:,}"
        parts = [f"{self.done:,}{total} rows"]
        if self.percent is not None:
            parts.append(f"{percent_shown(self.percent)} %")
        if self.rate > 0:
            parts.append(speed(self.rate))
        if self.eta is not None:
            parts.append(f"{clock(self.eta)} left")
        return "  ".join(parts)

    def info(self) -> str | None:
        """The text that 1.0 prints from time to time; None as long as there is nothing to tell."""
        if self.percent is None or self.eta is None or not self.done:
            return None
        return info_text(self.percent, self.eta)


def percent_shown(percent: float) -> float:
    """One decimal between 0.0 and 100.0; 100.0 only when all is done."""
    return max(0.0, min(100.0 if percent >= 100 else 99.9, round(percent, 1)))


def speed(rate: float) -> str:
    """'3,100 rows/s', '2.5 rows/s', '180.0 rows/h' of rows per second."""
    if rate >= 10:
        return f"{rate:,.0f} rows/s"
    return f"{rate:.1f} rows/s" if rate >= 0.1 else f"{rate * _HOUR:.1f} rows/h"


def clock(seconds: float) -> str:
    """'0:00:12', '2 days 3:04:05': whole seconds; 0:00:00 is the end and not the half second before it."""
    whole = max(1, round(seconds)) if seconds > 0 else 0
    days, rest = divmod(whole, _DAY)
    text = f"{rest // _HOUR}:{rest // 60 % 60:02}:{rest % 60:02}"
    return f"{days} day{'s' if days > 1 else ''} {text}" if days else text


def info_text(percent: float, seconds: float) -> str:
    """A message for the print queue of 1.0: `[ "x%" done,  "y" seconds left ]`, or hours, or days."""
    seconds = max(0.0, seconds)
    if seconds < _HOUR:
        left = f'"{round(seconds, 1)}" seconds'
    elif seconds <= _DAY:
        left = f'"{round(seconds / _HOUR, 1)}" hours'
    else:
        left = f'"{round(seconds / _DAY, 1)}" days'
    return f'\n\t[ "{percent_shown(percent)}%" done,  {left} left ]\n'


def info_rows(message: object, rows_max: int | None = None) -> int | None:
    """The rows that a message `[PERF_HEADER_ETA + name, count]` reports; None if it is another message.

    Workers count their list as it is. `rows_max`, the rows of a full chunk, tells a list that still holds its
    header, which is no row.
    """
    if not isinstance(message, list) or len(message) < 2 or not isinstance(message[0], str):
        return None
    if not message[0].startswith(PERF_HEADER_ETA):
        return None
    try:
        count = max(0, int(message[1]))
    except (TypeError, ValueError, OverflowError):
        return 0
    return rows_max if rows_max is not None and count == rows_max + 1 else count
