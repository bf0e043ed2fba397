"""The sources that a worker reads by itself: one reader for each feed, and what it finds is told."""

from __future__ import annotations

import threading
from collections import deque
from time import monotonic

from ..core import messages as m
from ..core.messages import Message
from ..errors import Stopped
from ..wire.pickles import dumps, loads

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Protocol

    from ..core.span import Span
    from .channel import Channel, Item

    class Reader(Protocol):
        """Reads a source."""

        def rows(self, span: Span, lazily: bool) -> Any:
            """The rows; with `lazily` they may be taken from the source while they are read.

            None when there are none: the source has ended before. What it raises is the source's fault.
            """

        def settle(self) -> None:
            """The rows that were given out last are not read any further."""

        def let_go(self) -> None:
            """They are of no interest any more."""

        def close(self) -> None:
            """Let go of the source."""

    class Stock(Protocol):
        """What a worker is told of a source."""

        def open(self, teller: Teller) -> Reader: ...


MARK_SIZE = 4  #: bytes of a mark
MARKS_MAX = 1 << 10
GLANCE = 0.05  #: seconds between two looks whether the rows are still wanted


class Teller:
    """How a reader tells the manager what it has found; by default nobody is told."""

    def mark(self, number: int, mark: int) -> None:
        """The mark of the row that is `number` times the stride."""

    def ended(self, rows: int) -> None:
        """The source has `rows` rows at most."""

    def failed(self, row: int, error: BaseException, *, exact: bool = True) -> None:
        """The source raised instead of giving the row; or one before it, if it is not exact."""

    def flush(self) -> None:
        """Tell what waits for company."""

    def unwanted(self, lease: int) -> bool:
        """Whether the rows of this chunk are not wanted any more; looks now and then. Raises Stopped."""
        return False


class ManagerTeller(Teller):
    """Tells the manager, over the channel."""

    def __init__(self, channel: Channel, feed: int) -> None:
        self._channel = channel
        self._feed = feed
        self._first = 0
        self._marks = bytearray()
        self._lock = threading.RLock()
        self._looked = monotonic()

    def mark(self, number: int, mark: int) -> None:
        with self._lock:
            known = len(self._marks)
            if number != self._first + known // MARK_SIZE or known >= MARKS_MAX * MARK_SIZE:
                self.flush()
                self._first = number
            self._marks += mark.to_bytes(MARK_SIZE, "little")

    def ended(self, rows: int) -> None:
        self.flush()
        self._channel.post(Message(m.SOURCE_END, a=self._feed, b=rows))

    def failed(self, row: int, error: BaseException, *, exact: bool = True) -> None:
        from .host import failure

        self.flush()
        body = dumps((exact, *failure(error)))
        self._channel.post(Message(m.SOURCE_END, a=self._feed, b=row, body=body))

    def flush(self) -> None:
        with self._lock:
            if not self._marks:
                return
            body, first = bytes(self._marks), self._first
            self._first += len(self._marks) // MARK_SIZE
            self._marks.clear()
            self._channel.post(Message(m.MARKS, a=self._feed, b=first, body=body))

    def unwanted(self, lease: int) -> bool:
        now = monotonic()
        if now - self._looked < GLANCE or not self._channel.is_main:
            return False
        self._looked = now
        return self._channel.is_cancelled(lease)


class Stocks:
    """Readers by the number of their feed. Several threads may take rows."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self._news: deque[tuple[int, bytes]] = deque()
        self._told: dict[int, bytes] = {}  # sources that nothing was read of yet; empty when they are over
        self.open: dict[int, tuple[Reader, Teller]] = {}  #: by feed
        self._lock = threading.Lock()
        self._closed = False

    def arrived(self, feed: int, body: bytes) -> None:
        """A source has come, or with no body, is not needed any more; from any thread."""
        self._news.append((feed, body))

    def rows(self, item: Item, span: Span, lazily: bool) -> Any:
        """The rows of a chunk; None when it has none, since the source has ended or failed before it."""
        known = self._reader(item.feed)
        if known is None:
            return None
        reader, teller = known
        span.lease = item.lease
        try:
            rows = reader.rows(span, lazily)
        except Stopped:
            raise
        except (Exception, SystemExit) as error:  # the user's generator may raise anything
            if self._closed:
                raise Stopped("the worker leaves") from error
            teller.failed(span.start, error)
            return None
        # before the worker begins: it may take its time, and others go by these rows meanwhile
        teller.flush()
        return rows

    def _reader(self, feed: int) -> tuple[Reader, Teller] | None:
        """None when the feed is over: nobody waits for what comes of its chunks."""
        with self._lock:
            self._look()
            known = self.open.get(feed)
            if known is None and self._told[feed]:
                teller = ManagerTeller(self._channel, feed)
                stock: Stock = loads(self._told[feed])
                known = self.open[feed] = (stock.open(teller), teller)
            return known

    def settle(self) -> None:
        """The cycle ends: what it has left unread is passed over, and what was found is told."""
        for reader, teller in list(self.open.values()):
            reader.settle()
            teller.flush()
        if self._news:
            with self._lock:
                self._look()

    def let_go(self) -> None:
        """The cycle has failed: what it has left unread is of no interest."""
        for reader, teller in list(self.open.values()):
            reader.let_go()
            teller.flush()

    def close(self) -> None:
        """Let go of all sources."""
        with self._lock:
            self._closed = True
            self._look()
            for feed in list(self.open):
                self._close(feed)

    def _look(self) -> None:
        while self._news:
            feed, body = self._news.popleft()
            self._told[feed] = body
            if feed in self.open:
                self._close(feed)

    def _close(self, feed: int) -> None:
        reader, _ = self.open.pop(feed)
        try:
            reader.close()
        except BaseException as error:  # the user's `finally` or `except GeneratorExit` may raise anything
            import warnings

            warnings.warn(f"closing a generator raised {error!r}", stacklevel=1)
