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
        try:
            return _debugger().runcall(function, *arguments)
        except BdbQuit:
            raise
        except Exception as error:
            print(f"{type(error).__name__}: {error}")
            debugger = _debugger()
            debugger.reset()
            debugger.interaction(None, error.__traceback__)
            raise

    return run


def _debugger() -> Pdb:
    return Pdb(skip=OURS, nosigint=True)
