"""Health checks: asks each server process how it is, again and again. Under the lock of the loop."""

from __future__ import annotations

from functools import partial

from ..core import messages as m
from ..core import slots as s

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from ..core.settings import Settings
    from .crew import Slot
    from .dispatcher import Dispatcher
    from .server_slot import ServerSlot

SOON = 0.2  #: seconds to the next question while a process has not passed yet
MARGIN = 0.5  #: seconds for the answer to come, beyond what the check may take


class Health:
    """Asks those that accept connections, and tells their machines what came of it."""

    def __init__(
        self, dispatcher: Dispatcher, settings: Settings, tell: Callable[[ServerSlot, s.Event], None]
    ) -> None:
        self._wanted = settings.health is not None
        self._dispatcher = dispatcher
        self._interval = settings.health_interval
        self._timeout = settings.health_timeout
        self._tell = tell
        self._asked: dict[Slot, int] = {}  # the question that is open
        self._number = 0

    def begin(self, slot: Slot) -> None:
        """The process accepts connections: it is asked from now on."""
        if self._wanted:
            self._ask(slot)

    def _ask(self, slot: Slot) -> None:
        if not slot.alive or slot.handed_over:
            return
        self._number += 1
        self._asked[slot] = self._number
        self._dispatcher.order(slot.wid, m.ORDER_CHECK, b=self._number)
        overdue = partial(self.answered, slot, self._number, False)
        self._dispatcher.after(self._timeout + MARGIN, overdue)

    def answered(self, slot: Slot, number: int, passed: bool) -> None:
        """A check has passed or failed; answers that come too late are not heard."""
        server = slot.server
        if self._asked.get(slot) != number or server is None:
            return
        del self._asked[slot]
        self._tell(server, s.Checked(slot.process, passed))
        soon = not passed and server.is_coming(slot.process)
        pause = min(SOON, self._interval) if soon else self._interval
        self._dispatcher.after(pause, partial(self._ask, slot))

    def gone(self, slot: Slot) -> None:
        """The process has ended."""
        self._asked.pop(slot, None)
