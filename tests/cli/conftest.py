"""A folder with worker modules, and the command line in it: in this process, or as a program."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from textwrap import dedent
from typing import Any, NamedTuple

import pytest

from eisenmp.cli import main

WORKERS = """
    import os, sys
    import eisenmp

    @eisenmp.worker
    def same(toolbox, rows):
        return list(rows)

    @eisenmp.worker
    def lengths(toolbox, rows):
        return [len(row) for row in rows]

    @eisenmp.worker
    def one(toolbox, rows):
        return rows[0]

    @eisenmp.worker
    def fails_on_c(toolbox, rows):
        if "c" in rows:
            raise ValueError("there is a c")
        return list(rows)

    @eisenmp.worker
    def fails_in_lines(toolbox, rows):
        raise ValueError("first line\\nsecond line")

    @eisenmp.worker
    def dies(toolbox, rows):
        print("last words", flush=True)
        os._exit(7)

    @eisenmp.worker
    def prints(toolbox, rows):
        print("from the worker", rows[0], flush=True)
        return rows[0]

    @eisenmp.worker
    def waits(toolbox, rows):
        '''Tells its pid through one FIFO and never hears from the other.'''
        with open("pids", "w") as pids:
            pids.write(f"{os.getpid()}\\n")
        with open("never") as never:
            never.read()

    @eisenmp.worker
    def pid(toolbox, rows):
        return os.getpid()

    @eisenmp.worker
    def variable(toolbox, rows):
        return toolbox.factor

    def old_style(toolbox):
        rows = toolbox.mp_input_q.get()
        if toolbox.STOP_MSG in rows:
            return False
        toolbox.mp_output_q.put([toolbox.OUTPUT_HEADER + rows[0], len(rows) - 1])
        return True
"""


class Outcome(NamedTuple):
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def error(self) -> str:
        """The one line on stderr, without the name of the program."""
        lines = self.err.splitlines()
        assert len(lines) == 1, self.err
        assert lines[0].startswith("eisenmp: ")
        return lines[0].removeprefix("eisenmp: ")


Command = Callable[..., Outcome]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The working directory, with workers.py; what is imported from it is forgotten afterwards."""
    (tmp_path / "workers.py").write_text(dedent(WORKERS))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", sys.path[:])
    before = set(sys.modules)
    yield tmp_path
    for name in set(sys.modules) - before:
        if str(getattr(sys.modules[name], "__file__", None)).startswith(str(tmp_path)):
            del sys.modules[name]


@pytest.fixture
def eisenmp(folder: Path, capfd: pytest.CaptureFixture[str]) -> Command:
    """`eisenmp("run", …)` in this process, quicker than as a program."""

    def command(*arguments: object) -> Outcome:
        capfd.readouterr()
        code = main([str(argument) for argument in arguments])
        return Outcome(code, *capfd.readouterr())

    return command


def program(*arguments: object, **options: Any) -> subprocess.Popen[str]:
    """`python -m eisenmp …` as a process of its own, in the working directory."""
    environment = {**os.environ, **options.pop("env", {})}
    return subprocess.Popen(
        [sys.executable, "-m", "eisenmp", *map(str, arguments)],
        stdin=options.pop("stdin", subprocess.PIPE),
        stdout=options.pop("stdout", subprocess.PIPE),
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
        **options,
    )


@pytest.fixture
def piped(folder: Path) -> Command:
    """`piped("text for stdin", "run", …)` as a program."""

    def command(text: str, *arguments: object) -> Outcome:
        process = program(*arguments)
        out, err = process.communicate(text)
        return Outcome(process.returncode, out, err)

    return command
