"""The benchmarks by name.

Each is a module with a docstring of one line and `run(scale)`, which yields Figures. A new one is a
new module and a name here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from importlib import import_module
from typing import NamedTuple

from benchmarks.figure import Figure
from benchmarks.scale import Scale

NAMES = (
    "ints",
    "tiny",
    "strings",
    "arrays_in",
    "arrays_out",
    "start",
    "forks",
    "efficiency",
    "ahead",
    "memory",
    "idle",
    "recovery",
    "tickets",
    "crowd",
    "books",
    "ledger",
    "orphans",
    "servers",
    "bruteforce",
    "broadcast",
    "table",
    "salad",
    "flights",
)


class Benchmark(NamedTuple):
    """What is measured in one line, and how."""

    name: str
    about: str
    run: Callable[[Scale], Iterator[Figure]]


def benchmark(name: str) -> Benchmark:
    """The one of that name."""
    module = import_module(f"benchmarks.{name}")
    return Benchmark(name, (module.__doc__ or "").partition("\n")[0], module.run)
