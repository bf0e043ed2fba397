"""What becomes of a worker by the memory that it takes, and when to look at it again."""

from __future__ import annotations

from .record import NamedTuple

FAR = 1.5  #: times the limit: its chunk is not waited for any more
INTERVAL = 0.5  #: seconds between two looks
INTERVAL_MIN = 0.02  #: when the memory grows fast

STAYS, GOES, ENDS = range(3)


class Size(NamedTuple):
    """Bytes that a process took at a time."""

    number: int
    time: float


def judge(number: int, limit: int) -> int:
    """STAYS, GOES (it is replaced after its chunk) or ENDS (at once), for so many bytes."""
    if number <= limit:
        return STAYS
    return GOES if number < FAR * limit else ENDS


def pause(limit: int, before: Size | None, now: Size) -> float:
    """Seconds to the next look: sooner than usual when the memory would be far over the limit by then."""
    if before is None or now.number <= before.number or now.time <= before.time:
        return INTERVAL
    rate = (now.number - before.number) / (now.time - before.time)
    return max(INTERVAL_MIN, min(INTERVAL, (FAR * limit - now.number) / rate))


def exceeded(limit: int, number: int) -> str:
    """'memory_max = 512 MiB exceeded: 601 MiB'."""
    return f"memory_max = {mebibytes(limit)} exceeded: {mebibytes(number)}"


def mebibytes(number: int) -> str:
    """'1.5 MiB', and from 10 on whole ones."""
    size = number / 1024**2
    return f"{size:.0f} MiB" if size >= 10 or size.is_integer() else f"{size:.1f} MiB"
