"""Runs the programs of this folder as a user would: as scripts, from standard input, on a terminal's Ctrl-C."""

from __future__ import annotations

import ast
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from tests import leaks
from tests.faults.program import is_guardian

PROGRAMS = Path(__file__).with_name("programs")


class Finished(NamedTuple):
    """What a program has printed, and its exit code."""

    out: str
    err: str
    code: int

    @property
    def returned(self) -> Any:
        """What main() returned, of the line that begins with RETURNED."""
        line = next(line for line in self.out.splitlines() if line.startswith("RETURNED "))
        return ast.literal_eval(line.removeprefix("RETURNED "))


def run(program: Path | str, *arguments: object, from_stdin: bool = False) -> Finished:
    """Run a program of this folder, or any file, to its end."""
    with start(program, *arguments, from_stdin=from_stdin) as process:
        out, err = process.communicate()
    return Finished(out, err, process.returncode)


@contextmanager
def start(
    program: Path | str, *arguments: object, from_stdin: bool = False
) -> Iterator[subprocess.Popen[str]]:
    """A running program, a group and session of its own; killed with all its processes if it still runs."""
    path = PROGRAMS / program
    command = [sys.executable, "-W", "error", "-" if from_stdin else str(path), *map(str, arguments)]
    with ExitStack() as stack:
        stdin = stack.enter_context(path.open()) if from_stdin else subprocess.DEVNULL
        process = stack.enter_context(
            subprocess.Popen(
                command,
                stdin=stdin,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
                cwd=path.parent,
                env={**os.environ, "PYTHONUNBUFFERED": "1"},
                start_new_session=True,
            )
        )
        try:
            yield process
        finally:
            if process.poll() is None:
                process.kill()


def lines_until(process: subprocess.Popen[str], wanted: str, count: int = 1) -> list[str]:
    """Read what the program prints up to the `count`-th line that has `wanted` in it."""
    assert process.stdout is not None
    lines = []
    for line in process.stdout:
        lines.append(line.rstrip("\n"))
        count -= wanted in line
        if count == 0:
            return lines
    err = process.stderr.read() if process.stderr is not None else ""
    raise AssertionError(f"{wanted!r} was not printed; printed was:\n{chr(10).join(lines)}\n{err}")


def descendants(process: subprocess.Popen[str]) -> list[int]:
    """The pids of all processes that the program has started, and they in turn; without its guardian."""
    found: list[int] = []
    todo = [process.pid]
    while todo:
        children = leaks._children(todo.pop())
        found += [pid for pid in children if not is_guardian(pid)]
        todo += children
    return found


@contextmanager
def free_ports(count: int) -> Iterator[list[int]]:
    """Ports that are kept free for a program which listens with SO_REUSEPORT."""
    with ExitStack() as stack:
        ports = []
        for _ in range(count):
            kept = stack.enter_context(socket.socket())
            kept.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            kept.bind(("127.0.0.1", 0))
            ports.append(kept.getsockname()[1])
        yield ports


def page(port: int, path: str = "/") -> str:
    """The body of a page of a server on this machine."""
    with socket.create_connection(("127.0.0.1", port)) as connected:
        connected.sendall(f"GET {path} HTTP/1.0\r\n\r\n".encode())
        parts = []
        while part := connected.recv(4096):
            parts.append(part)
    return b"".join(parts).decode().partition("\r\n\r\n")[2]
