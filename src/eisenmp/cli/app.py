"""The commands put together, and what holds for all of them: errors in one line, exit codes."""

from __future__ import annotations

import io
import os
import sys

from cyclopts import App, CycloptsError

from .. import __version__
from . import invocation
from .exitcodes import FAILED, USAGE, table
from .failure import report, reportable, say

COMMANDS = ("run", "resume", "replay", "dlq", "cpus", "doctor", "sim", "examples")
OPTIONS = {"examples": {"usage": "Usage: eisenmp examples [NAME [ARGUMENTS…]] [--json]"}}


def all_commands(called: str = "") -> App:
    """The commands with their help; where one is `called`, the others are not imported."""
    app = App(
        name="eisenmp",
        version=__version__,
        help="Any Python generator on every CPU core: ticketed chunks, complete results.",
        help_epilogue=table(),
        help_format="markdown",
        version_format="plaintext",
    )
    for command in COMMANDS:
        app.command(f"eisenmp.cli.{command}:{command}", **OPTIONS.get(command, {}))
    if called not in COMMANDS:
        for command in COMMANDS:
            app[command]  # what the list of commands says of each stands in its module
    return app


def run_command_line(arguments: list[str]) -> int:
    """Run one command; returns the exit code."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        # A console that cannot show a character shows its number instead of ending the command.
        sys.stdout.reconfigure(errors="backslashreplace")
    invocation.begin(arguments)
    try:
        if arguments[:1] == ["examples"] and len(arguments) > 1 and not arguments[1].startswith("-"):
            # All that follows is the example's own, also --help.
            from .examples import run_example

            return run_example(arguments[1], arguments[2:])
        code = all_commands(arguments[0] if arguments else "")(
            _joined(arguments), exit_on_error=False, print_error=False, result_action="return_value"
        )
        if sys.stdout is not None:
            sys.stdout.flush()
        return code if isinstance(code, int) else 0
    except CycloptsError as error:
        say(f"{error}; see eisenmp --help")
        return USAGE
    except BrokenPipeError:
        return FAILED  # a list whose reader has seen enough
    except Exception as error:
        if not reportable(error):
            raise
        return report(error)
    finally:
        _let_go_of_closed_stdout()


def _joined(arguments: list[str]) -> list[str]:
    """`--lines -` as `--lines=-`: a lone hyphen would be taken for an option without a name."""
    joined: list[str] = []
    for argument in arguments:
        if argument == "-" and joined and joined[-1].startswith("-") and "=" not in joined[-1]:
            joined[-1] += "=-"
        else:
            joined.append(argument)
    return joined


def _let_go_of_closed_stdout() -> None:
    """When the reader of stdout is gone, what is left in the buffer must not fail once more at exit."""
    if sys.stdout is None:
        return
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)
    except ValueError:
        return
