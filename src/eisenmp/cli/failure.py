"""How a failure reaches the user: one line on stderr that names the place, and the exit code."""

from __future__ import annotations

import os
import sys
import warnings
from contextlib import contextmanager

from ..errors import EisenmpError, FeedError, LoadError, RemoteTraceback, SettingsError
from .exitcodes import FAILED, USAGE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator


OWN = os.path.dirname(os.path.dirname(__file__)) + os.sep


class Refusal(Exception):
    """Something that was given cannot be used; the text names file and line where there is one."""

    def __init__(self, message: str, code: int = USAGE) -> None:
        super().__init__(message)
        self.code = code


def file_refusal(name: str, error: OSError, code: int = USAGE) -> Refusal:
    """The Refusal for what the operating system says about a file."""
    return Refusal(f"{name}: {error.strerror or error}", code)


def say(message: object) -> None:
    """One line on stderr, whatever the text."""
    lines = str(message).strip().splitlines() or [""]
    text = "".join(letter if letter.isprintable() else " " for letter in lines[0].rstrip())
    show(f"eisenmp: {text}\n")


def report(error: Exception, *, verbose: bool = False) -> int:
    """Say what went wrong and return the exit code; `verbose` shows the traceback of the worker too."""
    own = error.__cause__ if isinstance(error, FeedError) else None
    if isinstance(own, Refusal):
        error = own
    say(first_line(error))
    if verbose:
        show(remote_text(error))
    if isinstance(error, Refusal):
        return error.code
    return USAGE if isinstance(error, SettingsError | LoadError) else FAILED


@contextmanager
def warnings_in_one_line() -> Iterator[None]:
    """Warnings of ours are said like everything else, without a line of our source."""
    shown = warnings.formatwarning

    def one_line(
        message: Warning | str, category: type[Warning], filename: str, lineno: int, line: str | None = None
    ) -> str:
        if not filename.startswith(OWN):
            return shown(message, category, filename, lineno, line)
        return f"eisenmp: {message}\n"

    warnings.formatwarning = one_line
    try:
        yield
    finally:
        warnings.formatwarning = shown


def first_line(error: BaseException) -> str:
    """The first line of the message, with the ticket if one is to blame and only a later line names it."""
    lines = str(error).strip().splitlines() or [type(error).__name__]
    ticket = getattr(error, "ticket", None)
    if len(lines) > 1 and ticket is not None and f"ticket {ticket.number}" not in lines[0]:
        return f"ticket {ticket.number} of queue {ticket.queue!r}: {lines[0]}"
    return lines[0]


def reportable(error: BaseException) -> bool:
    """Whether the error is the user's to see in one line; all others are defects of ours."""
    return isinstance(error, EisenmpError | Refusal | OSError)


def remote_text(error: BaseException) -> str:
    """The traceback of where it happened, in a worker or in the user's generator; empty if there is none."""
    import traceback

    for cause in _causes(error):
        if isinstance(cause, RemoteTraceback):
            return f"{str(cause).strip()}\n"
        if text := vars(cause).get("traceback_text"):
            return f"{str(text).strip()}\n"
    rest = str(error).strip().splitlines()[1:]
    shown = "".join(f"{line}\n" for line in rest)
    if isinstance(error, FeedError) and error.__cause__ is not None:
        trace = error.__cause__.__traceback__
        while trace is not None and trace.tb_frame.f_code.co_filename.startswith(OWN):
            trace = trace.tb_next  # from where the user's code begins
        shown += "".join(traceback.format_exception(type(error.__cause__), error.__cause__, trace))
    return shown


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    seen: list[BaseException] = []
    while error is not None and error not in seen:
        seen.append(error)
        yield error
        error = error.__cause__


def show(text: str) -> None:
    if sys.stderr is None:
        return
    try:
        sys.stderr.write(text)
        sys.stderr.flush()
    except (OSError, ValueError):
        return  # nobody can be told; the exit code says it
