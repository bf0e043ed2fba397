"""One tree of errors. Each is also the builtin that a caller would catch."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .core.ticket import Ticket


class EisenmpError(Exception):
    """Anything that eisenmp itself reports."""


class SettingsError(EisenmpError, ValueError):
    """A setting is unknown, of the wrong type or out of range; raised before any process starts."""


class QueueExists(EisenmpError, ValueError):
    """A queue of that name was created before."""


class QueueUnknown(EisenmpError, KeyError):
    """No queue of that name was created."""

    def __str__(self) -> str:
        return str(self.args[0]) if self.args else ""


class LoadError(EisenmpError, ImportError):
    """A worker module could not be fetched, imported or called the way a worker is called.

    `path` and `line` say where, `traceback_text` is the traceback of the process that tried; as far as known.
    """

    line: int | None = None
    traceback_text: str = ""


class FeedError(EisenmpError):
    """The generator of a feed raised, or yielded a row that cannot be sent; the error is its `__cause__`."""

    def __init__(self, message: str, *, ticket: Ticket | None = None) -> None:
        super().__init__(message)
        self.ticket = ticket


class WorkerFailed(EisenmpError):
    """The worker raised on a chunk; the remote error is its `__cause__`."""

    def __init__(self, message: str, *, ticket: Ticket | None = None) -> None:
        super().__init__(message)
        self.ticket = ticket


class WorkerDied(EisenmpError):
    """The process of a worker ended before its chunk was done, more often than `retries` allows."""

    def __init__(
        self,
        message: str,
        *,
        pid: int | None = None,
        exitcode: int | None = None,
        cause: str = "",
        ticket: Ticket | None = None,
    ) -> None:
        super().__init__(message)
        self.pid = pid
        self.exitcode = exitcode
        self.cause = cause
        self.ticket = ticket


class ChunkTimeout(EisenmpError, TimeoutError):
    """A chunk took longer than `timeout` or `timeout_row` allows."""

    def __init__(self, message: str, *, ticket: Ticket | None = None) -> None:
        super().__init__(message)
        self.ticket = ticket


class PortInUse(EisenmpError, OSError):
    """Somebody else listens on a port of a group."""


class SlotFailed(EisenmpError):
    """A server slot was given up: its process ended too often, or the one that was to follow never served."""


class ContainerError(EisenmpError):
    """A container cannot be made or has ended, or no container engine answers."""


class TableError(EisenmpError, ValueError):
    """The file of a SharedTable is damaged, gone, of another version, or cannot be written."""


class TableKeyInvalid(TableError, TypeError):
    """A key of a SharedTable is neither str nor bytes nor int."""


class Stopped(EisenmpError):
    """The manager is stopped or stopping; nothing more goes in or out."""


class RemoteTraceback(Exception):
    """The traceback of another process, as text: the `__cause__` of what was raised there."""

    def __str__(self) -> str:
        return "\n" + str(self.args[0]) if self.args else ""
