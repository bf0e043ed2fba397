"""Why a worker module could not be loaded, with file and line; a worker imports this only when it happens."""

from __future__ import annotations

import os

from ..errors import LoadError
from . import loader, unguarded

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import TracebackType


def load_error(
    message: str, *, path: str = "", line: int | None = None, traceback_text: str = ""
) -> LoadError:
    """A LoadError that also carries `path`, `line` and `traceback_text`, the whole traceback as a text."""
    error = LoadError(message, path=path or None)
    vars(error).update(line=line, traceback_text=traceback_text)
    return error


def import_failure(source: loader.Source, error: BaseException) -> LoadError:
    """What the code of a module raised while it was imported, with the line of the user that led to it."""
    import traceback
    from importlib import import_module

    machinery = (loader.__file__, unguarded.__file__, import_module.__code__.co_filename, "<frozen importlib")
    trace = error.__traceback__
    while trace is not None and _file(trace).startswith(machinery):
        trace = trace.tb_next
    path, line, text = source.path, None, str(error)
    if isinstance(error, SyntaxError) and error.filename:
        path, line, text = error.filename, error.lineno, error.msg
    elif step := _user_step(trace, source.path):
        path, line = _file(step), step.tb_lineno
    if isinstance(error, SystemExit):
        text = f"{text}; the module ends the interpreter while it is imported"
    where = f"{path}:{line}" if line else path or source.module or source.name
    return load_error(
        f"{where}: {type(error).__name__}: {text}",
        path=path,
        line=line,
        traceback_text="".join(traceback.format_exception(type(error), error, trace)),
    )


def missing_name(source: loader.Source, owner: object, part: str) -> LoadError:
    """The module is there and has nothing of that name; tells the nearest one."""
    from difflib import get_close_matches

    names = [name for name in dir(owner) if callable(getattr(owner, name, None)) and name[:2] != "__"]
    near = get_close_matches(part, names, 1)
    asked = f" (asked for '{source.name}')" if "." in source.name else ""
    hint = f"; did you mean '{near[0]}'?" if near else ""
    if line := getattr(owner, unguarded.MARK, None):
        hint = f" before line {line}, where it starts a manager: workers import it up to there{hint}"
    place = source.path or source.module
    return load_error(f"{place}: there is no '{part}' in it{asked}{hint}", path=source.path)


def _file(trace: TracebackType) -> str:
    return trace.tb_frame.f_code.co_filename


def _user_step(trace: TracebackType | None, path: str) -> TracebackType | None:
    """The innermost step in code of the user, not of a library; else in the worker's own file."""
    ours = os.path.dirname(os.path.dirname(__file__))
    library = (ours + os.sep, os.path.dirname(os.__file__) + os.sep, "<frozen ")
    found = own = None
    while trace is not None:
        file = _file(trace)
        if file == path:
            own = trace
        if not (file.startswith(library) or "site-packages" in file or "dist-packages" in file):
            found = trace
        trace = trace.tb_next
    return found or own
