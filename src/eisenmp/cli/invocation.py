"""How the running command was called, for a ledger that has to call it again."""

from __future__ import annotations

import os

from ..core.record import NamedTuple
from ..core.settings import PREFIX

OWN = ("--ledger", "--resume", "--no-resume")  #: options that a call again gives itself


class Invocation(NamedTuple):
    """The arguments behind `eisenmp`, the working directory, and the settings in the environment."""

    arguments: tuple[str, ...]
    folder: str
    environment: dict[str, str]


_running: list[tuple[str, ...]] = [()]


def begin(arguments: list[str]) -> None:
    """A command begins to run."""
    _running[0] = tuple(arguments)


def invocation() -> Invocation:
    """The call of the running command."""
    environment = {name: value for name, value in os.environ.items() if name.startswith(PREFIX)}
    return Invocation(_running[0], os.getcwd(), environment)


def again(call: Invocation, ledger: str) -> list[str]:
    """The arguments that go on with the same call, from `ledger`."""
    kept: list[str] = []
    arguments = iter(call.arguments)
    for argument in arguments:
        name, given, _ = argument.partition("=")
        if name not in OWN:
            kept.append(argument)
        elif name == "--ledger" and not given:
            next(arguments, None)
    return [*kept, "--ledger", ledger, "--resume"]
