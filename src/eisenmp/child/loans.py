"""The memory that a worker shares with its manager: rows that it reads, and results that it lends.

A chunk's blocks are the worker's until its lease ends. What is still read then is told to the manager (KEPT),
with a number, and so is its end. A block with a result is free again when the manager has said so in the
first bytes of the region, one for each block that is lent.

    KEPT, c 1: (offset, number) of each, u64        KEPT, c 0: number of each, u64
"""

from __future__ import annotations

import os
import threading
from collections import deque
from itertools import count
from time import sleep

from ..core import messages as m
from ..core.messages import Message
from ..wire.arena import Arena
from ..wire.bundle import inline, is_bundle
from ..wire.pickler import Packer
from ..wire.pickles import dumps
from ..wire.platform import unlink_if_left
from ..wire.regions import SLOTS, Hold, Region, mapped

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from ..wire.bundle import Place
    from .channel import Channel, Item

RETURNED = b"\1"
ORPHAN_TRIES, ORPHAN_PAUSE = 20, 0.005  #: seconds, in which a manager that is gone lets go of its files


class Loans:
    """What one worker has from its manager, and what it lends to it."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self._regions: dict[int, Region] = {}  # that the manager shares with all workers
        self._paths: dict[int, str] = {}  # of regions that are files with a name
        self._rows: Region | None = None
        self._ended: deque[int] = deque()  # numbers of what was kept and is not any more
        self._numbers = count(1)
        self._lock = threading.Lock()
        self._arena: Arena | None = None
        self._places: dict[int, int] = {}  # that are lent: offset by slot
        self._free = list(range(SLOTS - 1, -1, -1))
        self._packer = Packer(self._put, self._withdraw, writable=True)
        self._told = False

    def came(self, number: int, descriptor: int, size: int, use: int) -> None:
        """A region has come."""
        known = number in mapped
        region = Region.take(number, descriptor, size, writable=use != m.FOR_TOOLS)
        self._regions[number] = region
        if use != m.FOR_RESULTS and not known:
            region.close()
        if use == m.FOR_RESULTS:
            with self._lock:
                self._arena = Arena(region, SLOTS)
        elif use == m.FOR_ROWS and not known:
            # where it is the manager's own map, the manager sees for itself what is read
            region.on_end = self._on_end
            region.fresh = []
            self._rows = region

    def named(self, number: int, path: str, size: int, use: int) -> None:
        """A region has come as a file that has a name until all have opened it."""
        try:
            access = os.O_RDONLY if use == m.FOR_TOOLS else os.O_RDWR
            descriptor = os.open(path, access | getattr(os, "O_BINARY", 0))
        except FileNotFoundError:
            return  # the manager is gone; its end comes behind this
        self._paths[number] = path
        self.came(number, descriptor, size, use)
        self._channel.post(Message(m.MAPPED, a=number))

    def dropped(self, number: int) -> None:
        """The manager has dropped a region: it goes when it is not read any more."""
        self._regions.pop(number, None)
        self._paths.pop(number, None)

    def orphaned(self) -> None:
        """The connection has ended. If the manager is gone, it could not remove the files of its regions."""
        left = set(self._paths.values())
        for _ in range(ORPHAN_TRIES):
            left = {path for path in left if not unlink_if_left(path)}
            if not left:
                return
            sleep(ORPHAN_PAUSE)  # its locks may end after its sockets

    # rows

    def _on_end(self, hold: Hold) -> None:
        if hold.mark:
            self._ended.append(hold.mark)

    def own(self, item: Item) -> Item:
        """The same item with buffers of its own."""
        return item._replace(body=inline(item.body)) if is_bundle(item.body) else item

    def report(self) -> None:
        """Tell what is kept over the end of a cycle, and what is not any more."""
        region = self._rows
        if region is None:
            return
        new: list[Hold] = []
        if region.fresh:
            fresh, region.fresh = region.fresh, []
            new = [hold for reference in fresh if (hold := reference()) is not None]
        if self._ended:
            self._channel.post(Message(m.KEPT, body=b"".join(map(_packed, _drained(self._ended)))))
        if new:
            for hold in new:
                hold.mark = next(self._numbers)
            body = b"".join([_packed(hold.offset) + _packed(hold.mark) for hold in new])
            self._channel.post(Message(m.KEPT, c=1, body=body))

    # results

    @property
    def lends(self) -> bool:
        """Whether there is a region for results."""
        return self._arena is not None

    def pack(self, value: Any) -> bytes:
        """The value pickled, with large buffers in the region as far as there is room."""
        arena = self._arena
        assert arena is not None
        body = self._packer.pack(value, arena.region.number)
        return dumps(value, "result") if body is None else body

    def _put(self, raw: memoryview) -> Place | None:
        with self._lock:
            arena = self._arena
            assert arena is not None
            self._take_back(arena)
            offset = arena.put(raw) if self._free else None
            if offset is not None:
                slot = self._free.pop()
                self._places[slot] = offset
                return offset, raw.nbytes, slot
        self._tell(arena.shortage)
        return None

    def _take_back(self, arena: Arena) -> None:
        flags = arena.region.map
        slot = flags.find(RETURNED, 0, SLOTS)
        while slot >= 0:
            flags[slot] = 0
            self._release(arena, slot)
            slot = flags.find(RETURNED, slot + 1, SLOTS)

    def _release(self, arena: Arena, slot: int) -> None:
        offset = self._places.pop(slot, None)
        if offset is not None:
            arena.free(offset)
            self._free.append(slot)

    def withdraw(self, message: Message | None) -> None:
        """A message that was not sent."""
        places: list[Place] | None = getattr(message.body, "places", None) if message is not None else None
        if places:
            self._withdraw(places)

    def _withdraw(self, places: list[Place]) -> None:
        with self._lock:
            for place in places:
                assert self._arena is not None
                self._release(self._arena, place[2])

    def _tell(self, shortage: str) -> None:
        if not self._told and shortage:
            self._told = True
            text = f"eisenmp: {shortage}; from now on some large results are sent over the socket, copied\n"
            self._channel.log(2, text)


def _packed(number: int) -> bytes:
    return number.to_bytes(8, "little")


def _drained(numbers: deque[int]) -> list[int]:
    drained = []
    while numbers:
        drained.append(numbers.popleft())
    return drained
