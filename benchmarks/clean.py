"""Clean virtual environments, made for one run and removed after it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.side import Wrong


@contextmanager
def clean_environment(*packages: str | Path) -> Iterator[Path]:
    """The Python of a new environment in which only these are installed, without what they depend on."""
    with TemporaryDirectory(prefix="eisenmp-benchmark-") as folder:
        # pip outside fills it: one that is inside would take seconds to install
        _run(sys.executable, "-m", "venv", "--without-pip", folder)
        python = Path(folder, *(("Scripts", "python.exe") if sys.platform == "win32" else ("bin", "python")))
        options = ("--quiet", "--no-deps", "--disable-pip-version-check")
        _run(sys.executable, "-m", "pip", "--python", python, "install", *options, *packages)
        yield python


def _run(*command: str | Path) -> None:
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, check=False)
    if done.returncode:
        raise Wrong(f"{command[2]} failed: {(done.stderr or done.stdout).strip().splitlines()[-1:]}")
