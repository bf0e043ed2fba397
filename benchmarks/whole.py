"""Whole processes: started from nothing, timed to their first line and to their end."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryFile
from threading import Timer
from time import perf_counter
from typing import NamedTuple

from benchmarks.side import Wrong

ROOT = Path(__file__).resolve().parent.parent
PROGRAMS = Path(__file__).resolve().parent / "programs"
LIMIT = 300.0  #: seconds after which a program is ended


class Late(Wrong):
    """A program was ended because it took longer than it may."""


class Finished(NamedTuple):
    """What a program printed, and the seconds from its start to its first line and to its end."""

    pid: int
    lines: list[str]
    first: float
    end: float


def run(command: Sequence[str | Path], *, limit: float = LIMIT, folder: Path = ROOT) -> Finished:
    """Run the program to its end, with all its children; raises Wrong when it fails, Late after `limit` s."""
    with TemporaryFile("w+") as errors:
        started = perf_counter()
        process = subprocess.Popen(
            list(map(str, command)),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            cwd=folder,
            env=environment(),
            start_new_session=True,
        )
        assert process.stdout is not None
        timer = Timer(limit, end_group, (process.pid,))
        timer.start()
        try:
            lines = [process.stdout.readline()]
            first = perf_counter() - started
            lines += process.stdout.readlines()
            code = process.wait()
            end = perf_counter() - started
        except BaseException:
            end_group(process.pid)
            process.wait()
            raise
        finally:
            timer.cancel()
            timer.join()
            process.stdout.close()
        if code:
            errors.seek(0)
            said = errors.read().splitlines() or ["nothing on stderr"]
            if end > limit:
                raise Late(f"{name_of(command)} was ended after {limit:g} s: {said[-1]}")
            raise Wrong(f"{name_of(command)} ended with {code}: {said[-1]}")
    return Finished(process.pid, [line.rstrip("\n") for line in lines if line], first, end)


def name_of(command: Sequence[str | Path]) -> str:
    """The program and its arguments, without the interpreter."""
    return " ".join(Path(part).name for part in command[1:] if part != "-m")


def module(name: str, *arguments: object) -> list[str]:
    """The command line of a program of `benchmarks.programs` in this environment."""
    return [sys.executable, "-m", f"benchmarks.programs.{name}", *map(str, arguments)]


def environment() -> dict[str, str]:
    """This process's, without what would change how Python or eisenmp run."""
    return {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("PYTHON", "EISENMP_")) and name != "VIRTUAL_ENV"
    }


def end_group(pid: int) -> None:
    """End a program that was started with a session of its own, and what it started there."""
    try:
        os.killpg(pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
