"""How workers and feeders come to their end: asked, then told, then made to."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..engine.base import Engine
    from ..wire.pump import Pump
    from .crew import Crew
    from .dispatcher import Dispatcher
    from .feeder import Feeder

TERM_GRACE = 1.0  #: seconds between SIGTERM and SIGKILL
KILL_PATIENCE = 10.0  #: seconds that a killed process may take to be gone
FEEDER_PATIENCE = 1.0  #: seconds that a generator may stay inside next()


def end_workers(crew: Crew, engine: Engine, pump: Pump, grace: float) -> None:
    """Wait `grace` seconds for workers that were told to leave; then SIGTERM, then SIGKILL."""

    def gone() -> bool:
        return not any(crew.alive())

    if pump.wait_until(gone, grace):
        return
    for slot in list(crew.alive()):
        engine.terminate(slot.wid)
    if pump.wait_until(gone, min(TERM_GRACE, grace)):
        return
    for slot in list(crew.alive()):
        engine.kill(slot.wid)
    pump.wait_until(gone, KILL_PATIENCE)


def end_idle(dispatcher: Dispatcher, grace: float) -> None:
    """Chunk workers that were told to leave and hold no chunk are ended after `grace` seconds.

    They have nothing to do; a process that is stopped, or whose C code holds the GIL, does not hear it.
    Under the lock.
    """

    def insist() -> None:
        workers = dispatcher.ledger.workers
        for slot in list(dispatcher.crew.alive()):
            worker = workers.get(slot.wid)
            idle = slot.ready and slot.is_chunk_worker and not slot.left
            if idle and (worker is None or not worker.leases):
                slot.retired = True
                dispatcher.engine.kill(slot.wid)

    dispatcher.after(grace, insist)


def join_feeders(feeders: list[Feeder]) -> list[Feeder]:
    """Join the threads; returns those that are left behind inside a blocking next(), with a warning."""
    import warnings

    for feeder in feeders:
        feeder.thread.join(FEEDER_PATIENCE)
        if feeder.thread.is_alive():
            warnings.warn(
                f"the generator of queue {feeder.feed.queue.name!r} does not return from next(): "
                "its thread is left behind",
                RuntimeWarning,
                stacklevel=6,
            )
    return [feeder for feeder in feeders if feeder.thread.is_alive()]
