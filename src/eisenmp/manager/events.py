"""Everything that happens, as frozen events. `emp.on(ChunkDone, call)`: the call comes from the loop."""

from __future__ import annotations

from dataclasses import dataclass

from ..core.ticket import Ticket


@dataclass(frozen=True, slots=True)
class Event:
    """Any event; subscribe to this class to get all."""


@dataclass(frozen=True, slots=True)
class WorkerStarted(Event):
    """The process of a slot was started."""

    slot: int
    name: str
    pid: int


@dataclass(frozen=True, slots=True)
class WorkerReady(Event):
    """The worker has loaded its modules."""

    slot: int
    name: str
    pid: int


@dataclass(frozen=True, slots=True)
class WorkerDied(Event):
    """The process of a slot ended without having been told to."""

    slot: int
    name: str
    pid: int
    exitcode: int | None
    cause: str


@dataclass(frozen=True, slots=True)
class WorkerRecycled(Event):
    """The process of a slot is to leave after its running chunk, and another one follows it."""

    slot: int
    name: str
    pid: int
    reason: str


@dataclass(frozen=True, slots=True)
class WorkerLeft(Event):
    """The worker returned something false, or was told to leave."""

    slot: int
    name: str


@dataclass(frozen=True, slots=True)
class ChunkSent(Event):
    """A chunk was leased to the worker of a slot."""

    ticket: Ticket
    slot: int


@dataclass(frozen=True, slots=True)
class ChunkDone(Event):
    """A chunk is done; `rows` as far as the manager counted them."""

    ticket: Ticket
    slot: int
    rows: int


@dataclass(frozen=True, slots=True)
class ChunkFailed(Event):
    """A chunk was given up."""

    ticket: Ticket
    slot: int
    cause: str


@dataclass(frozen=True, slots=True)
class RowsDone(Event):
    """A worker said that it is done with rows of its running chunk."""

    slot: int
    rows: int


@dataclass(frozen=True, slots=True)
class FeedEnded(Event):
    """The source of a feed has ended, was cancelled, or raised."""

    feed: int
    queue: str
    chunks: int
    rows: int


@dataclass(frozen=True, slots=True)
class OutputLine(Event):
    """Lines that a worker printed."""

    slot: int
    name: str
    stream: int
    text: str


@dataclass(frozen=True, slots=True)
class Draining(Event):
    """A first Ctrl-C or SIGTERM: sources are not pulled any more, so many workers end what they run."""

    workers: int


@dataclass(frozen=True, slots=True)
class SlotServing(Event):
    """A process of a server slot has taken its place: new connections are its own."""

    slot: int
    name: str
    pid: int
    listens: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class SlotFailed(Event):
    """A server slot was given up."""

    slot: int
    name: str
    cause: str


@dataclass(frozen=True, slots=True)
class ManagerStopped(Event):
    """No process of the manager runs any more."""
