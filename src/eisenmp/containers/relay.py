"""Connections from the sockets of a slot to its containers, byte by byte, whatever they speak.

The slot's sockets stay with the manager, so a container that ends or is replaced loses no connection that
waits, and the one that follows takes from the same queue. While the slot drains, a request of HTTP/1.1 gets
`Connection: close` on its way in, so that the program in the container answers it and hangs up.
"""

from __future__ import annotations

import asyncio
import re
import socket
import struct
from functools import partial
from itertools import cycle

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ..child.serving import Stop

Address = tuple[str, int]

AT_ONCE = 16  #: connections taken before anything else is done
PAUSE = 1.0  #: seconds without new connections when no descriptor is left
QUIET = 1.0  #: seconds without a byte after which an answered connection counts as idle
REQUEST = re.compile(rb"[A-Z]+ [^ \r\n]+ HTTP/1\.1\r\n")
RESET = struct.pack("ii", 1, 0)


class Route:
    """Sockets and the containers that stand behind them; each connection goes to the next one.

    `steady`: to the same one until it has answered well; by such a route the health of all is told.
    """

    def __init__(
        self, sockets: Sequence[socket.socket], addresses: Sequence[Address], steady: bool = False
    ) -> None:
        self.sockets = list(sockets)
        self.steady = steady
        self._turns = cycle(addresses)
        self._next = next(self._turns)

    def take(self) -> Address:
        """Where the next connection goes."""
        taken = self._next
        if not self.steady:
            self._next = next(self._turns)
        return taken

    def answered(self, taken: Address, data: bytes) -> None:
        """What came first from there."""
        words = data.split(None, 2)
        well = not (len(words) > 1 and words[0].startswith(b"HTTP/") and words[1] >= b"400")
        if self.steady and well and taken == self._next:
            self._next = next(self._turns)


class Pair:
    """A client and the container that answers it; `on_gone` is called when both have hung up."""

    def __init__(self, route: Route, stop: Stop, on_gone: Callable[[Pair], None]) -> None:
        self.client = Side(self.from_client, self.ended)
        self.server = Side(self.from_server, self.ended)
        self.client.other, self.server.other = self.server, self.client
        self.waiting = False  #: for an answer
        self.moved = asyncio.get_running_loop().time()
        self._route = route
        self._stop = stop
        self._on_gone = on_gone
        self._address: Address = ("", 0)
        self._first = True

    async def open(self, connection: socket.socket) -> None:
        """Connect the client with the container whose turn it is; where nobody is, it is reset."""
        loop = asyncio.get_running_loop()
        self._address = self._route.take()
        try:
            await loop.connect_accepted_socket(lambda: self.client, connection)
            await loop.create_connection(lambda: self.server, *self._address)
        except OSError:
            connection_end(self.client.transport)
            self.end()
            return
        if self.client.over and self.server.transport is not None:
            self.server.transport.close()
        self.client.resume()

    def from_client(self, data: bytes) -> bytes:
        if self._stop.draining and not self.waiting:
            data = closing(data)
        self.waiting = True
        self.moved = asyncio.get_running_loop().time()
        return data

    def from_server(self, data: bytes) -> bytes:
        if self._first:
            self._first = False
            self._route.answered(self._address, data)
        if self.waiting:
            self.waiting = False
            self._stop.answered()
        self.moved = asyncio.get_running_loop().time()
        return data

    def ended(self) -> None:
        if self.client.over and self.server.over:
            self._on_gone(self)

    def end(self) -> None:
        """Hang up on both sides."""
        for side in (self.client, self.server):
            if side.transport is None:
                side.over = True
            else:
                side.transport.close()
        self.ended()

    def is_idle(self, now: float) -> bool:
        return not self.waiting and now - self.moved >= QUIET


class Side(asyncio.Protocol):
    """One of the two connections of a pair."""

    other: Side
    transport: asyncio.Transport | None = None
    over = False

    def __init__(self, pass_on: Callable[[bytes], bytes], on_end: Callable[[], None]) -> None:
        self._pass_on = pass_on
        self._on_end = on_end
        self._ready = False
        self._finished = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport  # type: ignore[assignment]
        if self.other.transport is None:
            self.transport.pause_reading()  # type: ignore[union-attr]

    def resume(self) -> None:
        if self.transport is not None and not self.transport.is_closing():
            self.transport.resume_reading()

    def data_received(self, data: bytes) -> None:
        target = self.other.transport
        if target is not None and not target.is_closing():
            target.write(self._pass_on(data))

    def pause_writing(self) -> None:
        source = self.other.transport
        if source is not None and not source.is_closing():
            source.pause_reading()

    def resume_writing(self) -> None:
        self.other.resume()

    def eof_received(self) -> bool:
        """One side may end its half and still be answered."""
        self._finished = True
        target = self.other.transport
        if self.other._finished or target is None or target.is_closing():
            return False
        target.write_eof()
        return True

    def connection_lost(self, error: Exception | None) -> None:
        self.over = True
        target = self.other.transport
        if target is None:
            self.other.over = True
        elif not self.other.over:
            target.close()
        self._on_end()


