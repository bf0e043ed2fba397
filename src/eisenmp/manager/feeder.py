"""One thread per feed: pulls the source, cuts it into chunks, offers them, waits for room."""

from __future__ import annotations

import threading
from functools import partial
from time import perf_counter

from ..core import messages as m
from ..core.chunk import chunks_expected, rows_total
from ..core.ledger import Parcel
from ..core.pace import Pace
from ..core.ticket import Ticket, header
from ..errors import EisenmpError, FeedError
from ..wire.bundle import LARGE
from ..wire.pickles import Unpicklable, dumps
from .gathering import Gathering
from .reading import cutter_for
from .restorer import Refused, Refusing, Restorer

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable
    from typing import Any

    from ..core.outcome import Settled
    from .dispatcher import Dispatcher
    from .feed import Feed

    Steps = Generator[Callable[[], bool], None, None]

BATCH_MAX = 32  #: chunks that are taken in at once


class Feeder:
    """Feeds one source. `start` raises TypeError for what cannot be iterated."""

    def __init__(
        self, feed: Feed, rows: Iterable[Any], dispatcher: Dispatcher, rows_max: int | str, total: int | None
    ) -> None:
        self.feed = feed
        self._cutter = cutter_for(feed, rows, dispatcher, rows_max)
        self._restorer = Restorer(feed, self._cutter, dispatcher) if feed.books is not None else None
        self._dispatcher = dispatcher
        self._auto = rows_max == "auto"
        self._size = 1 if isinstance(rows_max, str) else rows_max
        if self._auto:
            feed.pace = Pace()
            if not self._cutter.sliced:
                feed.gathering = Gathering(feed, self._cutter, dispatcher, self._offer_early)
        self.seconds = 0.0
        total = rows_total(rows) if total is None else total
        if total is not None and not self._auto:
            feed.expect(chunks_expected(total, self._size, listed=feed.listed))
        self.total = total
        self.thread = threading.Thread(target=self.run, name=f"eisenmp-feeder-{feed.number}", daemon=True)

    def run(self) -> None:
        """Feed until the source ends, raises or is not wanted any more."""
        steps = self.steps()
        try:
            for ready in steps:
                self._dispatcher.pump.wait_until(ready, may_lead=False)
        finally:
            steps.close()

    def steps(self) -> Steps:
        """All that `run` does; gives out the conditions that somebody has to wait for."""
        feed, dispatcher = self.feed, self._dispatcher
        start = perf_counter()
        try:
            yield from self._feed_listed() if feed.listed else self._feed_chunks()
        except FeedError as error:
            with dispatcher.lock:
                feed.source_failed(error)
        except Refused as refused:
            with dispatcher.lock:
                feed.stop_with(refused.reason)
        except GeneratorExit:
            raise  # nobody steps it any more
        except BaseException as error:  # the user's generator may raise anything, also by sys.exit()
            self._source_raised(error)
        finally:
            self.seconds = perf_counter() - start
            self._close()
            if feed.books is not None:
                feed.books.close()
            with dispatcher.lock:
                dispatcher.take_in(feed)
                feed.source_ended()
                if feed.is_over or (dispatcher.crew.slots and dispatcher.crew.over):
                    dispatcher.abandon(feed)
                dispatcher.execute(dispatcher.ledger.feed_ended(feed.queue.number, feed.number))
                dispatcher.flush()
                if feed.listed and not feed.stopped:
                    dispatcher.collector.generator_empty(self.seconds)
                if dispatcher.emit is not None:
                    dispatcher.emit(
                        "FeedEnded", (feed.number, feed.queue.name, feed.next_number, feed.rows_cut)
                    )
            dispatcher.pump.interrupt()

    def _feed_chunks(self) -> Steps:
        feed = self.feed
        while True:
            yield from self._wait_for_room()
            if feed.stopped or not self._feed_some(feed.room()):
                return

    def _feed_listed(self) -> Steps:
        """1.0's way: the last list has fewer rows than ROWS_MAX, perhaps none, and ends with STOP."""
        while True:
            yield from self._wait_for_room()
            if self.feed.stopped:
                return
            if (settled := self._restore()) is not None:
                if settled.flags & m.LAST:
                    return
                continue
            rows = self._next()
            rows = [] if rows is None else list(rows)
            last = len(rows) < self._size
            self._offer(rows, m.LISTED | (m.LAST if last else 0) | (m.TITLED if self.feed.title else 0))
            if last:
                return
            if self.feed.last_pull:
                self._dispatcher.abandon(self.feed)

    def _next(self) -> Any:
        feed, books = self.feed, self.feed.books
        if books is None:
            return self._cut()
        books.wait_for_room()
        with Refusing():
            before = books.rows_of(feed.next_number) if self._auto else None
            if self._auto and before is None:
                # nor are there tickets behind it: the loop may cut early, and asks nothing
                books.close()
        rows = self._cut() if before is None else self._cutter.cut(before)
        with Refusing():
            # the loop may have given the number that was next to rows that it sent off early
            books.check(feed.next_number, rows)
        return rows

    def _restore(self) -> Settled | None:
        return None if self._restorer is None else self._restorer.restore()

    def _cut(self) -> Any:
        feed = self.feed
        size = self._size if feed.pace is None else feed.pace.rows
        return self._cutter.cut(size) if feed.gathering is None else feed.gathering.cut(size)

    def _offer_early(self, rows: list[Any]) -> None:
        """Send off what the feeder has in hand: called by the loop, under the lock."""
        feed, dispatcher = self.feed, self._dispatcher
        try:
            if feed.books is not None:
                feed.books.check(feed.next_number, rows)
            dispatcher.take_in(feed)  # what was cut before
            self._offer(rows, m.CAREFUL if dispatcher.enforcer.watches else 0)
        except EisenmpError as error:
            feed.stop_with(error)

    def _feed_some(self, room: int) -> bool:
        """Cut as many chunks as there is room for; False at the end of the source.

        They go into the feed's inflow, from where whoever comes first takes several at once: this thread when
        a worker waits or enough have come together, else the loop, after the next word of a busy worker. So a
        chunk never waits for the next row of the source.
        """
        feed, inflow = self.feed, self.feed.inflow
        queue, serial, books, waiting = feed.queue.number, feed.number, feed.books, feed.ledger_queue
        singly = books is not None or feed.pace is not None
        pull = self._next if singly else partial(self._cutter.cut, self._size)
        # where time counts, a worker reports each chunk before it starts the next
        flags = m.CAREFUL if self._dispatcher.enforcer.watches else 0
        for _ in range(room):
            if books is not None:
                while feed.may_restore and self._restore() is not None:
                    pass
                if not feed.may_restore:
                    return not feed.stopped
            rows = pull()
            if rows is None or feed.stopped:
                if books is not None and not feed.stopped:
                    books.ended(feed.next_number, feed.rows_cut)
                return False
            try:
                body = _packed(rows) if feed.loan is None else feed.loan.pack(rows, _packed)
            except Unpicklable as error:
                self._unsendable(rows, error)
                continue
            if len(body) >= LARGE and feed.loan is None:
                self._lend()
            count = len(rows)
            if feed.pace is not None:
                feed.pace.packed(count, len(body))
            parcel = Parcel(queue, body, feed=serial, number=feed.cut(count), flags=flags, rows=count)
            if books is not None:
                books.sent(parcel.number, len(rows), body)
            inflow.append(parcel)
            if len(inflow) >= BATCH_MAX or waiting.hungry:
                self._dispatcher.take_in(feed)
            if feed.loan is not None and feed.crowded:
                return True
        return True

    def _offer(self, rows: Any, flags: int = 0) -> None:
        feed, dispatcher = self.feed, self._dispatcher
        try:
            titled = [header(feed.title, feed.next_number), *rows] if flags & m.TITLED else rows
            body = _packed(titled) if feed.loan is None else feed.loan.pack(titled, _packed)
        except Unpicklable as error:
            self._unsendable(rows, error)
            return
        if len(body) >= LARGE and feed.loan is None:
            self._lend()
        with dispatcher.lock:
            if feed.stopped:
                return
            number = feed.cut(len(rows))
            parcel = Parcel(
                feed.queue.number, body, feed=feed.number, number=number, flags=flags, rows=len(rows)
            )
            if feed.books is not None:
                feed.books.sent(number, len(rows), body, flags)
                if flags & m.LAST:
                    feed.books.ended(feed.next_number, feed.rows_cut)
            if flags & m.LAST:
                # before it is sent: its worker may leave before this thread comes to its end
                feed.source_ended()
            parcels = feed.sort_out([parcel]) if feed.unwanted else [parcel]
            dispatcher.execute(dispatcher.ledger.offered_all(parcel.queue, parcels))
            dispatcher.settle()
        dispatcher.changed_here()

    def _lend(self) -> None:
        """The chunks are large: from now on their buffers go through shared memory, where there is some."""
        lender = self._dispatcher.lender
        if lender is not None and lender.lends:
            self.feed.loan = lender.account()

    def _wait_for_room(self) -> Steps:
        """Wait until a chunk may be cut, or no more are wanted."""
        feed = self.feed
        if feed.inflow:
            self._dispatcher.take_in(feed)
        if feed.room() <= 0 and not feed.stopped:
            self._dispatcher.flush()
            while feed.room() <= 0 and not feed.stopped:
                yield feed.room_again

    def _source_raised(self, error: BaseException) -> None:
        """What was sent goes on to its end; the rows of the chunk that was being cut are kept in `failed`."""
        feed = self.feed
        rows = self._cutter.partial
        failure = FeedError(
            f"the generator raised {type(error).__name__}: {error} at row {feed.rows_cut + len(rows)}, "
            f"in {self._where()}",
            ticket=self._ticket(),
        )
        failure.__cause__ = error
        with self._dispatcher.lock:
            if rows:
                feed.rows_lost(feed.next_number, list(rows), failure)
            feed.source_failed(failure)

    def _unsendable(self, rows: Any, error: Unpicklable) -> None:
        """The chunk has a row that cannot be pickled."""
        feed = self.feed
        failure = FeedError(f"{self._where()}: {error}", ticket=self._ticket())
        failure.__cause__ = error
        with self._dispatcher.lock:
            if feed.skip_unsent(rows, failure):
                return
            feed.rows_lost(feed.next_number, rows, failure)
        raise failure from error

    def _ticket(self) -> Ticket:
        return Ticket(self.feed.queue.name, self.feed.next_number, self.feed.number)

    def _where(self) -> str:
        return f"ticket {self.feed.next_number} of queue {self.feed.queue.name!r}"

    def _close(self) -> None:
        try:
            self._cutter.close()
        except BaseException as error:  # the user's `finally` or `except GeneratorExit` may raise anything
            import warnings

            warnings.warn(
                f"closing the generator of queue {self.feed.queue.name!r} raised {error!r}", stacklevel=1
            )


def _packed(rows: Any) -> bytes:
    """The rows as they are sent; Unpicklable says which of them is the reason."""
    try:
        return dumps(rows if rows.__class__ is list else _sendable(rows), "rows")
    except Exception:
        raise
    except BaseException as error:  # a row that calls sys.exit() is no reason for the thread to end
        raise Unpicklable(f"rows cannot be pickled: {type(error).__name__}: {error}", "rows") from error


def _sendable(rows: Any) -> Any:
    """A slice as pickle takes it: a memoryview is none."""
    if isinstance(rows, memoryview):
        from _pickle import PickleBuffer

        return PickleBuffer(rows)
    return rows
