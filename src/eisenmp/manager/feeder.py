"""One thread per feed: pulls the source, cuts it into chunks, offers them, waits for room."""

from __future__ import annotations

import threading
from time import monotonic, perf_counter

from ..core import messages as m
from ..core.chunk import Cutter, chunks_expected, rows_total
from ..core.ledger import Parcel
from ..core.ticket import Ticket
from ..errors import FeedError
from ..wire.pickles import Unpicklable, dumps
from .cause import Blame

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

    from .dispatcher import Dispatcher
    from .feed import Feed

AUTO_TARGET = 0.03  #: seconds of work in a chunk, with rows_max="auto"
AUTO_MAX = 1 << 20
AUTO_GROWTH = 4
AUTO_PATIENCE = 0.02  #: seconds that rows may wait for company while a worker starves


class Feeder:
    """Feeds one source. `start` raises TypeError for what cannot be iterated."""

    def __init__(
        self, feed: Feed, rows: Iterable[Any], dispatcher: Dispatcher, rows_max: int | str, total: int | None
    ) -> None:
        self.feed = feed
        self._cutter = Cutter(rows)
        self._dispatcher = dispatcher
        self._auto = rows_max == "auto"
        self._size = 1 if isinstance(rows_max, str) else rows_max
        self._next_measure = 1
        self.seconds = 0.0
        total = rows_total(rows) if total is None else total
        if total is not None and not self._auto:
            feed.expect(chunks_expected(total, self._size, listed=feed.listed))
        self.total = total
        self.thread = threading.Thread(target=self.run, name=f"eisenmp-feeder-{feed.number}", daemon=True)

    def run(self) -> None:
        """Feed until the source ends, raises or is not wanted any more."""
        feed, dispatcher = self.feed, self._dispatcher
        start = perf_counter()
        try:
            if feed.listed:
                self._feed_listed()
            else:
                while not feed.stopped:
                    rows = self._next()
                    if rows is None:
                        break
                    self._offer(rows)
                    self._wait_for_room()
        except Unpicklable as error:
            self._failed(error, error)
        except Exception as error:  # whatever the user's generator raises
            self._failed(error, error)
        finally:
            self.seconds = perf_counter() - start
            self._close()
            with dispatcher.lock:
                feed.source_ended()
                if feed.is_over:
                    dispatcher.feed_over(feed)
                dispatcher.execute(dispatcher.ledger.feed_ended(feed.queue.index, feed.number))
                dispatcher.flush()
                if feed.listed and not feed.stopped:
                    dispatcher.collector.generator_empty(self.seconds)
                if dispatcher.emit is not None:
                    dispatcher.emit(
                        "FeedEnded", (feed.number, feed.queue.name, feed.next_number, feed._rows_cut)
                    )
            dispatcher.pump.interrupt()

    def _feed_listed(self) -> None:
        """1.0's way: the last list has fewer rows than ROWS_MAX, perhaps none, and ends with STOP."""
        feed = self.feed
        while not feed.stopped:
            rows = self._next()
            rows = [] if rows is None else list(rows)
            last = len(rows) < self._size
            self._offer(rows, m.LISTED | (m.LAST if last else 0))
            if last:
                return
            self._wait_for_room()

    def _next(self) -> Any:
        if not self._auto:
            return self._cutter.cut(self._size)
        self._adapt()
        if self._cutter.sliced:
            return self._cutter.cut(self._size)
        return self._cut_by_time()

    def _adapt(self) -> None:
        """Chunks of about AUTO_TARGET seconds; measured anew after each round of chunks."""
        feed = self.feed
        if feed.done < self._next_measure:
            return
        seconds = feed.chunk_seconds
        rows = feed.rows_of(feed.done - 1) or 1
        if seconds:
            wanted = int(rows * AUTO_TARGET / seconds) or 1
            self._size = max(1, min(AUTO_MAX, wanted, self._size * AUTO_GROWTH))
        self._next_measure = feed.next_number

    def _cut_by_time(self) -> list[Any] | None:
        """A chunk, cut early when the source is slow and a worker has nothing to do."""
        feed, cutter, size = self.feed, self._cutter, self._size
        rows: list[Any] = []
        cutter.partial = rows
        started = monotonic()
        step = 1
        while len(rows) < size:
            before = len(rows)
            cutter.pull(rows, min(step, size - before))
            if len(rows) == before:
                break
            elapsed = monotonic() - started
            if elapsed > AUTO_PATIENCE and feed.starving:
                break
            # look at the clock about every millisecond
            step = min(1 << 16, step * 2) if elapsed < 0.001 * len(rows) / step else max(1, step // 2)
        cutter.partial = []
        return rows or None

    def _offer(self, rows: Any, flags: int = 0) -> None:
        feed, dispatcher = self.feed, self._dispatcher
        body = dumps(_sendable(rows), "rows")
        with dispatcher.lock:
            if feed.stopped:
                return
            number = feed.cut(len(rows))
            parcel = Parcel(feed.queue.index, body, feed=feed.number, number=number, flags=flags)
            dispatcher.execute(dispatcher.ledger.offered(parcel))

    def _wait_for_room(self) -> None:
        feed = self.feed
        if feed.room():
            return
        self._dispatcher.flush()
        while not feed.room():
            self._dispatcher.pump.wait_until(feed.room_again, may_lead=False)

    def _failed(self, error: BaseException, cause: BaseException) -> None:
        """The source raised, or yielded what cannot be pickled. What was sent goes on to its end."""
        feed, dispatcher = self.feed, self._dispatcher
        number = feed.next_number
        ticket = Ticket(feed.queue.name, number, feed.number)
        where = f"ticket {number} of queue {feed.queue.name!r}"
        rows = self._cutter.partial
        if isinstance(error, Unpicklable):
            message = f"{where}: {error}"
        else:
            row = feed._rows_cut + len(rows)
            message = f"the generator raised {type(error).__name__}: {error} at row {row}, in {where}"
        failure = FeedError(message, ticket=ticket)
        failure.__cause__ = cause
        with dispatcher.lock:
            if rows:
                feed.rows_lost(number, list(rows), Blame("raised", message))
            feed.source_failed(failure)
        dispatcher.pump.interrupt()

    def _close(self) -> None:
        try:
            self._cutter.close()
        except Exception as error:  # the user's `finally` or `except GeneratorExit` may raise anything
            import warnings

            warnings.warn(
                f"closing the generator of queue {self.feed.queue.name!r} raised {error!r}", stacklevel=1
            )


def _sendable(rows: Any) -> Any:
    """A slice as pickle takes it: a memoryview is none."""
    if isinstance(rows, memoryview):
        from _pickle import PickleBuffer

        return PickleBuffer(rows)
    return rows
