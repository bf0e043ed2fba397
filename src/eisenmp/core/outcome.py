"""What became of a ticket, as the ledger on disk keeps it: pieces with their outputs, dead letters."""

from __future__ import annotations

from struct import Struct
from struct import error as StructError

from .record import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Protocol

    class Output(Protocol):
        """One output of a worker: `core.messages.Message` is one."""

        @property
        def flags(self) -> int: ...

        @property
        def body(self) -> bytes: ...


UNSENT = "unsent"  #: the kind of a letter whose rows could not be pickled: no worker ever saw them


class Kept(NamedTuple):
    """One output that was kept: the flags of its message and the pickled value."""

    flags: int
    body: bytes


class Piece(NamedTuple):
    """A ticket, or a part of one that was cut: which rows of its chunk, and what the worker sent for them.

    `part` is 0 for a whole ticket and counts from 1 for the pieces of one; `start` and `rows` are the offset
    in the chunk and the number of rows.
    """

    part: int
    start: int
    rows: int
    outputs: tuple[Output, ...]


class Letter(NamedTuple):
    """A dead letter: why a ticket, or a part of one, was given up. Times are seconds since 1970.

    `final`: the job went on without it (on_error="skip"); else it ended the job, and a resumed one tries it
    again. `body` holds the pickled rows where they are not those of the whole ticket.
    """

    part: int
    start: int
    rows: int
    kind: str
    cause: str
    error: bytes | None = None
    traceback_text: str = ""
    tail: str = ""
    pid: int | None = None
    exitcode: int | None = None
    attempts: int = 0
    first: float = 0.0
    last: float = 0.0
    final: bool = True
    stack: str = ""
    body: bytes | None = None


def in_order(
    pieces: Iterable[Piece], letters: Iterable[Letter]
) -> tuple[tuple[Piece, ...], tuple[Letter, ...]]:
    """The pieces and letters of one ticket, with parts numbered from 1 by their rows; 0 where it is whole."""
    starts = sorted([*(piece.start for piece in pieces), *(letter.start for letter in letters)])
    parts = {start: part if len(starts) > 1 else 0 for part, start in enumerate(starts, 1)}
    return (
        tuple(piece._replace(part=parts[piece.start]) for piece in sorted(pieces, key=_start)),
        tuple(letter._replace(part=parts[letter.start]) for letter in sorted(letters, key=_start)),
    )


def _start(part: Piece | Letter) -> int:
    return part.start


class Settled(NamedTuple):
    """A ticket that needs no more work: its pieces that are done, its dead letters, and how it was sent."""

    number: int
    rows: int
    flags: int
    pieces: tuple[Piece, ...]
    letters: tuple[Letter, ...]
    body: bytes | None = None  #: its pickled rows; read only when there are letters


_COUNT = Struct("<I")
_PIECE = Struct("<IQQI")
_OUTPUT = Struct("<IQ")


def pack(pieces: Iterable[Piece]) -> bytes:
    """The pieces of one ticket as bytes."""
    pieces = list(pieces)
    parts = [_COUNT.pack(len(pieces))]
    for part, start, rows, outputs in pieces:
        parts.append(_PIECE.pack(part, start, rows, len(outputs)))
        for output in outputs:
            parts.append(_OUTPUT.pack(output.flags, len(output.body)))
            parts.append(output.body)
    return b"".join(parts)


def unpack(body: bytes) -> tuple[Piece, ...]:
    """What `pack` was given. Raises ValueError for bytes that it has not made."""
    try:
        (count,) = _COUNT.unpack_from(body)
        place = _COUNT.size
        pieces = []
        for _ in range(count):
            part, start, rows, sent = _PIECE.unpack_from(body, place)
            place += _PIECE.size
            outputs = []
            for _ in range(sent):
                flags, size = _OUTPUT.unpack_from(body, place)
                place += _OUTPUT.size
                outputs.append(Kept(flags, body[place : place + size]))
                place += size
            pieces.append(Piece(part, start, rows, tuple(outputs)))
    except StructError as error:
        raise ValueError(f"not the pieces of a ticket: {error}") from error
    if place != len(body):
        raise ValueError("not the pieces of a ticket: their length does not agree")
    return tuple(pieces)
