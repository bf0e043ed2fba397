"""What a manager is made of: these classes, unless somebody wants to see it with others."""

from __future__ import annotations

from ..core.ledger import Ledger
from ..core.record import NamedTuple
from .collector import Collector
from .crew import Crew
from .dispatcher import Dispatcher

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from .feeder import Feeder


def make_feeder(*arguments: Any) -> Feeder:
    """A Feeder, which is imported when there are rows."""
    from .feeder import Feeder

    return Feeder(*arguments)


class Parts(NamedTuple):
    """Makers of the parts, called like the classes that they are by default."""

    crew: Callable[..., Crew] = Crew
    ledger: Callable[..., Ledger] = Ledger
    collector: Callable[..., Collector] = Collector
    dispatcher: Callable[..., Dispatcher] = Dispatcher
    feeder: Callable[..., Feeder] = make_feeder
