"""Messages as bytes: a fixed header of 32 bytes, then the body.

    u64 body length | u8 kind | u8 flags | u16 queue | u32 c | u64 a | u64 b      (little endian)

Bodies are pickles of protocol 5, unless the message says otherwise.
"""

from __future__ import annotations

from struct import Struct

from ..core.messages import Message

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

HEADER = Struct("<QBBHIQQ")
HEADER_SIZE = HEADER.size
BODY_MAX = 1 << 40  #: a longer body is a damaged frame
SMALL = 1 << 16  #: bodies up to here are copied into one buffer, larger ones are sent as they are


class FrameError(Exception):
    """The bytes of the other side are not frames."""


def encode(messages: Iterable[Message]) -> list[bytes]:
    """The buffers that carry the messages: small frames joined, large bodies alone."""
    buffers: list[bytes] = []
    small: list[bytes] = []
    for kind, queue, a, b, c, flags, body in messages:
        small.append(HEADER.pack(len(body), kind, flags, queue, c, a, b))
        if len(body) <= SMALL:
            small.append(body)
        else:
            buffers.append(b"".join(small))
            small.clear()
            buffers.append(body)
    if small:
        buffers.append(b"".join(small))
    return buffers


class FrameReader:
    """Takes bytes as they come and gives whole messages."""

    __slots__ = ("_body", "_filled", "_header", "_rest", "body_max")

    def __init__(self, body_max: int = BODY_MAX) -> None:
        self.body_max = body_max
        self._rest = b""
        self._header: tuple[int, ...] | None = None
        self._body = bytearray()
        self._filled = 0

    def feed(self, data: bytes) -> list[Message]:
        """The messages that `data` completes; raises FrameError on bytes that no frame starts with."""
        messages: list[Message] = []
        if self._header is not None:
            data = self._fill(data, messages)
        elif self._rest:
            data = self._rest + data
            self._rest = b""
        position, end = 0, len(data)
        unpack, new = HEADER.unpack_from, tuple.__new__
        while end - position >= HEADER_SIZE:
            header = unpack(data, position)
            length = header[0]
            start = position + HEADER_SIZE
            stop = start + length
            if stop > end:
                self._check(length)
                if length > SMALL:
                    # a large body is gathered in place, so that it is copied once, not at every read
                    self._header = header
                    self._body = bytearray(length)
                    self._filled = end - start
                    self._body[: self._filled] = data[start:]
                    return messages
                break
            _, kind, flags, queue, c, a, b = header
            # what NamedTuple's own __new__ does, at half its price: this runs once per message
            messages.append(new(Message, (kind, queue, a, b, c, flags, data[start:stop])))
            position = stop
        self._rest = data[position:] if position else data
        return messages

    def _check(self, length: int) -> None:
        if length > self.body_max:
            raise FrameError(f"a frame of {length} bytes exceeds the limit of {self.body_max}")

    def _fill(self, data: bytes, messages: list[Message]) -> bytes:
        assert self._header is not None
        length, kind, flags, queue, c, a, b = self._header
        take = min(length - self._filled, len(data))
        self._body[self._filled : self._filled + take] = data[:take]
        self._filled += take
        if self._filled == length:
            messages.append(Message(kind, queue, a, b, c, flags, bytes(self._body)))
            self._header = None
            self._body = bytearray()
        return data[take:]
