"""What the command lines of the examples share: the exit codes, and errors of one line."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable

import eisenmp

DONE = 0
FAILED = 1
USAGE = 2
INTERRUPTED = 130


class Refused(Exception):
    """What was given cannot be used; the text is one line and names file and line where there is one."""


def parser(name: str, description: str | None) -> argparse.ArgumentParser:
    """A parser for `eisenmp examples NAME`; the description is the docstring of the example."""
    return argparse.ArgumentParser(
        prog=f"eisenmp examples {name}",
        description=description,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )


def run(
    parser: argparse.ArgumentParser, arguments: list[str], example: Callable[[argparse.Namespace], int]
) -> int:
    """Parse, run the example, and return the exit code: also for --help, bad usage, errors and Ctrl-C."""
    try:
        return example(parser.parse_args(arguments))
    except SystemExit as leaving:
        return leaving.code if isinstance(leaving.code, int) else USAGE
    except (Refused, eisenmp.SettingsError) as error:
        reason, code = str(error), USAGE
    except eisenmp.EisenmpError as error:
        reason, code = str(error), FAILED
        if isinstance(error.__cause__, Refused):
            # the source of the rows raised: that is what whoever gave the file wants to read
            reason, code = str(error.__cause__), USAGE
    except KeyboardInterrupt:
        return INTERRUPTED
    print(f"{parser.prog}: {reason}", file=sys.stderr)
    return code


def whole(text: str) -> int:
    """An argument that is a number of at least 1."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"a whole number of at least 1 is expected, not {text!r}")
    return int(text)


def package_folder(package: str) -> str:
    """Where an installed package keeps its files; it is not imported. Raises Refused when it is missing."""
    from importlib.util import find_spec

    found = find_spec(package)
    folders = None if found is None else found.submodule_search_locations
    if not folders:
        name = package.replace("_", "-")
        raise Refused(f"the package {name} is not installed: pip install 'eisenmp[examples]'")
    return next(iter(folders))
