"""The serial number of a chunk, and the header text in which eisenmp 1.0 writes it."""

from __future__ import annotations

from .record import NamedTuple

TICKET_ID_PREFIX = "_TID_"


class Ticket(NamedTuple):
    """Which chunk: the name of its queue, its number from 0 in its feed, the feed's serial number.

    `part` is 0 for a whole chunk and counts from 1 for the pieces of one that was cut after it failed.
    """

    queue: str
    number: int
    feed: int = 0
    part: int = 0

    @property
    def header(self) -> str:
        """The first row of a chunk in 1.0: `'mp_input_q (default);_TID_7;'`."""
        return header(self.queue, self.number)


def header(queue: str, number: int) -> str:
    """The header text of 1.0 for a chunk."""
    return f"{queue};{TICKET_ID_PREFIX}{number};"


class Heading(NamedTuple):
    """A header text taken apart: the key of 1.0's result dict, the id `_TID_7`, and the number 7."""

    key: str
    ticket_id: str
    number: int


def parse_header(text: str) -> Heading | None:
    """Take a header text of 1.0 apart; None when no ticket is in it.

    Whatever a worker writes before the queue's name stays in the key: `'cfhh_mp_input_q (default);_TID_7;'`.
    """
    key, *parts = text.split(";")
    for part in parts:
        if part.startswith(TICKET_ID_PREFIX) and part[len(TICKET_ID_PREFIX) :].isdecimal():
            return Heading(key, part, int(part[len(TICKET_ID_PREFIX) :]))
    return None
