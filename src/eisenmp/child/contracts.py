"""The one contract of a worker, `fn(toolbox) -> bool`, and the thin wrapper around a chunk worker."""

from __future__ import annotations

from ..core.messages import TOKEN
from ..errors import Stopped

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from .channel import Item
    from .toolbox import ToolBox

INPUT = 0  # the wire number of mp_input_q

CHUNK = "chunk"
ROW = "row"


def take(toolbox: ToolBox) -> Item | None:
    """The next chunk of `mp_input_q` as it came over the wire; None once the manager is ending."""
    try:
        item = toolbox._channel.get(INPUT)
    except Stopped:
        return None
    return None if item is None or item.kind == TOKEN else item


class ChunkWorker:
    """`@eisenmp.worker`: called by the framework with each chunk's rows; what it returns is the result.

    Calling it with (toolbox, rows) calls the function itself, as in a test.
    """

    contract = CHUNK
    arguments: tuple[str, ...] = ("toolbox", "rows")

    def __init__(self, function: Callable[..., Any]) -> None:
        self.__wrapped__ = function
        self.__doc__ = function.__doc__
        self.__name__ = getattr(function, "__name__", type(function).__name__)
        self.__qualname__ = getattr(function, "__qualname__", self.__name__)
        self.__module__ = function.__module__

    def __call__(self, toolbox: Any, rows: Any) -> Any:
        return self.__wrapped__(toolbox, rows)

    def cycle(self, toolbox: ToolBox) -> bool:
        """Take one chunk, call the function, send what it returns. False once the manager is ending."""
        item = take(toolbox)
        if item is None:
            return False
        channel = toolbox._channel
        rows = channel.rows(item, lazily=True)
        if rows is None:
            return True
        value = self.__wrapped__(toolbox, rows)
        if value is not None:
            channel.output(item.lease, value)
        return True

    def __repr__(self) -> str:
        return f"<eisenmp.worker {self.__module__}.{self.__qualname__}>"


class RowWorker(ChunkWorker):
    """What `imap` makes of a function of one row: a chunk worker that returns the list of values."""

    contract = CHUNK
    arguments = ("row",)

    def cycle(self, toolbox: ToolBox) -> bool:
        """Take one chunk, call the function for each row, send the values."""
        item = take(toolbox)
        if item is None:
            return False
        channel, function = toolbox._channel, self.__wrapped__
        rows = channel.rows(item, lazily=True)
        if rows is None:
            return True
        if channel.reports_rows:
            values = []
            for row in rows:
                values.append(function(row))
                channel.report_rows(1)
        else:
            values = list(map(function, rows))
        channel.output(item.lease, values)
        return True


class ServerWorker:
    """`@eisenmp.server`: called once in each process of a port group, until it returns.

    Calling it with (toolbox, sockets, stop) calls the function itself, as in a test.
    """

    arguments: tuple[str, ...] = ("toolbox", "sockets", "stop")

    def __init__(self, function: Callable[..., Any]) -> None:
        self.__wrapped__ = function
        self.__doc__ = function.__doc__
        self.__name__ = getattr(function, "__name__", type(function).__name__)
        self.__qualname__ = getattr(function, "__qualname__", self.__name__)
        self.__module__ = function.__module__

    def __call__(self, toolbox: Any, sockets: Any, stop: Any) -> Any:
        return self.__wrapped__(toolbox, sockets, stop)

    def __repr__(self) -> str:
        return f"<eisenmp.server {self.__module__}.{self.__qualname__}>"


def server(function: Callable[[Any, Any, Any], Any]) -> ServerWorker:
    """Make a server of a function of (toolbox, sockets, stop), for the port groups of a manager.

    `sockets` listen already, one for each port and address of the slot; `stop` is a `child.serving.Stop`:
    the function returns when `stop.is_set()`.
    """
    if not callable(function):
        raise TypeError(f"@eisenmp.server decorates a function of (toolbox, sockets, stop), not {function!r}")
    return ServerWorker(function)


def worker(function: Callable[[Any, Any], Any]) -> ChunkWorker:
    """Make a chunk worker of a function of (toolbox, rows): what it returns is the result of the chunk."""
    if not callable(function):
        raise TypeError(f"@eisenmp.worker decorates a function of (toolbox, rows), not {function!r}")
    return ChunkWorker(function)
