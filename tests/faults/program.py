"""A program of a user's, in a session of its own: what it prints, how it ends, and a gate that workers wait at."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from textwrap import dedent
from typing import Any

from eisenmp.testing import eventually
from tests import leaks

WORKERS = """
    import fcntl, os, subprocess, sys, threading
    import eisenmp

    def say(*words):
        '''A line in one piece, whatever else is printed at the same time.'''
        sys.stdout.write(" ".join(map(str, words)) + "\\n")

    def pass_gate(name="gate"):
        with open(name) as gate:
            fcntl.flock(gate, fcntl.LOCK_SH)

    @eisenmp.worker
    def held(toolbox, rows):
        '''Runs until the gate opens.'''
        say("running", rows[0], os.getpid())
        pass_gate()
        return rows[0]

    @eisenmp.worker
    def same(toolbox, rows):
        return rows[0]

    def held_row(row):
        say("running", row, os.getpid())
        pass_gate()
        return row

    def by_itself(toolbox):
        '''Takes all it gets in one cycle, and gives one output for each.'''
        while (chunk := toolbox.next_chunk()) is not None:
            say("running", chunk.rows[0], os.getpid())
            pass_gate()
            toolbox.send(chunk.rows[0], chunk.ticket)
        return False
"""


def _before_locks() -> set[int]:
    """Who waits for a lock on a file."""
    with open("/proc/locks", encoding="ascii") as locks:
        return {int(line.split()[5]) for line in locks if line.split()[1] == "->"}


class Program:
    """A running program; with a terminal, that is its stdin, stdout and stderr."""

    def __init__(
        self, folder: Path, command: list[str], *, terminal: bool = False, stderr: int = subprocess.STDOUT
    ) -> None:
        self.folder = folder
        self._gates: dict[str, int] = {}
        self.close_gate("gate")
        self._master = self._slave = -1
        if terminal:
            self._master, self._slave = pty.openpty()
        self._seen = b""
        self.lines: list[str] = []
        self.process = subprocess.Popen(
            command,
            stdin=self._slave if terminal else subprocess.PIPE,
            stdout=self._slave if terminal else subprocess.PIPE,
            stderr=self._slave if terminal else stderr,
            cwd=folder,
            bufsize=0,
            env={**os.environ, "PYTHONUNBUFFERED": "1", "TERM": "dumb"},
            start_new_session=True,
            # a session of its own, whose terminal this becomes
            preexec_fn=(lambda: os.close(os.open(os.ttyname(0), os.O_RDWR))) if terminal else None,
        )
        if terminal:
            os.close(self._slave)

    @property
    def pid(self) -> int:
        return self.process.pid

    def close_gate(self, name: str) -> None:
        """Who comes to this gate waits from now on."""
        descriptor = self._gates[name] = os.open(self.folder / name, os.O_CREAT | os.O_RDWR)
        fcntl.flock(descriptor, fcntl.LOCK_EX)

    def open_gate(self, name: str = "gate") -> None:
        os.close(self._gates.pop(name))

    def until_at_gate(self) -> None:
        """Wait until the program itself stands before a gate.

        A signal that comes between the last look of its interpreter and the system call is not seen before
        that returns, which is a matter of the interpreter.
        """
        eventually(lambda: self.pid in _before_locks())

    def send(self, number: int) -> None:
        os.kill(self.pid, number)

    def type(self, text: str) -> None:
        if self._master >= 0:
            os.write(self._master, text.encode())
        else:
            assert self.process.stdin is not None
            self.process.stdin.write(text.encode())

    def line(self) -> str | None:
        """The next line that it prints; None at the end."""
        while b"\n" not in self._seen:
            try:
                data = os.read(self._master if self._master >= 0 else self._stdout, 1 << 16)
            except OSError:  # so a terminal says that nobody writes any more
                data = b""
            if not data:
                return None
            self._seen += data
        line, _, self._seen = self._seen.partition(b"\n")
        self.lines.append(line.decode().rstrip("\r"))
        return self.lines[-1]

    @property
    def _stdout(self) -> int:
        assert self.process.stdout is not None
        return self.process.stdout.fileno()

    def until(self, wanted: str, count: int = 1) -> list[str]:
        """The lines up to the `count`-th one with `wanted` in it: those that have it."""
        found: list[str] = []
        while len(found) < count:
            line = self.line()
            assert line is not None, f"{wanted!r} was not printed; printed was:\n{self.text}"
            if wanted in line:
                found.append(line)
        return found

    def end(self) -> int:
        """Read all that it prints, and wait; its exit code."""
        while self.line() is not None:
            pass
        if self._seen:
            self.lines.append(self._seen.decode())
            self._seen = b""
        return self.process.wait()

    @property
    def text(self) -> str:
        return "\n".join(self.lines)

    def values(self, word: str) -> list[int]:
        """The numbers behind the word, in all lines so far."""
        found = (re.search(rf"\b{word} (\d+)", line) for line in self.lines)
        return [int(match[1]) for match in found if match]

    def close(self) -> None:
        for name in list(self._gates):
            self.open_gate(name)
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        for stream in (self.process.stdin, self.process.stdout):
            if stream is not None:
                stream.close()
        if self._master >= 0:
            os.close(self._master)


@contextmanager
def program(folder: Path, text: str, *, terminal: bool = False, workers: str = "") -> Iterator[Program]:
    """The text as a script beside workers.py, started; killed at the end if it still runs."""
    (folder / "program.py").write_text(dedent(text))
    with command(folder, [sys.executable, "program.py"], terminal=terminal, workers=workers) as started:
        yield started


@contextmanager
def command(folder: Path, arguments: list[str], *, workers: str = "", **options: Any) -> Iterator[Program]:
    """Any command beside workers.py."""
    (folder / "workers.py").write_text(dedent(WORKERS) + dedent(workers))
    started = Program(folder, arguments, **options)
    try:
        yield started
    finally:
        started.close()


def descendants(pid: int) -> list[int]:
    """All processes below that one."""
    found: list[int] = []
    todo = [pid]
    while todo:
        children = leaks._children(todo.pop())
        found += children
        todo += children
    return found


def workers(pid: int) -> list[int]:
    """All processes below that one but the guardian, which ends what they leave."""
    return [found for found in descendants(pid) if not is_guardian(found)]


def is_guardian(pid: int) -> bool:
    return b"eisenmp:guardian" in Path(f"/proc/{pid}/cmdline").read_bytes()
