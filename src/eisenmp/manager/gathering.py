"""The chunk that is being cut by time: it goes out early when a worker starves and the source is slow.

The thread of the feeder gathers rows and may sit in the source's next() for as long as that likes, perhaps
until there are results of the rows that it has given. So it is the loop that takes what is in hand.
"""

from __future__ import annotations

import threading

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from ..core.chunk import Cutter
    from .dispatcher import Dispatcher
    from .feed import Feed

PATIENCE = 0.02  #: seconds that rows may wait for company while a worker starves


class Gathering:
    """Gathers the rows of one feed. `offer` sends rows off as the feed's next chunk."""

    def __init__(
        self, feed: Feed, cutter: Cutter, dispatcher: Dispatcher, offer: Callable[[list[Any]], None]
    ) -> None:
        self._feed = feed
        self._cutter = cutter
        self._dispatcher = dispatcher
        self._offer = offer
        self._rows: list[Any] = []
        self._open = False
        self._none_yet = True  # no row is in hand, as far as the thread of the feeder has noticed
        self._timed = False
        self._lock = threading.Lock()

    def cut(self, size: int) -> list[Any] | None:
        """The next `size` rows, without those that went out early; None at the end of the source."""
        cutter = self._cutter
        while True:
            # what is left here when the source raises was given to nobody
            rows = cutter.partial = self._rows = []
            pulled = False
            append = rows.append
            self._none_yet = self._open = True
            try:
                # one by one: the first row that comes after others went out has to be noticed
                for row in cutter.rows(size):
                    append(row)
                    if self._none_yet:
                        pulled = True
                        self._none_yet = False
                        self.look()
            finally:
                with self._lock:
                    self._open = False
            cutter.partial = []
            if rows or not pulled:
                return rows or None

    def look(self) -> None:
        """Something has changed: if rows are in hand and a worker starves, they do not wait for ever."""
        if self._open and self._rows and not self._timed and self._feed.starving:
            self._timed = True
            self._dispatcher.after(PATIENCE, self._due)

    def _due(self) -> None:
        self._timed = False
        feed = self._feed
        with self._lock:
            if not self._open or feed.stopped or not feed.starving:
                return
            rows = self._rows[:]
            if rows:
                self._offer(rows)
                # more may have come meanwhile
                del self._rows[: len(rows)]
                self._none_yet = True
                if self._rows:
                    self.look()
