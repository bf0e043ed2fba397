"""What may go wrong in a worker: where it strikes, and how. A new fault is one more line in the table."""

from __future__ import annotations

from ..core import messages as m
from ..core.record import NamedTuple
from ..wire.platform import SIGKILL

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from .channel import Waits
    from .process import Process

#: before its modules are loaded; with a chunk in hand; with its outputs sent; with a question or a put
#: under way; behind a cycle; at its end
POINTS = ("load", "taken", "sent", "asked", "ended", "leave")
EVERYWHERE = POINTS
RUNNING = ("taken", "sent")


class UserError(Exception):
    """What simulated workers raise."""


class Fault(NamedTuple):
    """`strike` is a part of the main thread of the worker."""

    where: tuple[str, ...]
    strike: Callable[[Process], Waits]
    poison: bool = False  #: a chunk may do it to whoever takes it


def die(process: Process) -> Waits:
    process.die(-SIGKILL)
    yield never


def end(process: Process) -> Waits:
    """`sys.exit(7)`: what it had posted goes out."""
    process.channel.flush()
    process.die(7)
    yield never


def raise_error(process: Process) -> Waits:
    raise UserError(f"{process.name} raises")
    yield never


def hang(process: Process) -> Waits:
    """Its other threads live; somebody notices, and kills it, unless it has never been up."""
    if process.is_up:
        process.schedule.after(process.simulation.notice_time(), process.signal, SIGKILL)
    yield never


def stop(process: Process) -> Waits:
    """SIGSTOP; somebody lets it go on, or kills it."""
    process.stop()
    seconds = process.simulation.notice_time()
    if process.simulation.draws.chance(0.5):
        process.schedule.after(seconds, process.go_on)
    else:
        process.schedule.after(seconds, process.signal, SIGKILL)
    yield 0.0


def dawdle(process: Process) -> Waits:
    """A chunk that takes much longer than the others."""
    yield 50 * process.simulation.plan.chunk_seconds


def pause(process: Process) -> Waits:
    """A mate pauses the worker, and lets it go on later."""

    def resume() -> None:
        if process.lets_run(resume):
            process.channel.request(m.ORDER_RESUME)
            process.look()

    process.channel.request(m.ORDER_PAUSE)
    process.schedule.after(process.simulation.notice_time(), resume)
    yield 0.0


def restart(process: Process) -> Waits:
    """The worker asks for a new process."""
    process.channel.request(m.ORDER_RESTART, "asked for")
    yield never


def leave(process: Process) -> Waits:
    """It stops for good behind this cycle."""
    process.channel.request(m.ORDER_STOP)
    yield 0.0


def never() -> bool:
    return False


FAULTS: dict[str, Fault] = {
    "dies": Fault(EVERYWHERE, die, poison=True),
    "ends": Fault(EVERYWHERE, end, poison=True),
    "raises": Fault(RUNNING, raise_error, poison=True),
    "hangs": Fault(("load", *RUNNING), hang),
    "is stopped": Fault(EVERYWHERE, stop),
    "dawdles": Fault(RUNNING, dawdle),
    "is paused": Fault((*RUNNING, "ended"), pause),
    "asks for a restart": Fault(RUNNING, restart),
    "leaves": Fault(RUNNING, leave),
}
AT = {where: tuple(name for name, fault in FAULTS.items() if where in fault.where) for where in POINTS}
POISONS = tuple(name for name, fault in FAULTS.items() if fault.poison)
