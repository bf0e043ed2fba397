"""What a manager is made of: these classes, unless somebody wants to see it with others."""

from __future__ import annotations

from ..core.ledger import Ledger
from ..core.record import NamedTuple
from .collector import Collector
from .crew import Crew
from .dispatcher import Dispatcher
from .feeder import Feeder

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable


class Parts(NamedTuple):
    """Makers of the parts, called like the classes that they are by default."""

    crew: Callable[..., Crew] = Crew
    ledger: Callable[..., Ledger] = Ledger
    collector: Callable[..., Collector] = Collector
    dispatcher: Callable[..., Dispatcher] = Dispatcher
    feeder: Callable[..., Feeder] = Feeder
