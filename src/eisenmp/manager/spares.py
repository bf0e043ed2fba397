"""Warm spares: processes that have loaded and take the place of one that has died at once.

Under the lock of the loop. A spare has no slot and no socket; both come with its posting.
"""

from __future__ import annotations

from functools import partial

from ..core import messages as m
from ..core.messages import Message
from ..core.site import Posting, Serving
from ..errors import SettingsError
from ..wire.pickles import dumps

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..core.settings import Settings
    from .cause import Blame
    from .crew import Slot
    from .dispatcher import Dispatcher
    from .fleet import Fleet
    from .server_slot import ServerSlot

PAUSE = 0.1  #: seconds after a spare that has died, doubled each time


class Spares:
    """So many as are wanted in each group, once all of its slots have what they need."""

    def __init__(self, dispatcher: Dispatcher, settings: Settings, fleet: Fleet) -> None:
        self.wanted = settings.spare
        if self.wanted and not dispatcher.passes_descriptors:
            raise SettingsError("spare needs sockets that can be handed to a running process, as on Linux")
        self._deaths_max = settings.restarts_max
        self._dispatcher = dispatcher
        self._fleet = fleet
        self._waiting: dict[str, list[Slot]] = {name: [] for name in fleet.rotation.groups}
        self._deaths = dict.fromkeys(self._waiting, 0)  # since one has loaded
        self._paused: set[str] = set()

    def count(self, group: str) -> int:
        """How many could take a slot now."""
        return sum(slot.ready for slot in self._waiting[group])

    def hopes(self, group: str) -> bool:
        """Whether there is one, or will be."""
        return self._deaths[group] <= self._deaths_max

    def fill(self, group: str) -> None:
        """Have as many as are wanted, unless the last ones have died."""
        if group in self._paused or not self.hopes(group):
            return
        while len(self._waiting[group]) < self.wanted:
            if not self._start(group):
                return

    def _start(self, group: str) -> bool:
        slot = self._dispatcher.crew.add_reserve(f"{group}/spare", group)
        self._waiting[group].append(slot)
        try:
            self._dispatcher.supervisor.start_slot(slot)
        except OSError as error:
            self._remove(slot)
            self._died(group, f"it could not be started: {error}")
            return False
        return True

    def serving(self, group: str) -> Serving:
        """What a spare is told at its start."""
        return self._fleet.told(group)._replace(place=-1)

    def loaded(self, slot: Slot) -> None:
        """It could take a slot from now on."""
        if slot.group in self._deaths:
            slot.ready = True
            self._deaths[slot.group] = 0

    def take(self, server: ServerSlot) -> Slot | None:
        """A spare that is in the slot from now on; None where none has loaded."""
        dispatcher, waiting = self._dispatcher, self._waiting[server.seat.group]
        spare = next((slot for slot in waiting if slot.ready and slot.alive), None)
        if spare is None:
            return None
        self._remove(spare)
        spare.ready = False
        dispatcher.crew.place_reserve(spare, server.number)
        dispatcher.ledger.worker_moved(spare.wid, server.number)
        dispatcher.flush_to(spare.wid)
        for each in server.sockets:
            dispatcher.engine.send_with(spare.wid, Message(m.SOCKET), each.fileno())
        posting = Posting(
            server.number, spare.name, spare.worker_id, server.seat.cores, self._fleet.serving(server)
        )
        dispatcher.send_now(spare.wid, Message(m.POST, body=dumps(posting)))
        return spare

    def renew(self, group: str) -> None:
        """The application may have changed: those that wait have the old one."""
        self._deaths[group] = 0
        self.dismiss(group)

    def dismiss(self, group: str) -> None:
        """Nobody waits there any more."""
        for slot in list(self._waiting[group]):
            self._remove(slot)
            self._dispatcher.crew.dismiss_reserve(slot)

    def lost(self, slot: Slot, blame: Blame) -> None:
        """A spare is gone."""
        wanted = slot in self._waiting[slot.group]
        self._remove(slot)
        self._dispatcher.crew.forget_reserve(slot)
        if wanted and not self._fleet.stopping:
            self._died(slot.group, slot.wrong or blame.cause)

    def _remove(self, slot: Slot) -> None:
        if slot in self._waiting[slot.group]:
            self._waiting[slot.group].remove(slot)

    def _died(self, group: str, cause: str) -> None:
        self._deaths[group] += 1
        if self._deaths[group] > self._deaths_max:
            self._dispatcher.collector.warned(
                f"group {group!r} has no spare until its next reload: the last one died: {cause}"
            )
            return
        self._paused.add(group)
        self._dispatcher.after(PAUSE * 2.0 ** self._deaths[group], partial(self._go_on, group))

    def _go_on(self, group: str) -> None:
        self._paused.discard(group)
        self._fleet.refill(group)
