"""What the examples with servers share: groups on the cores there are, requests, and how long they stay."""

from __future__ import annotations

import json
import sys
from argparse import ArgumentParser
from importlib.util import find_spec
from typing import Any
from urllib.request import ProxyHandler, build_opener

import eisenmp
from eisenmp.engine.cpus import usable_cores

from .command import Refused

TIMEOUT = 30.0  #: seconds for an answer
_opener = build_opener(ProxyHandler({}))  # loopback, whatever the environment says of proxies

__all__ = ["add_stay", "ask", "check_installed", "ready", "stay", "usable_cores"]


def check_installed(**packages: str) -> None:
    """Raise Refused, in one line, for modules that are missing; `packages`: what pip calls each."""
    missing = [package for module, package in packages.items() if find_spec(module) is None]
    if missing:
        are = "is" if len(missing) == 1 else "are"
        raise Refused(f"{' and '.join(missing)} {are} not installed: pip install {' '.join(missing)}")


def ready(emp: eisenmp.Mp) -> list[tuple[str, str]]:
    """Wait until all serve; prints and returns each server: ('blue/0', '127.0.0.1:13000')."""
    emp.ready(timeout=60)
    slots = emp.map()
    for slot in slots:
        cores = ", ".join(map(str, slot.cores)) or "all"
        for place in slot.listens:
            print(f"{slot.name}  http://{place}/  process {slot.pid}  core {cores}", flush=True)
    return [(slot.name, place) for slot in slots for place in slot.listens]


def ask(place: str, path: str = "/") -> Any:
    """The answer to one GET, from JSON."""
    with _opener.open(f"http://{place}{path}", timeout=TIMEOUT) as answer:
        return json.load(answer)


def add_stay(parser: ArgumentParser) -> None:
    """The option --stay."""
    parser.add_argument(
        "--stay",
        action="store_true",
        default=sys.stdin.isatty() and sys.stdout.isatty(),
        help="serve until Ctrl-C (default on a terminal; else the servers are asked, and stop)",
    )


def stay(emp: eisenmp.Mp, wanted: bool) -> None:
    """Serve until Ctrl-C, where that is wanted."""
    if wanted:
        print("serving; Ctrl-C ends it", flush=True)
        emp.join()
