"""The file of a program that is also the file of its worker, without `if __name__ == "__main__"`.

A worker that imports it would start the program's manager again, which would start workers, and so on.
Instead the module ends, for workers, where it starts a manager; what stands before that is there.
"""

from __future__ import annotations

from _thread import get_ident

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from importlib.machinery import ModuleSpec
    from types import ModuleType
    from typing import TypeVar

    Given = TypeVar("Given")

MARK = "__eisenmp_line__"  #: of a module: the line where it starts a manager
_importing: set[int] = set()  # threads that import a module for a worker


class ManagerStarted(BaseException):
    """Not an Exception, since the code between may catch those."""

    def __str__(self) -> str:
        return "it starts a manager while a worker imports it; that belongs under if __name__ == '__main__'"


def imported(load: Callable[[Given], ModuleType], source: Given) -> ModuleType:
    """What `load(source)` returns; managers are not started meanwhile."""
    ident = get_ident()
    _importing.add(ident)
    try:
        return load(source)
    finally:
        _importing.discard(ident)


def check_start() -> None:
    """Raise ManagerStarted when this thread is importing a module for a worker."""
    if get_ident() in _importing:
        raise ManagerStarted


def up_to_manager(spec: ModuleSpec) -> ModuleSpec:
    """The same module, but one that starts a manager ends there instead of failing."""
    loader = spec.loader
    assert loader is not None
    execute = loader.exec_module

    def exec_module(module: ModuleType) -> None:
        try:
            execute(module)
        except ManagerStarted as ending:
            trace = ending.__traceback__
            while trace is not None:
                if trace.tb_frame.f_globals is vars(module):
                    vars(module)[MARK] = trace.tb_lineno
                    break
                trace = trace.tb_next

    vars(loader)["exec_module"] = exec_module
    return spec
