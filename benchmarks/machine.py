"""What the figures were measured with: machine, Python, versions of eisenmp and its peers, and when."""

from __future__ import annotations

import os
import platform
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from eisenmp import usable_cpus

PACKAGES = (
    "eisenmp",
    "joblib",
    "mpire",
    "pebble",
    "numpy",
    "psutil",
    "cloudpickle",
    "uvicorn",
    "granian",
    "gunicorn",
)
CPUINFO = Path("/proc/cpuinfo")


@dataclass(frozen=True)
class Machine:
    """`load` is the mean number of running processes in the minute before; it should be near 0."""

    date: str
    cpu: str
    cpus: int
    system: str
    python: str
    versions: dict[str, str]
    load: float | None


def machine() -> Machine:
    """This one, now."""
    return Machine(
        date=datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        cpu=cpu_model(),
        cpus=usable_cpus(),
        system=f"{platform.system()} {platform.release()} {platform.machine()}",
        python=f"{platform.python_implementation()} {platform.python_version()}",
        versions=dict(versions()),
        load=round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None,
    )


def cpu_model() -> str:
    """The name that the CPU gives itself."""
    if CPUINFO.exists():
        for line in CPUINFO.read_text().splitlines():
            name, _, value = line.partition(":")
            if name.strip() == "model name":
                return value.strip()
    return platform.processor() or platform.machine()


def versions() -> list[tuple[str, str]]:
    """The versions of what is installed; Pool and ProcessPoolExecutor are Python's own."""
    found = []
    for package in PACKAGES:
        try:
            found.append((package, version(package)))
        except PackageNotFoundError:
            continue
    return found
