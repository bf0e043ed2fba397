"""The toolbox of the server that runs in this process, for applications that are given none."""

from __future__ import annotations

from ..errors import EisenmpError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .toolbox import ToolBox

_here: list[ToolBox] = []


def current_toolbox() -> ToolBox:
    """The toolbox of the server in this process, with its queues, tools and variables; from any thread.

    For the requests of an application, which is given none. Raises EisenmpError where no server of a port
    group runs.
    """
    if not _here:
        raise EisenmpError("no server of a port group runs in this process")
    return _here[0]


def set_toolbox(toolbox: ToolBox) -> None:
    """The server is about to run."""
    _here[:] = [toolbox]
