"""The channel of a worker in this process, and the manager's end of its stream."""

from __future__ import annotations

import _socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from eisenmp.child.channel import Channel
from eisenmp.core.messages import Message
from eisenmp.core.queues import QueueNames
from eisenmp.wire.frames import FrameReader
from eisenmp.wire.link import Link


@contextmanager
def worker_end() -> Iterator[tuple[Channel, _socket.socket]]:
    """A channel, and the manager's end of its stream."""
    ours, theirs = _socket.socketpair(_socket.AF_UNIX, _socket.SOCK_STREAM)
    channel = Channel(Link(ours), QueueNames(), on_eof=lambda: None)
    try:
        yield channel, theirs
    finally:
        channel.close()
        theirs.close()


def read_first(socket: _socket.socket, wanted: Callable[[Message], bool]) -> Message:
    """The first thing that the worker says of that kind."""
    reader = FrameReader()
    while True:
        for message in reader.feed(socket.recv(1 << 16)):
            if wanted(message):
                return message
