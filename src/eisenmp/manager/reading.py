"""A feed whose source the workers read: what they tell of it, and what follows for the tickets.

The manager does not know where such a source ends. It hands out tickets as if it went on for ever; a worker
that finds fewer rows says so before its result, and tickets behind the end are void: they were never cut.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right

from ..core import messages as m
from ..core.chunk import Cutter
from ..core.failing import CANCELLED
from ..core.span import Span
from ..core.ticket import Ticket
from ..errors import FeedError
from ..wire.pickles import dumps, loads
from .cause import Blame
from .supply import supply_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

    from ..core.ledger import Parcel
    from .dispatcher import Dispatcher
    from .feed import Feed
    from .supply import SpanCutter

VOID = Blame("cancelled", "the source has ended before it")
MARK = 4


def cutter_for(feed: Feed, rows: Iterable[Any], dispatcher: Dispatcher, size: int | str) -> Any:
    """What cuts the rows of the feed. TypeError when they cannot be iterated."""
    supply = None if feed.listed else supply_of(rows)
    if supply is None:
        return Cutter(rows)
    stock = supply.stock(0 if isinstance(size, str) else size)
    cutter = supply.cutter(stock)
    body = dumps(stock, "source")
    reading = Reading(feed, dispatcher, supply, stock, size)
    feed.reading = reading
    dispatcher.stocks.add(feed.number, body, reading)
    if feed.books is not None:
        known = feed.books.source(body)
        reading.end = known if supply.endless else None
    return LimitedCutter(cutter, reading)


class LimitedCutter:
    """Cuts as the cutter does that it is made of, up to the end that the workers have found."""

    def __init__(self, cutter: SpanCutter, reading: Reading) -> None:
        self._cutter = cutter
        self._reading = reading
        self._start = 0
        self.partial: list[Any] = cutter.partial
        self.sliced = cutter.sliced

    def cut(self, size: int) -> Span | None:
        """The next span; None at the end, with what was cut behind it taken back.

        Raises FeedError where the source has failed.
        """
        reading = self._reading
        if reading.feed.limit is not None or (reading.end is not None and self._start >= reading.end):
            reading.cut_back()
            if reading.failure is not None:
                raise reading.failure
            return None
        size = reading.size_of(self._start, size)
        span: Span | None = self._cutter.cut(size)
        if span is not None:
            reading.starts_at(self._start)
            self._start += len(span)
        return span

    def skip(self, size: int) -> int:
        reading = self._reading
        size = reading.size_of(self._start, size)
        reading.starts_at(self._start)
        skipped = self._cutter.skip(size)
        self._start += skipped
        return skipped

    def close(self) -> None:
        self._cutter.close()


class Reading:
    """What is known of the source of one feed. Under the lock of the loop, but for `starts_at`."""

    def __init__(self, feed: Feed, dispatcher: Dispatcher, supply: Any, stock: Any, size: int | str) -> None:
        self.feed = feed
        self.end: int | None = None  #: the source has so many rows at most
        self._dispatcher = dispatcher
        self._supply = supply
        self._stock = stock
        self._size = 0 if isinstance(size, str) else size
        self._starts = array("Q")  # of the tickets, where their size changes
        self.failure: FeedError | None = None  #: why there are no rows from the limit on
        self._final = False  # the feeder has seen the end
        self._endless: bool = supply.endless
        self._marks = array("I")  # by number; 0 where there is none
        self._stride: int = getattr(stock, "stride", 1)

    def rows(self, span: Span) -> Any:
        """The rows, read in this process."""
        from ..child.stocks import Teller

        reader = self._stock.open(Teller())
        return reader.show(span) if hasattr(reader, "show") else reader.rows(span, False)

    def size_of(self, start: int, size: int) -> int:
        """How many rows a ticket has that starts there, as far as the end is known."""
        if self._endless and size < self._size:
            self.end = start + size  # an earlier run has found it so
        return size if self.end is None else max(0, min(size, self.end - start))

    def starts_at(self, row: int) -> None:
        """The next ticket starts at this row."""
        if not self._size:
            self._starts.append(row)

    def _tickets(self, rows: int) -> int:
        """How many tickets so many rows make."""
        return -(-rows // self._size) if self._size else bisect_left(self._starts, rows)

    def _ticket_of(self, row: int) -> int:
        return row // self._size if self._size else bisect_right(self._starts, row) - 1

    def _start(self, number: int) -> int:
        return number * self._size if self._size else self._starts[number]

    # what workers tell

    def marked(self, first: int, body: bytes) -> None:
        """A worker has found rows with these marks."""
        found, known = array("I", body), self._marks
        if found.itemsize != MARK:
            found = array("L", body)
        missing = first + len(found) - len(known)
        if missing > 0:
            known.extend([0] * missing)
        for number, mark in enumerate(found, first):
            if known[number] != mark:
                if known[number]:
                    self._disagree(number * self._stride, "two of them have found different rows there")
                    return
                known[number] = mark
        last = (first + len(found) - 1) * self._stride
        if self.end is not None and last >= self.end:
            self._disagree(self.end, "for one of them it ends there, and for another it goes on")

    def ended(self, rows: int) -> None:
        """A worker has found that there are `rows` rows at most."""
        if self.end is not None and rows >= self.end:
            return
        if (len(self._marks) - 1) * self._stride >= rows and self._marks:
            self._disagree(rows, "for one of them it ends there, and for another it goes on")
            return
        self.end = rows
        number = self._tickets(rows)
        self._limit(number)
        if number and number == self.feed.limit:
            self._shorten(number - 1, rows - self._start(number - 1))
        if self._final:
            self.cut_back()

    def failed(self, row: int, body: bytes) -> None:
        """The source has raised at this row, or a little before, if it is not exact."""
        exact, error, text, traceback_text = loads(body)
        feed, number = self.feed, self._ticket_of(row)
        if feed.limit is not None and number >= feed.limit:
            return
        ticket = Ticket(feed.queue.name, number, feed.number)
        cause = Blame("raised", text, error, traceback_text).failed(ticket, text).__cause__
        if isinstance(cause, FeedError):
            message = str(cause)
        else:
            where = f" at row {row}" if exact else ""
            message = f"the generator raised {text}{where}, in ticket {number} of queue {feed.queue.name!r}"
        failure = FeedError(message, ticket=ticket)
        failure.__cause__ = cause
        self.failure = failure
        self._limit(number)
        if exact and row > self._start(number):
            feed.rows_lost(number, self.rows(Span(self._start(number), row - self._start(number))), failure)

    def _disagree(self, row: int, how: str) -> None:
        feed, number = self.feed, self._ticket_of(row)
        feed.stop_with(
            FeedError(
                f"feed {feed.number}: the copies of {self._supply!r} do not agree at row {row}, "
                f"in ticket {number} of queue {feed.queue.name!r}: {how}. "
                "The generator is not deterministic: the order of a set of texts, random numbers, the time "
                "or the process may be in it",
            ),
            Ticket(feed.queue.name, number, feed.number),
        )

    # what follows

    def _limit(self, tickets: int) -> None:
        """There are no more tickets than that: those behind are void."""
        feed, dispatcher = self.feed, self._dispatcher
        if feed.limit is not None and tickets >= feed.limit:
            return
        feed.limit = tickets
        ledger, index = dispatcher.ledger, feed.queue.number
        queue = ledger.queues[index]
        for parcel in [*queue.waiting, *queue.delayed]:
            if feed.is_void(parcel):
                ledger.ticket_dropped(index, feed.number, parcel.number)
        for wid, parcel in ledger.leased(feed.number):
            if feed.is_void(parcel):
                self._release(wid, parcel)
        dispatcher.execute(ledger.room_made(index))
        # the feeder may wait for room, and is to find the end now
        feed.last_pull = True
        if self._final or feed.source_is_over:
            self.cut_back()

    def _release(self, wid: int, parcel: Parcel) -> None:
        """The worker has it, and will find nothing in it; what comes of it does not count."""
        self._dispatcher.ledger.expire(wid, parcel.lease, CANCELLED, VOID)
        self._dispatcher.order(wid, m.ORDER_CANCEL, b=parcel.lease)

    def _shorten(self, number: int, rows: int) -> None:
        """The last ticket has fewer rows than were asked for."""
        feed, ledger = self.feed, self._dispatcher.ledger
        queue = ledger.queues[feed.queue.number]
        held = [(0, parcel) for parcel in (*queue.waiting, *queue.delayed)] + ledger.leased(feed.number)
        for _, parcel in held:
            if parcel.feed == feed.number and parcel.number == number:
                parcel.rows = max(0, min(parcel.rows, rows - parcel.start))
        feed.shorten(number, rows)

    def cut_back(self) -> None:
        """No ticket behind the limit was ever cut. The feeder cuts no more."""
        feed, dispatcher = self.feed, self._dispatcher
        with dispatcher.lock:
            self._final = True
            if self.failure is not None:
                feed.source_failed(self.failure)
            if feed.limit is not None:
                rows = self._start(feed.limit) if feed.limit < feed.next_number else feed.rows_cut
                feed.cut_back(feed.limit, rows if self.end is None else min(rows, self.end))
                if feed.is_over:
                    dispatcher.feed_over(feed)
