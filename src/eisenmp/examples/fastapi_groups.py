"""FastAPI on two port groups, blue on the first core and yellow on the last, three servers each.

Every slot has a port, a process and a core of its own. A group is replaced as a whole, and the other one
does not notice: blue goes to a new version, yellow stays.
"""

from __future__ import annotations

import sys
from argparse import Namespace
from os import path
from typing import Any

import eisenmp

from . import command
from .visit import add_stay, ask, check_installed, ready, stay, usable_cores

dir_name = path.dirname(__file__)


class ModuleConfiguration:
    """What the manager function needs to know: which cores each group has."""

    worker = path.join(dir_name, "fastapi_groups_worker.py:app")

    def __init__(self) -> None:
        cores = usable_cores()
        self.groups = {"blue": cores[:1], "yellow": cores[-1:]}
        self.servers = 3  # of each group
        self.stay = False


modConf = ModuleConfiguration()

Doors = dict[str, dict[str, Any]]


def manager_entry() -> tuple[Doors, Doors]:
    """Serve, and reload blue; returns each slot's answer before and after: {'blue/0': {port, pid, cores}}."""
    groups = [
        eisenmp.PortGroup(name, ports=[0] * modConf.servers, cores=cores)
        for name, cores in modConf.groups.items()
    ]
    with eisenmp.Mp(eisenmp.Site(modConf.worker), port_groups=groups, lame_duck=0) as emp:
        servers = ready(emp)
        before = {slot: ask(place) for slot, place in servers}
        emp.reload("blue", timeout=60)
        after = {slot: ask(place) for slot, place in servers}
        show(before, after)
        stay(emp, modConf.stay)
    return before, after


def show(before: Doors, after: Doors) -> None:
    """Print for each slot who answers, and whether that is who answered before the reload."""
    print("after a reload of blue:")
    for slot, door in after.items():
        who = "the same process" if door["pid"] == before[slot]["pid"] else "a new process"
        print(f"  {slot} port {door['port']}: {who}, cores {door['cores']}")
    new = [slot for slot in after if after[slot]["pid"] != before[slot]["pid"]]
    print(f"{len(after)} servers, {len(new)} replaced", flush=True)


def example(options: Namespace) -> int:
    """Run it with parsed options; returns the exit code."""
    check_installed(fastapi="fastapi", uvicorn="uvicorn")
    modConf.servers, modConf.stay = options.servers, options.stay
    before, after = manager_entry()
    kept = all((after[slot]["pid"] == before[slot]["pid"]) != slot.startswith("blue/") for slot in after)
    return command.DONE if kept else command.FAILED


def main(arguments: list[str]) -> int:
    """Entry of `eisenmp examples fastapi_groups`."""
    parser = command.parser("fastapi_groups", __doc__)
    parser.add_argument("--servers", type=command.whole, default=modConf.servers, help="of each group (3)")
    add_stay(parser)
    return command.run(parser, arguments, example)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
