"""The manager's end of the stream to one worker: never blocks."""

from __future__ import annotations

import _socket
import threading
from collections import deque
from os import close, dup

from ..wire import descriptors
from ..wire.frames import FrameError, FrameReader, encode

TYPE_CHECKING = False
if TYPE_CHECKING:
    from _socket import socket as Socket
    from collections.abc import Sequence

    from ..core.messages import Message
    from ..wire.platform import Poller

READ_SIZE = 1 << 16
WRITE_MAX = 1 << 20
DRAIN_MAX = 1 << 26  #: bytes; more than any socket holds
#: programs that reset SIGPIPE must not be ended by a worker that is gone
QUIETLY: int = getattr(_socket, "MSG_NOSIGNAL", 0)


class Connection:
    """Sends at once what the socket takes and the rest when it can be written again."""

    def __init__(self, wid: int, poller: Poller) -> None:
        self.wid = wid
        self.socket: Socket | None = None
        self.ended = False  #: nothing more comes
        self._poller = poller
        self._reader = FrameReader()
        self._lock = threading.Lock()
        self._unsent: deque[memoryview] = deque()
        self._waiting = False
        self._passing: deque[tuple[memoryview, int]] = deque()  # what carries a descriptor

    def attach(self, socket: Socket, token: object, first: Sequence[Message] = ()) -> None:
        """From now on talk over `socket`: `first` goes out, then what was sent before."""
        socket.setblocking(False)
        with self._lock:
            if self.ended:
                socket.close()
                return
            self.socket = socket
            self._unsent.extendleft(map(memoryview, reversed(encode(first))))
            self._poller.add(socket.fileno(), token)
            self._write()

    def send(self, messages: Sequence[Message]) -> None:
        buffers = encode(messages)
        with self._lock:
            if self.ended:
                return
            self._unsent.extend(map(memoryview, buffers))
            if not self._waiting:
                self._write()

    def send_with(self, message: Message, descriptor: int) -> None:
        """Send the message with a copy of the descriptor."""
        data = memoryview(encode([message])[0])
        with self._lock:
            if self.ended:
                return
            # it may have to wait longer than its owner keeps it
            self._passing.append((data, dup(descriptor)))
            self._unsent.append(data)
            if not self._waiting:
                self._write()

    def writable(self) -> None:
        """The socket takes more."""
        with self._lock:
            if not self.ended:
                self._write()

    def _write(self) -> None:
        socket, unsent = self.socket, self._unsent
        if socket is None:
            return
        try:
            while unsent:
                if self._passing and unsent[0] is self._passing[0][0]:
                    sent = descriptors.send(socket, unsent[0], [self._passing[0][1]])
                    close(self._passing.popleft()[1])
                else:
                    sent = socket.send(unsent[0][:WRITE_MAX], QUIETLY)
                if sent == len(unsent[0]):
                    unsent.popleft()
                else:
                    unsent[0] = unsent[0][sent:]
        except BlockingIOError:
            if not self._waiting:
                self._waiting = True
                self._poller.writing(socket.fileno(), True)
            return
        except OSError:
            # the worker is gone; that is reported when its process has ended
            self._forget()
        if self._waiting:
            self._waiting = False
            self._poller.writing(socket.fileno(), False)

    def _forget(self) -> None:
        self._unsent.clear()
        while self._passing:
            close(self._passing.popleft()[1])

    def receive(self) -> list[Message]:
        """What has come; raises FrameError on bytes that are no frames."""
        if self.socket is None or self.ended:
            return []
        try:
            data = self.socket.recv(READ_SIZE)
        except BlockingIOError:
            return []
        except OSError:
            data = b""
        if not data:
            self.end()
            return []
        return self._reader.feed(data)

    def drain(self) -> list[Message]:
        """All that a worker sent before it ended, up to the first bytes that are no frames."""
        messages: list[Message] = []
        if self.socket is None or self.ended:
            return messages
        drained = 0
        # a process that it left behind may hold the other end and write for ever
        while drained < DRAIN_MAX:
            try:
                data = self.socket.recv(READ_SIZE)
                messages.extend(self._reader.feed(data))
            except (OSError, FrameError):
                break
            if not data:
                break
            drained += len(data)
        return messages

    def cut(self) -> None:
        """End both directions; the loop sees the end."""
        with self._lock:
            if self.socket is not None and not self.ended:
                try:
                    self.socket.shutdown(_socket.SHUT_RDWR)
                except OSError:
                    return  # it has ended already

    def end(self) -> None:
        """Take no part in the loop any more."""
        with self._lock:
            if not self.ended:
                self.ended = True
                self._forget()
                if self.socket is not None:
                    self._poller.remove(self.socket.fileno())

    def close(self) -> None:
        self.end()
        if self.socket is not None:
            self.socket.close()
            self.socket = None
