"""The command line, one file per command family."""

from __future__ import annotations

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command line (by default `sys.argv[1:]`); returns its exit code, see `exitcodes`."""
    from .exitcodes import INTERRUPTED, USAGE

    try:
        try:
            from .app import run_command_line
        except ModuleNotFoundError as error:
            missing = (error.name or "").partition(".")[0]
            if missing not in ("attrs", "cyclopts", "docstring_parser", "rich", "rich_rst"):
                raise
            print(
                f"eisenmp: the command line needs the library {missing}: pip install cyclopts",
                file=sys.stderr,
            )
            return USAGE
        return run_command_line(list(sys.argv[1:] if arguments is None else arguments))
    except KeyboardInterrupt:
        return INTERRUPTED
