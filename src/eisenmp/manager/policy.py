"""What the settings say about failures, told to the parts that act on it."""

from __future__ import annotations

from ..child.contracts import ROW
from ..core.failing import Backoff
from .enforcer import Enforcer

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..core.settings import Settings
    from .dispatcher import Dispatcher

EARLY = 10  #: the successor of a worker is started when the last of so many parts of its chunks is sent


def apply_policy(settings: Settings, dispatcher: Dispatcher, contract: str) -> None:
    """Budgets and pauses of retries, time limits, and when a worker is renewed."""
    ledger, budget = dispatcher.ledger, dispatcher.ledger.budget
    retries = settings.retries
    budget.deaths, budget.raises, budget.timeouts = retries.death, retries.raised, retries.timeout
    ledger.delay = Backoff(_chance)
    ledger.tokens = not settings.stop_msg_disable
    dispatcher.shared_memory_max = settings.shared_memory_max
    deadlines = None
    if settings.timeout is not None or settings.timeout_row is not None:
        from ..core.deadlines import Deadlines

        deadlines = Deadlines(settings.timeout, settings.timeout_row, exact=contract == ROW)
    dispatcher.enforcer = Enforcer(dispatcher, deadlines, settings.grace)
    if settings.timeout is not None:
        dispatcher.cutter.patience = settings.timeout
    chunks = settings.chunks_max
    dispatcher.renews = chunks is not None
    ledger.patient = chunks is not None or settings.memory_max is not None
    dispatcher.supervisor.heir_after = 0 if chunks is None else max(1, chunks - max(1, chunks // EARLY))
    dispatcher.supervisor.start_timeout = settings.start_timeout


def _chance() -> float:
    # the module is large, and no chunk may ever fail
    from random import random

    return random()
