"""What the exit code of a command says. This is the one place."""

from __future__ import annotations

DONE = 0
FAILED = 1
USAGE = 2
GAVE_UP = 3
INTERRUPTED = 130

MEANING = {
    DONE: "all tickets are done",
    FAILED: "some are not: the worker or the source failed, or the input or the output broke off",
    USAGE: "an option, the worker module or a file cannot be used, or there are no rows",
    GAVE_UP: "a server slot gave up",
    INTERRUPTED: "interrupted by Ctrl-C, SIGTERM or SIGHUP",
}


def table() -> str:
    """The codes and their meaning, in markdown."""
    return "Exit codes:\n\n" + "\n".join(f"* {code}: {meaning}" for code, meaning in MEANING.items())
