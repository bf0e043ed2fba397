"""Runs an example as a user does, in a process of its own."""

from __future__ import annotations

import subprocess
import sys
from typing import NamedTuple


class Run(NamedTuple):
    """How it ended and what it printed."""

    code: int
    out: str
    err: str

    def line(self, start: str) -> str:
        """The rest of the one line that starts so."""
        found = [line.removeprefix(start) for line in self.out.splitlines() if line.startswith(start)]
        assert len(found) == 1, (start, self)
        return found[0].strip()


def run(name: str, *arguments: object) -> Run:
    """`python -m eisenmp.examples.NAME …`."""
    command = [sys.executable, "-m", f"eisenmp.examples.{name}", *map(str, arguments)]
    return run_command(command)


def run_command(command: list[str]) -> Run:
    """Any command."""
    done = subprocess.run(command, capture_output=True, encoding="utf-8", timeout=100, check=False)
    return Run(done.returncode, done.stdout, done.stderr)
