"""Small things that go the same way travel as one message.

Consecutive chunks for one worker become one CHUNKS; the ends of one cycle after another become one OUTPUTS.
What is kept about each of them does not change: every chunk has its own ticket, lease and pickle.
"""

from __future__ import annotations

from itertools import count

from ..core import messages as m
from ..core.messages import Message
from .pickles import dumps, loads

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from ..core.parcel import Parcel

SMALL = 1 << 12  #: bytes; larger results travel alone, so that they are not copied once more
MICROSECONDS_MAX = (1 << 32) - 1


def chunks(parcels: Sequence[Parcel]) -> Message:
    """Chunks of one feed under consecutive tickets and leases, with the same flags."""
    first = parcels[0]
    body = dumps([parcel.body for parcel in parcels])
    return Message(m.CHUNKS, first.queue, first.lease, first.number, first.feed, first.flags, body)


def opened(message: Message) -> Iterator[tuple[int, int, bytes]]:
    """The (lease, ticket number, body) of each chunk in CHUNKS."""
    return zip(count(message.a), count(message.b), loads(message.body))


def results(messages: Iterable[Message]) -> list[Message]:
    """The same messages, with the ends of cycles under consecutive leases put together."""
    joined: list[Message] = []
    bodies: list[bytes] = []  # of the row of ends that is being gathered
    start = following = seconds = 0
    for message in messages:
        kind, _, lease, _, took, flags, body = message
        plain = kind == m.OUTPUT and flags == m.FINAL and len(body) <= SMALL and body.__class__ is bytes
        if plain and bodies and lease == following:
            bodies.append(body)
            seconds += took
            following += 1
            joined[-1] = message
            continue
        if len(bodies) > 1:
            joined[-1] = _ends(start, seconds, bodies)
        bodies = [body] if plain else []
        start, following, seconds = lease, lease + 1, took
        joined.append(message)
    if len(bodies) > 1:
        joined[-1] = _ends(start, seconds, bodies)
    return joined


def ends(message: Message) -> list[bytes]:
    """The outputs in an OUTPUTS, of one lease after another."""
    bodies: list[bytes] = loads(message.body)
    return bodies


def single(message: Message) -> Iterator[Message]:
    """An OUTPUTS as the messages that it stands for."""
    bodies = ends(message)
    took = message.c // len(bodies)
    for lease, body in enumerate(bodies, message.a):
        yield Message(m.OUTPUT, 0, lease, 0, took, m.FINAL, body)


def _ends(start: int, took: int, bodies: list[bytes]) -> Message:
    return Message(m.OUTPUTS, 0, start, len(bodies), min(MICROSECONDS_MAX, took), m.FINAL, dumps(bodies))
