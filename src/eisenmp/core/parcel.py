"""What travels through the ledger, and the commands that the ledger gives."""

from __future__ import annotations

from .record import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


class Parcel:
    """What travels: a chunk of a feed (`feed` > 0), or an object that a user put (`feed` == 0)."""

    __slots__ = ("attempts", "body", "deaths", "feed", "flags", "lease", "number", "queue", "raises")

    def __init__(self, queue: int, body: bytes, *, feed: int = 0, number: int = 0, flags: int = 0) -> None:
        self.queue = queue
        self.body = body
        self.feed = feed
        self.number = number
        self.flags = flags
        self.lease = 0
        self.attempts = 0
        self.deaths = 0
        self.raises = 0

    def __repr__(self) -> str:
        return f"<Parcel queue={self.queue} feed={self.feed} number={self.number} lease={self.lease}>"


class Send(NamedTuple):
    """Send the parcel to the worker; it is leased already."""

    wid: int
    parcel: Parcel


class Token(NamedTuple):
    """Tell the worker's getter that all feeders of the queue have ended."""

    wid: int
    queue: int


class Recall:
    """Ask the worker to give back up to `count` parcels of the queue that it has not taken."""

    __slots__ = ("count", "queue", "wid")  # no tuple: that has a `count` of its own

    def __init__(self, wid: int, queue: int, count: int) -> None:
        self.wid = wid
        self.queue = queue
        self.count = count

    def __repr__(self) -> str:
        return f"Recall(wid={self.wid}, queue={self.queue}, count={self.count})"


class Remind(NamedTuple):
    """Call `Ledger.reminded(queue)` after so many seconds."""

    queue: int
    seconds: float


class Accept(NamedTuple):
    """A put that waited for room is in the queue now."""

    put: object


class Finish(NamedTuple):
    """The chunk is done; its outputs in the order sent. Given once per ticket."""

    parcel: Parcel
    outputs: list[Any]
    wid: int


class GiveUp(NamedTuple):
    """The chunk has failed for good."""

    parcel: Parcel
    error: Any
    wid: int


Command = Send | Token | Recall | Remind | Accept | Finish | GiveUp
