"""What travels through the ledger, and the commands that the ledger gives."""

from __future__ import annotations

from .record import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from typing import Any


class Trials:
    """What has gone wrong with a parcel so far. Most parcels have none."""

    __slots__ = ("attempts", "avoid", "deaths", "looks", "raises", "timeouts", "whole")

    def __init__(self, attempts: int = 0, avoid: int = -1) -> None:
        self.attempts = attempts  #: in vain; of a piece, also those of the chunk that it was cut from
        self.raises = 0
        self.deaths = 0
        self.timeouts = 0
        self.avoid = avoid  #: the slot that failed last: another one is tried, if there is one
        self.looks = 0  #: how often nobody else was found
        self.whole = False  #: cannot be cut


class Parcel:
    """What travels: a chunk of a feed (`feed` > 0), or an object that a user put (`feed` == 0).

    `rows`: how many, as far as known. A piece of a chunk starts at row `start` of the chunk.
    """

    __slots__ = (
        "body", "feed", "flags", "lease", "number", "piece", "queue", "rows", "start", "trials",
    )  # fmt: skip

    def __init__(
        self, queue: int, body: bytes, *, feed: int = 0, number: int = 0, flags: int = 0, rows: int = 0
    ) -> None:
        self.queue = queue
        self.body = body
        self.feed = feed
        self.number = number
        self.flags = flags
        self.rows = rows
        self.start = 0
        self.piece = False
        self.lease = 0
        self.trials: Trials | None = None

    @property
    def attempts(self) -> int:
        """How often it was tried in vain."""
        return self.trials.attempts if self.trials is not None else 0

    @property
    def deaths(self) -> int:
        return self.trials.deaths if self.trials is not None else 0

    @property
    def raises(self) -> int:
        return self.trials.raises if self.trials is not None else 0

    @property
    def timeouts(self) -> int:
        return self.trials.timeouts if self.trials is not None else 0

    def cut(self, points: Sequence[int], bodies: Sequence[bytes]) -> list[Parcel]:
        """Pieces of this one, cut before the rows `points`; each starts anew with what has gone wrong."""
        ends = (*points, self.rows)
        pieces = []
        first = 0
        for end, body in zip(ends, bodies, strict=True):
            piece = Parcel(
                self.queue, body, feed=self.feed, number=self.number, flags=self.flags, rows=end - first
            )
            piece.start, piece.piece = self.start + first, True
            if self.trials is not None:
                piece.trials = Trials(self.trials.attempts, self.trials.avoid)
            pieces.append(piece)
            first = end
        return pieces

    def __repr__(self) -> str:
        piece = f" rows={self.start}+{self.rows}" if self.piece else ""
        return f"<Parcel queue={self.queue} feed={self.feed} number={self.number}{piece} lease={self.lease}>"


class Send(NamedTuple):
    """Send the parcel to the worker; it is leased already."""

    wid: int
    parcel: Parcel


class SendAll(NamedTuple):
    """Send the parcels, consecutive chunks of one feed, to the worker; their leases are consecutive too."""

    wid: int
    parcels: list[Parcel]


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


class Later(NamedTuple):
    """Call `Ledger.due(parcel)` after so many seconds: then it is tried again."""

    parcel: Parcel
    seconds: float


class Cut(NamedTuple):
    """Cut the chunk before these of its rows, and call `Ledger.pieces`, or `Ledger.uncut` if that fails."""

    parcel: Parcel
    points: tuple[int, ...]
    kind: str  #: of the failure: see `core.failing`
    error: Any
    wid: int


class Accept(NamedTuple):
    """A put that waited for room is in the queue now."""

    put: object


class Finish(NamedTuple):
    """The chunk is done; its outputs in the order sent. Given once per ticket."""

    parcel: Parcel
    outputs: list[Any]
    wid: int
    seconds: float = -1.0  #: that it took; negative where nobody knows


class FinishAll(NamedTuple):
    """Consecutive chunks of one feed are done, with one output each. Given once per ticket."""

    parcels: list[Parcel]
    outputs: list[Any]
    wid: int
    seconds: float = -1.0  #: that each took; negative where nobody knows


class GiveUp(NamedTuple):
    """The chunk has failed for good."""

    parcel: Parcel
    error: Any
    wid: int


def singly(commands: Iterable[Command]) -> Iterator[Command]:
    """The same commands, one for each parcel."""
    for command in commands:
        if isinstance(command, SendAll):
            for parcel in command.parcels:
                yield Send(command.wid, parcel)
        elif isinstance(command, FinishAll):
            for parcel, output in zip(command.parcels, command.outputs, strict=True):
                yield Finish(parcel, [output], command.wid, command.seconds)
        else:
            yield command


Command = Send | SendAll | Token | Recall | Remind | Later | Cut | Accept | Finish | FinishAll | GiveUp
