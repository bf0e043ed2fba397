"""Tickets of a feed that an earlier run has settled: given out at their places, their rows passed over."""

from __future__ import annotations

from time import monotonic

from ..core import messages as m
from ..errors import EisenmpError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import TracebackType

    from ..core.chunk import Cutter
    from ..core.outcome import Settled
    from .dispatcher import Dispatcher
    from .feed import Feed

RESTORE_PATIENCE = 0.005  #: seconds that a result of an earlier run may wait for company


class Refused(Exception):
    """The source is not the one that the ledger knows, or the ledger cannot be read. Ends the feed."""

    def __init__(self, reason: EisenmpError) -> None:
        super().__init__(str(reason))
        self.reason = reason


class Refusing:
    """With this: what comes from the ledger is no error of the user's generator."""

    def __enter__(self) -> None:
        pass

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if isinstance(error, EisenmpError):
            raise Refused(error) from error


class Restorer:
    """Works in the thread of the feeder, on its cutter."""

    def __init__(self, feed: Feed, cutter: Cutter, dispatcher: Dispatcher) -> None:
        self.feed = feed
        self._cutter = cutter
        self._dispatcher = dispatcher

    def restore(self) -> Settled | None:
        """The last of the next tickets that an earlier run has settled; None when the next is to be run."""
        feed, dispatcher = self.feed, self._dispatcher
        if feed.books is None or feed.stopped:
            return None
        with Refusing():
            run = feed.books.settled(feed.next_number)
        told = monotonic()
        for settled in run:
            if feed.stopped:
                break
            # the first rows tell whether it is the same source at all
            first = not settled.number
            rows = self._cutter.cut(settled.rows) if first else range(self._cutter.skip(settled.rows))
            with Refusing():
                feed.books.check(settled.number, () if rows is None else rows)
            with dispatcher.lock:
                feed.cut(settled.rows)
                if settled.flags & m.LAST:
                    feed.source_ended()
                feed.restored(settled)
            # a slow source keeps no result waiting, a quick one does not wake the iterator for each
            if monotonic() - told > RESTORE_PATIENCE:
                dispatcher.pump.interrupt()
                told = monotonic()
        if not run:
            return None
        dispatcher.pump.interrupt()
        return run[-1]
