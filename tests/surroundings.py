"""What a test finds around it and has to leave so: directory, environment, sys.path, signal handlers.

`before = look()`, then the test, then `changed(before)`: a line for each thing that is not as it was.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from eisenmp.child import loader


class Surroundings(NamedTuple):
    """What belongs to the whole process at one moment."""

    directory: str
    environment: dict[str, str]
    path: tuple[str, ...]
    handlers: dict[signal.Signals, Any]


def look() -> Surroundings:
    """How it is now; takes a tenth of a millisecond."""
    return Surroundings(
        os.getcwd(),
        # pytest writes there which test is running
        {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")},
        tuple(sys.path),
        {number: signal.getsignal(number) for number in signal.Signals},
    )


def changed(before: Surroundings) -> tuple[str, ...]:
    """What is not as it was; empty when all is."""
    now = look()
    return tuple(_changed(before, now)) if now != before else ()


def put_back(before: Surroundings) -> None:
    """Make it as it was, so that the next test starts clean."""
    os.chdir(before.directory)
    now = look()
    for name in now.environment.keys() - before.environment.keys():
        del os.environ[name]
    os.environ.update(before.environment)
    sys.path[:] = before.path
    for number, handler in before.handlers.items():
        # None is a handler of some C library, which was there before and cannot be set from here
        if handler is not None and now.handlers[number] != handler:
            signal.signal(number, handler)


class Imports(NamedTuple):
    """Which modules there are, and for which of them the loader of workers has said where they are."""

    modules: frozenset[str]
    found: frozenset[str]


def imports() -> Imports:
    """How it is now."""
    return Imports(frozenset(sys.modules), frozenset(loader._finder.specs))


def forget_worker_files(before: Imports) -> None:
    """Have what workers inside this process imported later found anew: another file may have its name."""
    specs = loader._finder.specs
    files = {spec.origin for spec in specs.values()}
    for name in sys.modules.keys() - before.modules:
        file = getattr(sys.modules[name], "__file__", None) or ""
        # a spec may be gone that a module of another folder has replaced for a while
        if file in files or os.path.dirname(file) in loader._homes:
            del sys.modules[name]
    for name in specs.keys() - before.found:
        del specs[name]


def _changed(before: Surroundings, now: Surroundings) -> Iterator[str]:
    if before.directory != now.directory:
        yield f"working directory: {now.directory}, was {before.directory}"
    yield from _entries("environment", before.environment, now.environment)
    if before.path != now.path:
        new = [entry for entry in now.path if entry not in before.path]
        gone = [entry for entry in before.path if entry not in now.path]
        yield f"sys.path: new are {new}, gone are {gone}"
    yield from _entries("signal handler", before.handlers, now.handlers)


def _entries(what: str, before: Mapping[Any, Any], now: Mapping[Any, Any]) -> Iterator[str]:
    for key in sorted(before.keys() | now.keys()):
        if before.get(key) != now.get(key):
            name = key.name if isinstance(key, signal.Signals) else key
            yield f"{what}: {name} is {now.get(key)!r}, was {before.get(key)!r}"