def closing(data: bytes) -> bytes:
    """The request with `Connection: close` in it; anything else as it is."""
    line = REQUEST.match(data)
    if line is None or b"\r\nupgrade:" in data.lower():
        return data
    return data[: line.end()] + b"Connection: close\r\n" + data[line.end() :]


def connection_end(transport: asyncio.Transport | None) -> None:
    """Have the client see that nobody is there, not an empty answer."""
    if transport is None:
        return
    plain = transport.get_extra_info("socket")
    try:
        plain.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
    except OSError:
        pass  # it has gone by itself
    transport.abort()


class Relay:
    """Takes connections until the slot drains, or a container ends by itself."""

    def __init__(self, routes: Sequence[Route], stop: Stop, patience: float) -> None:
        self._routes = routes
        self._stop = stop
        self._patience = patience  #: seconds for running requests once it has to stop
        self._pairs: set[Pair] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._changed: asyncio.Event | None = None
        self.cause = ""

    def fail(self, cause: str) -> None:
        """A container has ended; from any thread."""
        self.cause = self.cause or cause
        self._wake()

    def _wake(self) -> None:
        loop, changed = self._loop, self._changed
        if loop is not None and changed is not None:
            try:
                loop.call_soon_threadsafe(changed.set)
            except RuntimeError:
                return  # it has ended meanwhile

    def run(self) -> str:
        """Returns why it could not go on, or nothing when it was told to stop."""
        asyncio.run(self._run())
        return self.cause

    async def _run(self) -> None:
        self._loop, self._changed = asyncio.get_running_loop(), asyncio.Event()
        self._stop.on_change(self._wake)
        for route in self._routes:
            for listener in route.sockets:
                self._listen(route, listener)
        self._stop.ready()
        try:
            await self._until(lambda: self._stop.draining)
            self._deafen()
            await self._until(lambda: self._stop.is_set() or not self._pairs)
            await self._wait_for_running()
        finally:
            self._deafen()
            for pair in list(self._pairs):
                for side in (pair.client, pair.server):
                    if side.transport is not None:
                        side.transport.abort()

    async def _until(self, over: Callable[[], bool], timeout: float | None = None) -> None:
        assert self._changed is not None
        while not (over() or self.cause):
            self._changed.clear()
            try:
                await asyncio.wait_for(self._changed.wait(), timeout)
            except TimeoutError:
                return

    async def _wait_for_running(self) -> None:
        loop = asyncio.get_running_loop()
        until = loop.time() + self._patience
        while self._pairs and not self.cause and (now := loop.time()) < until:
            for pair in [pair for pair in self._pairs if pair.is_idle(now)]:
                pair.end()
            count = len(self._pairs)
            look = min([until, *(pair.moved + QUIET for pair in self._pairs if not pair.waiting)])
            await self._until(lambda: len(self._pairs) < count, max(0.01, look - now))  # noqa: B023

    def _listen(self, route: Route, listener: socket.socket) -> None:
        if self._loop is not None and not (self._stop.draining or self.cause):
            self._loop.add_reader(listener, self._accept, route, listener)

    def _deafen(self) -> None:
        assert self._loop is not None
        for route in self._routes:
            for listener in route.sockets:
                self._loop.remove_reader(listener)

    def _accept(self, route: Route, listener: socket.socket) -> None:
        assert self._loop is not None
        for _ in range(AT_ONCE):
            try:
                connection, _ = listener.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError:
                # there are no descriptors left: what waits in the queue would wake the loop for ever
                self._loop.remove_reader(listener)
                self._loop.call_later(PAUSE, partial(self._listen, route, listener))
                return
            connection.setblocking(False)
            pair = Pair(route, self._stop, self._gone)
            self._pairs.add(pair)
            task = self._loop.create_task(pair.open(connection))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    def _gone(self, pair: Pair) -> None:
        self._pairs.discard(pair)
        if self._changed is not None:
            self._changed.set()
