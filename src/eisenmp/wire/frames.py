"""Messages as bytes: a fixed header of 32 bytes, then the body.

    u64 mark and body length | u8 kind | u8 flags | u16 queue | u32 c | u64 a | u64 b      (little endian)

Bodies are pickles of protocol 5, unless the message says otherwise. The mark tells a frame from whatever else
a program may write into a descriptor that is not its own.
"""

from __future__ import annotations

from struct import Struct

from ..core.messages import Message

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

HEADER = Struct("<QBBHIQQ")
HEADER_SIZE = HEADER.size
BODY_MAX = (1 << 40) - 1  #: a longer body is a damaged frame
MARK = 0xE15E4D << 40
SMALL = 1 << 16  #: bodies up to here are copied into one buffer, larger ones are sent as they are
GATHERED = 1 << 10  #: of a larger body the parts are kept until all are there, so that it is copied once


class FrameError(Exception):
    """The bytes of the other side are not frames."""


def encode(messages: Iterable[Message]) -> list[bytes]:
    """The buffers that carry the messages: small frames joined, large bodies alone."""
    buffers: list[bytes] = []
    small: list[bytes] = []
    pack = HEADER.pack
    for kind, queue, a, b, c, flags, body in messages:
        small.append(pack(MARK | len(body), kind, flags, queue, c, a, b))
        if len(body) <= SMALL:
            small.append(body)
        else:
            buffers.append(b"".join(small))
            small.clear()
            buffers.append(body)
    if small:
        buffers.append(b"".join(small))
    return buffers


def first_header(data: bytes) -> tuple[int, int]:
    """(length of the body, kind) of the frame that `data` starts with; raises FrameError."""
    marked, kind, *_ = HEADER.unpack_from(data)
    length: int = marked ^ MARK
    if length > BODY_MAX:
        raise FrameError("these bytes are no frame")
    return length, kind


class FrameReader:
    """Takes bytes as they come and gives whole messages."""

    __slots__ = ("_header", "_missing", "_parts", "_rest", "body_max")

    def __init__(self, body_max: int = BODY_MAX) -> None:
        self.body_max = body_max
        self._rest = b""
        self._header: tuple[int, ...] | None = None
        self._parts: list[bytes] = []  # of a large body: gathered, so that it is copied once
        self._missing = 0

    def feed(self, data: bytes) -> list[Message]:
        """The messages that `data` completes; raises FrameError on bytes that no frame starts with."""
        messages: list[Message] = []
        position = 0
        if self._header is not None:
            position = self._fill(data, messages)
        elif self._rest:
            data = self._rest + data
            self._rest = b""
        end, body_max = len(data), self.body_max
        unpack, new = HEADER.unpack_from, tuple.__new__
        while end - position >= HEADER_SIZE:
            header = unpack(data, position)
            marked, kind, flags, queue, c, a, b = header
            length = marked ^ MARK
            if length > body_max:
                raise FrameError(
                    "these bytes are no frame"
                    if length > BODY_MAX
                    else f"a frame of {length} bytes exceeds the limit of {body_max}"
                )
            start = position + HEADER_SIZE
            stop = start + length
            if stop > end:
                if length > GATHERED:
                    self._header = header
                    self._parts.append(data[start:])
                    self._missing = stop - end
                    return messages
                break
            # what NamedTuple's own __new__ does, at half its price: this runs once per message
            messages.append(new(Message, (kind, queue, a, b, c, flags, data[start:stop])))
            position = stop
        self._rest = data[position:] if position else data
        return messages

    def _fill(self, data: bytes, messages: list[Message]) -> int:
        """Put `data` into the body that is being gathered; returns where what lies behind it starts."""
        missing = self._missing
        if len(data) < missing:
            self._parts.append(data)
            self._missing = missing - len(data)
            return len(data)
        self._parts.append(data[:missing])
        assert self._header is not None
        _, kind, flags, queue, c, a, b = self._header
        messages.append(Message(kind, queue, a, b, c, flags, b"".join(self._parts)))
        self._header = None
        self._parts = []
        return missing
