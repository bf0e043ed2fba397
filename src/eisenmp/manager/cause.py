"""Why a chunk or a worker failed, and the error that says so to the caller."""

from __future__ import annotations

from time import monotonic

from ..core.oom import Toll
from ..core.record import NamedTuple
from ..core.stack import top
from ..engine.base import Lost
from ..errors import ChunkTimeout, EisenmpError, FeedError, RemoteTraceback, WorkerDied, WorkerFailed
from ..wire.pickles import loads
from ..wire.platform import SIGKILL

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from ..core.outcome import Letter
    from ..core.ticket import Ticket
    from ..engine.base import Event, Exit
    from ..engine.oom import Counter
    from .crew import Crew, Slot

#: what Windows gives as the exit code of a process that a fault has ended
FAULTS = {
    0xC0000005: "access violation",
    0xC0000017: "out of memory",
    0xC000001D: "illegal instruction",
    0xC0000094: "integer division by zero",
    0xC00000FD: "stack overflow",
    0xC0000374: "heap corruption",
    0xC0000409: "stack buffer overrun",
}


class Blame(NamedTuple):
    """What is known of a failure in the loop: made into an exception only where somebody waits for it."""

    kind: str  #: 'raised', 'died', 'timeout' or 'cancelled'
    cause: str
    error: bytes | None = None
    traceback_text: str = ""
    tail: str = ""
    pid: int | None = None
    exitcode: int | None = None
    stack: str = ""  #: as `faulthandler` writes it

    def exception(self, ticket: Ticket) -> BaseException:
        """The error that names the ticket, such as WorkerFailed with the remote error as its `__cause__`."""
        where = f"ticket {ticket.number} of queue {ticket.queue!r}"
        if self.kind == "raised":
            return self.failed(ticket, f"the worker raised {self.cause} on {where}")
        if self.kind == "timeout":
            return ChunkTimeout(self._told(f"{where} took too long: {self.cause}"), ticket=ticket)
        if self.kind == "cancelled":
            return EisenmpError(f"{where} was cancelled")
        return self.died(ticket, f"the worker died on {where}: {self.cause}")

    def failed(self, ticket: Ticket | None, message: str) -> WorkerFailed:
        error = WorkerFailed(message, ticket=ticket)
        error.__cause__ = self._remote()
        return error

    def died(self, ticket: Ticket | None, message: str) -> WorkerDied:
        return WorkerDied(
            self._told(message), pid=self.pid, exitcode=self.exitcode, cause=self.cause, ticket=ticket
        )

    def _told(self, message: str) -> str:
        """The message, with where the worker was and what it printed last."""
        if calls := top(self.stack):
            message += "\n  where it was, the most recent call first:\n    " + "\n    ".join(calls)
        if self.tail:
            message += "\n  the last lines it printed:\n    " + self.tail.replace("\n", "\n    ")
        return message

    def _remote(self) -> BaseException:
        text = RemoteTraceback(self.traceback_text or self.cause)
        if self.error is None:
            return text
        try:
            remote = loads(self.error)
        except Exception:  # unpickling a user's exception may raise anything: the text says what it was
            return text
        if not isinstance(remote, BaseException):
            return text
        remote.__cause__ = text
        return remote


def letter_reason(letter: Letter, ticket: Ticket) -> Blame | BaseException:
    """Why a ticket was given up in an earlier run."""
    from ..core.outcome import UNSENT

    if letter.kind != UNSENT:
        known = (letter.error, letter.traceback_text, letter.tail, letter.pid, letter.exitcode, letter.stack)
        return Blame(letter.kind, letter.cause, *known)
    return FeedError(letter.cause, ticket=ticket)


class Coroner:
    """Names what ended a process. Under the lock of the loop."""

    def __init__(self, crew: Crew) -> None:
        self._crew = crew
        self._counter: Counter | None = None
        self._toll = Toll(None)

    def begin(self) -> None:
        """From now on what the kernel ends for want of memory counts: the first process has been started."""
        if self._counter is None:
            from ..engine.oom import Counter

            self._counter = Counter()
            self._toll = Toll(self._counter.read(), own=self._counter.own)

    def examine(self, slot: Slot, exit: Exit, events: Iterable[Event] = ()) -> Blame:
        """What is to blame for the end of the process in the slot; `events`: all that happened with it."""
        reason = slot.restart_reason
        cause = reason or death_cause(exit)
        stack = ""
        if not reason:
            if exit.code == -SIGKILL and not exit.reason:
                cause += self._for_want_of_memory(events)
            elif slot.dump.unasked:
                stack = slot.stack
            if not slot.ready:
                cause += ", before it had loaded its modules"
        elif not slot.ready:
            stack = slot.stack
        return Blame("died", cause, None, "", "\n".join(slot.tail), exit.pid, exit.code, stack)

    def _for_want_of_memory(self, events: Iterable[Event]) -> str:
        if self._counter is None:
            return ""
        others = 0
        for event in events:
            if isinstance(event, Lost) and event.exit.code == -SIGKILL and not event.exit.reason:
                slot = self._crew.find(event.wid)
                # who is found there has not been examined yet
                others += slot is not None and not slot.restart_reason
        verdict = self._toll.judge(self._counter.read(), others, monotonic())
        return verdict and f": {verdict}"


def death_cause(exit: Exit) -> str:
    """In words: what ended a process, as far as its exit code says it."""
    code = exit.code
    if exit.reason:
        return exit.reason
    if code is None:
        return f"process {exit.pid} is gone; its exit code went to someone else"
    if code < 0:
        return f"process {exit.pid} was killed by signal {-code} ({signal_name(-code)})"
    fault = FAULTS.get(code)
    return f"process {exit.pid} ended with exit code {code}" + (f" ({fault})" if fault else "")


def signal_name(number: int) -> str:
    """'SIGKILL' for 9."""
    import signal

    try:
        return signal.Signals(number).name
    except ValueError:
        return "unknown"
