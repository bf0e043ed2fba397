"""The sources that workers read: each worker is told of one before it gets the first of its tickets."""

from __future__ import annotations

from ..core import messages as m
from ..core.messages import Message
from ..errors import FeedError
from ..wire.pickles import loads

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .dispatcher import Dispatcher
    from .reading import Reading


class Stocks:
    """By the number of the feed. Under the lock of the loop."""

    def __init__(self, dispatcher: Dispatcher) -> None:
        self._dispatcher = dispatcher
        self._readings: dict[int, Reading] = {}
        self._bodies: dict[int, bytes] = {}
        self._told: dict[int, set[int]] = {}

    def __bool__(self) -> bool:
        return bool(self._bodies)

    def add(self, feed: int, body: bytes, reading: Reading | None = None) -> None:
        """A feed whose source workers read; without a reading nobody listens to what they tell."""
        with self._dispatcher.lock:
            self._bodies[feed] = body
            self._told[feed] = set()
            if reading is not None:
                self._readings[feed] = reading

    def before(self, wid: int, feed: int) -> None:
        """A chunk of the feed is about to be sent to the worker."""
        told = self._told.get(feed)
        if told is not None and wid not in told:
            told.add(wid)
            self._dispatcher.send_now(wid, Message(m.STOCK, a=feed, body=self._bodies[feed]))

    def over(self, feed: int) -> None:
        """No chunk of the feed will be sent."""
        self._readings.pop(feed, None)
        self._bodies.pop(feed, None)
        for wid in self._told.pop(feed, ()):
            if self._dispatcher.crew.find(wid) is not None:
                self._dispatcher.send_now(wid, Message(m.STOCK, a=feed))

    # what workers tell

    def on_marks(self, wid: int, message: Message) -> None:
        reading = self._readings.get(message.a)
        if reading is not None:
            reading.marked(message.b, message.body)

    def on_end(self, wid: int, message: Message) -> None:
        reading = self._readings.get(message.a)
        feed = self._dispatcher.feeds.get(message.a)
        if reading is None:
            if feed is not None and message.body:
                # a single ticket that is run once more
                feed.stop_with(FeedError(f"the source of feed {message.a}: {loads(message.body)[2]}"))
            return
        if message.body:
            reading.failed(message.b, message.body)
        else:
            reading.ended(message.b)
