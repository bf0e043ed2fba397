"""Why a chunk or a worker failed, and the error that says so to the caller."""

from __future__ import annotations

from ..core.outcome import UNSENT
from ..core.record import NamedTuple
from ..errors import FeedError, RemoteTraceback, WorkerDied, WorkerFailed
from ..wire.pickles import loads

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..core.outcome import Letter
    from ..core.ticket import Ticket
    from ..engine.base import Exit


class Blame(NamedTuple):
    """What is known of a failure in the loop: made into an exception only where somebody waits for it."""

    kind: str  #: 'raised' or 'died'
    cause: str
    error: bytes | None = None
    traceback_text: str = ""
    tail: str = ""
    pid: int | None = None
    exitcode: int | None = None

    def exception(self, ticket: Ticket) -> BaseException:
        """WorkerFailed or WorkerDied, naming the ticket, with the remote error as its `__cause__`."""
        where = f"ticket {ticket.number} of queue {ticket.queue!r}"
        if self.kind == "raised":
            return self.failed(ticket, f"the worker raised {self.cause} on {where}")
        return self.died(ticket, f"the worker died on {where}: {self.cause}")

    def failed(self, ticket: Ticket | None, message: str) -> WorkerFailed:
        error = WorkerFailed(message, ticket=ticket)
        error.__cause__ = self._remote()
        return error

    def died(self, ticket: Ticket | None, message: str) -> WorkerDied:
        if self.tail:
            message += "\n  the last lines it printed:\n    " + self.tail.replace("\n", "\n    ")
        return WorkerDied(message, pid=self.pid, exitcode=self.exitcode, cause=self.cause, ticket=ticket)

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
    if letter.kind != UNSENT:
        return Blame(
            letter.kind,
            letter.cause,
            letter.error,
            letter.traceback_text,
            letter.tail,
            letter.pid,
            letter.exitcode,
        )
    return FeedError(letter.cause, ticket=ticket)


def death_cause(exit: Exit, reason: str = "") -> str:
    """In words: what ended a process."""
    if reason:
        return f"restarted: {reason}"
    code = exit.code
    if exit.reason:
        return exit.reason
    if code is None:
        return f"process {exit.pid} is gone; its exit code went to someone else"
    if code < 0:
        return f"process {exit.pid} was killed by signal {-code} ({signal_name(-code)})"
    return f"process {exit.pid} ended with exit code {code}"


def signal_name(number: int) -> str:
    """'SIGKILL' for 9."""
    import signal

    try:
        return signal.Signals(number).name
    except ValueError:
        return "unknown"
