"""The one contract of a worker, `fn(toolbox) -> bool`, and the thin wrapper around a chunk worker."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from .toolbox import ToolBox

CHUNK = "chunk"
ROW = "row"


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
        chunk = type(toolbox).next_chunk(toolbox)
        if chunk is None:
            return False
        value = self.__wrapped__(toolbox, chunk.rows)
        if value is not None:
            type(toolbox).send(toolbox, value)
        return True

    def __repr__(self) -> str:
        return f"<eisenmp.worker {self.__module__}.{self.__qualname__}>"


class RowWorker(ChunkWorker):
    """What `imap` makes of a function of one row: a chunk worker that returns the list of values."""

    contract = CHUNK
    arguments = ("row",)

    def cycle(self, toolbox: ToolBox) -> bool:
        """Take one chunk, call the function for each row, send the values."""
        chunk = type(toolbox).next_chunk(toolbox)
        if chunk is None:
            return False
        type(toolbox).send(toolbox, list(map(self.__wrapped__, chunk.rows)))
        return True


def worker(function: Callable[[Any, Any], Any]) -> ChunkWorker:
    """Make a chunk worker of a function of (toolbox, rows): what it returns is the result of the chunk."""
    if not callable(function):
        raise TypeError(f"@eisenmp.worker decorates a function of (toolbox, rows), not {function!r}")
    return ChunkWorker(function)
