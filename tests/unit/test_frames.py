"""Messages survive the way through bytes, however they are cut; other bytes are found out."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eisenmp.core.messages import Message
from eisenmp.wire.frames import (
    BODY_MAX,
    HEADER,
    HEADER_SIZE,
    MARK,
    SMALL,
    FrameError,
    FrameReader,
    encode,
    first_header,
)

NUMBERS = st.integers(0, (1 << 64) - 1)
MESSAGES = st.lists(
    st.builds(
        Message,
        kind=st.integers(0, 255),
        queue=st.integers(0, (1 << 16) - 1),
        a=NUMBERS,
        b=NUMBERS,
        c=st.integers(0, (1 << 32) - 1),
        flags=st.integers(0, 255),
        body=st.one_of(
            st.binary(max_size=200),
            st.sampled_from([SMALL - 1, SMALL, SMALL + 1, 3 * SMALL]).map(lambda size: b"\xe1" * size),
        ),
    ),
    max_size=8,
)


def joined(messages: list[Message]) -> bytes:
    return b"".join(encode(messages))


@given(MESSAGES, st.lists(st.integers(1, 100_000), max_size=20))
def test_messages_arrive_however_the_bytes_are_cut(messages: list[Message], cuts: list[int]) -> None:
    data, reader = joined(messages), FrameReader()
    arrived: list[Message] = []
    position = 0
    for cut in [*cuts, len(data)]:
        arrived += reader.feed(data[position : position + cut])
        position += cut
    assert arrived == messages


@given(MESSAGES)
def test_messages_arrive_byte_by_byte(messages: list[Message]) -> None:
    small = [message._replace(body=message.body[:50]) for message in messages]
    reader = FrameReader()
    arrived = [message for byte in joined(small) for message in reader.feed(bytes([byte]))]
    assert arrived == small
    assert all(isinstance(message, Message) for message in arrived)


def test_a_large_body_ends_in_the_middle_of_what_came() -> None:
    messages = [
        Message(1, body=b"a" * (SMALL + 10)),
        Message(2, body=b"b"),
        Message(3, body=b"c" * (SMALL + 1)),
    ]
    data, reader = joined(messages), FrameReader()
    for cut in (HEADER_SIZE, HEADER_SIZE + 1, SMALL, SMALL + HEADER_SIZE + 10, SMALL + HEADER_SIZE + 11):
        assert reader.feed(data[:cut]) + reader.feed(data[cut:]) == messages


def test_large_bodies_are_not_copied_when_they_are_sent() -> None:
    large = b"x" * (SMALL + 1)
    buffers = encode([Message(1, body=b"small"), Message(2, body=large), Message(3), Message(4)])
    assert [buffer is large for buffer in buffers] == [False, True, False]
    assert len(buffers[0]) == 2 * HEADER_SIZE + 5


def test_nothing_makes_no_buffers() -> None:
    assert encode([]) == []
    assert FrameReader().feed(b"") == []


@pytest.mark.parametrize(
    "garbage", [b"\0" * 64, b"\xff" * 64, b"print this line, which some library wrote to the wrong place\n"]
)
def test_bytes_that_are_no_frames_are_found_out(garbage: bytes) -> None:
    with pytest.raises(FrameError, match="no frame"):
        FrameReader().feed(garbage)
    with pytest.raises(FrameError, match="no frame"):
        first_header(garbage)
    reader = FrameReader()
    good = Message(1, body=b"good")
    with pytest.raises(FrameError, match="no frame"):
        reader.feed(joined([good]) + garbage)


def test_a_body_may_be_limited() -> None:
    with pytest.raises(FrameError, match="a frame of 101 bytes exceeds the limit of 100"):
        FrameReader(body_max=100).feed(joined([Message(1, body=b"x" * 101)]))
    fits = [Message(1, body=b"x" * 100)]
    assert FrameReader(body_max=100).feed(joined(fits)) == fits


def test_a_header_that_promises_a_terabyte_takes_no_memory() -> None:
    """What never comes is not prepared for."""
    reader = FrameReader()
    assert reader.feed(HEADER.pack(MARK | BODY_MAX, 1, 0, 0, 0, 0, 0) + b"start") == []
    with pytest.raises(FrameError):
        FrameReader().feed(HEADER.pack(MARK + (BODY_MAX + 1), 1, 0, 0, 0, 0, 0))


def test_the_first_header_tells_length_and_kind() -> None:
    assert first_header(joined([Message(7, body=b"abc")])) == (3, 7)
