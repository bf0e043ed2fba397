"""Memory that the manager and its workers share: who has which region, and who still reads a block."""

from __future__ import annotations

from ..core import messages as m
from ..core.messages import Message
from ..wire.regions import Region

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .dispatcher import Dispatcher

PLAIN, RESULTS, ROWS = range(3)  # what a REGION is for


class Lender:
    """The shared memory of one manager, of an engine that can send descriptors."""

    def __init__(self, dispatcher: Dispatcher) -> None:
        self._dispatcher = dispatcher
        self._shared: dict[Region, int] = {}  # that every worker gets, also one that starts later
        dispatcher.crew.on_spawn = self._joined

    def share(self, region: Region, use: int = PLAIN) -> None:
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
            region.close()

    def _joined(self, wid: int) -> None:
        for region, use in self._shared.items():
            self._send(wid, region, use)

    def _send(self, wid: int, region: Region, use: int) -> None:
        self._dispatcher.flush_to(wid)
        message = Message(m.REGION, a=region.number, b=region.size, c=use)
        self._dispatcher.engine.send_with(wid, message, region.descriptor)

    def close(self) -> None:
        """Send nothing any more. What is still read stays until it is not."""
        for region in self._shared:
            region.close()
        self._shared.clear()


def lender(dispatcher: Dispatcher) -> Lender | None:
    """The shared memory of a manager; None where its engine cannot send descriptors."""
    return Lender(dispatcher) if getattr(dispatcher.engine, "passes_descriptors", False) else None
