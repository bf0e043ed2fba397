"""A worker in this process under pdb: it stops at the first line of the worker, and where that raises."""

from __future__ import annotations

from bdb import BdbQuit
from copy import copy
from functools import wraps
from pdb import Pdb

from ..child.contracts import ChunkWorker
from ..child.host import Host
from ..testing import InlineEngine

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from ..child.toolbox import ToolBox

OURS = ("eisenmp.*",)  #: modules that steps do not stop in


class Debugger(Pdb):
    """pdb that knows whether it was left by its user."""

    def __init__(self) -> None:
        super().__init__(skip=OURS, nosigint=True)
        self.left = False

    def set_quit(self) -> None:
        self.left = True
        super().set_quit()


class DebuggingHost(Host):
    """Calls the worker under pdb."""

    def _start(self) -> tuple[ToolBox, Callable[[ToolBox], Any]]:
        toolbox, cycle = super()._start()
        worker = getattr(cycle, "__self__", None)
        if not isinstance(worker, ChunkWorker):
            return toolbox, stepped(cycle)
        worker = copy(worker)  # the module keeps its own
        worker.__wrapped__ = stepped(worker.__wrapped__)
        return toolbox, worker.cycle


class DebuggingEngine(InlineEngine):
    """Runs workers in threads of this process, under pdb."""

    host = DebuggingHost


def stepped(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function under pdb."""

    @wraps(function)
    def run(*arguments: Any) -> Any:
        debugger = Debugger()
        try:
            value = debugger.runcall(function, *arguments)
        except Exception as error:
            print(f"{type(error).__name__}: {error}")
            debugger = Debugger()
            debugger.reset()
            debugger.interaction(None, error.__traceback__)
            raise
        if debugger.left:
            raise BdbQuit  # runcall() makes a None of it, which would pass for a result
        return value

    return run
