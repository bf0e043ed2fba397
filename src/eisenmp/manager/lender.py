"""Memory that the manager and its workers share: who has which region, and who still reads a block.

    rows      one region: the feeders copy large buffers into it, and the workers read them there
    results   one region per worker that has large results: it copies them there, and the program reads them

A block with rows is free when no parcel names it and no worker has said that it keeps it. A block with a
result is free when the program has no view on it; the worker sees that by a byte in its region.
"""

from __future__ import annotations

import os
import threading
from collections import deque
from functools import partial

from ..core import messages as m
from ..core.messages import Message
from ..wire.arena import Arena
from ..wire.bundle import LARGE, Bundle, Contents, contents
from ..wire.pickler import Packer
from ..wire.regions import SLOTS, Hold, Region

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from ..wire.bundle import Place
    from .dispatcher import Dispatcher

AHEAD_MAX = 1 << 28  #: bytes of rows that a feed may be ahead of its workers
GRANT_MIN = 1 << 20  #: a smaller region is not worth it
IDLE_MAX = 1 << 26  #: bytes that stay taken when no feed is there
FILES_MAX = 1 << 28  #: bytes of regions that lie on a disk, where the settings say nothing


class Lender:
    """The shared memory of one manager.

    Where the engine cannot send descriptors, workers open a region by its path, and say so: a name is there
    for no longer than somebody needs it.
    """

    def __init__(self, dispatcher: Dispatcher) -> None:
        self._dispatcher = dispatcher
        self._works = True  # until no region could be made
        self._share: int | None = None  # bytes, where the settings say nothing
        self._shared: dict[Region, int] = {}  # that every worker gets, also one that starts later
        self._by_path = not dispatcher.passes_descriptors
        #: workers that know the path of a region and have yet to open it
        self.opening: dict[Region, set[int]] = {}
        self._rows: Arena | None = None
        self._lock = threading.Lock()
        self._ended: deque[tuple[int, int, Loan]] = deque()  # blocks with rows that nobody reads any more
        self._kept: dict[int, dict[int, Hold]] = {}  # what workers keep: by wid and their number for it
        self._results: dict[int, Region] = {}  # by wid
        self._left: list[Region] = []  # of workers that are gone, as long as results are read
        self._told = False
        self._closed = False
        dispatcher.crew.on_spawn = self._joined
        self.handlers: dict[int, Callable[[int, Message], None]] = {
            m.LENT: self._on_lent,
            m.KEPT: self._on_kept,
            m.ARENA: self._on_arena,
            m.MAPPED: self._on_mapped,
        }

    # regions

    def make(self, size: int) -> Region:
        """A new region of at least so many bytes; OSError, ValueError or OverflowError if there is none."""
        return Region.make(size, named=self._by_path)

    def share(self, region: Region, use: int = m.FOR_TOOLS) -> None:
        """Have every worker map the region, now and from its start on, until it is dropped."""
        with self._dispatcher.lock:
            self._shared[region] = use
            for slot in self._dispatcher.crew.alive():
                self._send(slot.wid, region, use)

    def drop(self, region: Region) -> None:
        """Workers that start later do not get it; those that have it keep it while they read it."""
        with self._dispatcher.lock:
            if self._shared.pop(region, None) is not None:
                for slot in self._dispatcher.crew.alive():
                    self._dispatcher.send_now(slot.wid, Message(m.REGION, a=region.number))
            self._settle(region)

    def _joined(self, wid: int) -> None:
        for region, use in self._shared.items():
            self._send(wid, region, use)

    def _send(self, wid: int, region: Region, use: int) -> None:
        dispatcher = self._dispatcher
        dispatcher.flush_to(wid)
        message = Message(m.REGION, a=region.number, b=region.size, c=use)
        if self._by_path:
            self.opening.setdefault(region, set()).add(wid)
            dispatcher.send_now(wid, message._replace(body=os.fsencode(region.path)))
        else:
            dispatcher.engine.send_with(wid, message, region.descriptor)

    def _on_mapped(self, wid: int, message: Message) -> None:
        for region in list(self.opening):
            if region.number == message.a:
                self._opened(wid, region)

    def _opened(self, wid: int, region: Region) -> None:
        self.opening[region].discard(wid)
        if region is self._results.get(wid):
            region.hide()  # nobody else needs it
        self._settle(region)

    def _settle(self, region: Region) -> None:
        """Close a region that is shared no more, once all who were told of it have opened it."""
        if self.opening.get(region):
            return
        self.opening.pop(region, None)
        if region not in self._shared and region not in self._results.values():
            region.close()

    def gone(self, wid: int) -> None:
        """The worker reads nothing any more, and writes no results."""
        self._kept.pop(wid, None)
        for region in list(self.opening):
            self._opened(wid, region)
        results = self._results.pop(wid, None)
        if results is not None:
            results.leave()
            results.close()
            self._left.append(results)

    def close(self) -> None:
        """Send nothing any more. What is still read stays until it is not."""
        self._closed = True
        for region in (*self._shared, *self._results.values(), *self.opening):
            region.close()
        self.opening.clear()
        self._shared.clear()
        self._kept.clear()
        self._results.clear()
        self._left.clear()
        self._rows = None

    # rows

    @property
    def lends(self) -> bool:
        """Whether memory is shared. A ledger on disk takes rows and results as they are."""
        return not self._closed and not self._dispatcher.keeps_books and self._bytes_max() > 0

    @property
    def lends_tools(self) -> bool:
        """Whether tools lie in shared memory, also with a ledger on disk."""
        return not self._closed and self._bytes_max() > 0

    def _bytes_max(self) -> int:
        if not self._works:
            return 0
        given = self._dispatcher.shared_memory_max
        if given is not None:
            return given
        if self._share is None:
            from ..engine.capacity import memory

            self._share = min(memory() // 4, FILES_MAX) if self._by_path else memory() // 4
        return self._share

    def account(self) -> Loan:
        """Something to pack the rows of one feed with."""
        return Loan(self, min(AHEAD_MAX, self._bytes_max() // 4))

    def arena(self) -> Arena | None:
        """The region of the rows; made when it is first asked for."""
        if self._rows is None:
            with self._dispatcher.lock:
                self._make()
        return self._rows

    def _make(self) -> None:
        if self._rows is not None or not self.lends:
            return
        try:
            region = self.make(self._bytes_max() // 2)
        except (OSError, ValueError, OverflowError) as error:
            self._works = False
            self.short(f"there is no shared memory: {error}")
        else:
            self._rows = Arena(region)
            self.share(region, m.FOR_ROWS)

    def put(self, raw: memoryview, loan: Loan) -> Hold | None:
        """Copy a buffer into the region of the rows; None when there is no room."""
        with self._lock:
            arena = self._rows
            if arena is None:
                return None
            self._take_back(arena)
            offset = arena.put(raw)
            if offset is not None:
                hold = arena.region.holds[offset] = Hold(arena.region, offset, raw.nbytes, loan.ended)
                loan.ahead += raw.nbytes
                return hold
        self.short(arena.shortage)
        return None

    def ended(self, hold: Hold, loan: Loan) -> None:
        """Nobody reads the block any more. Called in any thread, at any moment."""
        self._ended.append((hold.offset, 0 if hold.mark else hold.size, loan))

    def take_back(self) -> None:
        """Count what is not read any more."""
        if self._ended:
            with self._lock:
                self._take_back(self._rows)

    def _take_back(self, arena: Arena | None) -> None:
        while self._ended:
            offset, size, loan = self._ended.popleft()
            loan.ahead -= size
            if arena is not None:
                arena.free(offset)

    def rest(self) -> None:
        """No feed is there: give back memory that only a flood has taken."""
        with self._lock:
            if self._rows is not None:
                self._take_back(self._rows)
                self._rows.trim(IDLE_MAX)

    def short(self, why: str) -> None:
        """Say once that memory is short."""
        if not self._told:
            self._told = True
            self._dispatcher.collector.warned(
                f"{why}; from now on some large rows and results are sent over sockets, copied"
            )

    # what workers say

    def _on_kept(self, wid: int, message: Message) -> None:
        numbers = memoryview(message.body).cast("Q").tolist()
        kept = self._kept.setdefault(wid, {})
        if not message.c:
            for number in numbers:
                kept.pop(number, None)
            return
        holds = self._rows.region.holds if self._rows is not None else {}
        for offset, number in zip(numbers[::2], numbers[1::2], strict=True):
            hold = holds.get(offset)
            if hold is not None:
                kept[number] = hold
                self._not_ahead(hold)

    def _not_ahead(self, hold: Hold) -> None:
        """A worker keeps it for longer: it is not ahead of the workers any more."""
        with self._lock:
            if not hold.mark:
                hold.mark = 1
                loan: Loan = hold.on_end.__self__  # type: ignore[attr-defined]
                loan.ahead -= hold.size

    def _on_arena(self, wid: int, message: Message) -> None:
        """The worker has large results: it gets a region, if there is room for one."""
        if wid in self._results or not self.lends:
            return
        size = self._grant() // SLOTS * SLOTS
        if size < GRANT_MIN:
            self.short("shared_memory_max is used up")
            return
        try:
            region = self.make(size)
        except (OSError, ValueError, OverflowError) as error:
            self.short(f"there is no shared memory: {error}")
            return
        self._results[wid] = region
        self._send(wid, region, m.FOR_RESULTS)

    def _grant(self) -> int:
        """The share of one worker in what is for results."""
        total = self._bytes_max() - self._bytes_max() // 2
        self._left = [region for region in self._left if region.holds]
        read = sum(hold.size for region in self._left for hold in region.held())
        free = total - read - sum(region.size for region in self._results.values())
        return min(free, total // max(1, len(self._dispatcher.crew.slots)))

    def _on_lent(self, wid: int, message: Message) -> None:
        region = self._results.get(wid)
        try:
            if region is None:
                raise ValueError("the worker has no region")
            body = Bundle(message.body)
            body.holds = _holds(region, contents(body))
        except ValueError:
            self._dispatcher.engine.kill(wid)  # it does not speak our language
            return
        self._dispatcher.arrived(wid, message._replace(kind=m.OUTPUT, body=body))


class Loan:
    """What one feed has lent to its workers."""

    def __init__(self, lender: Lender, ahead_max: int) -> None:
        self._lender = lender
        self._ahead_max = ahead_max
        self._packer = Packer(self._put, self._undo)
        self._holds: list[Hold] = []  # of the chunk that is being packed
        self.ahead = 0  #: bytes of chunks that are not done

    def pack(self, rows: Any, plain: Callable[[Any], bytes]) -> bytes:
        """The rows as they are sent; by `plain` where shared memory does not help."""
        arena = None if isinstance(rows, memoryview) else self._lender.arena()
        if arena is None:
            return plain(rows)
        body = self._packer.pack(rows, arena.region.number)
        holds, self._holds = self._holds, []
        if body is None:
            return plain(rows)
        if isinstance(body, Bundle):
            body.holds = holds
        return body

    def _put(self, raw: memoryview) -> Place | None:
        hold = self._lender.put(raw, self)
        if hold is None:
            return None
        self._holds.append(hold)
        return hold.offset, hold.size

    def _undo(self, places: list[Place]) -> None:
        self._holds.clear()

    def ended(self, hold: Hold) -> None:
        self._lender.ended(hold, self)

    @property
    def crowded(self) -> bool:
        """Whether so much is ahead of the workers that only one that waits is a reason to pull more."""
        if self.ahead > self._ahead_max:
            self._lender.take_back()
        return self.ahead > self._ahead_max


def _holds(region: Region, bundle: Contents) -> list[Hold]:
    """The holds on all blocks of a result; raises ValueError for blocks that cannot be."""
    holds = []
    for place in bundle.places:
        offset, size, slot = place
        if not (0 <= slot < SLOTS <= offset and LARGE <= size <= region.size - offset):
            raise ValueError("this block is not in the region")
        hold = region.holds[offset] = Hold(region, offset, size, partial(_returned, slot))
        holds.append(hold)
    if bundle.number != region.number:
        raise ValueError("this is another region")
    return holds


def _returned(slot: int, hold: Hold) -> None:
    """The program does not read the block any more: the worker may use it again."""
    region = hold.region
    if os.getpid() == region.owner:
        region.map[slot] = 1
