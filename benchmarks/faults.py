"""`python -m benchmarks.faults`: five faults, on every side; what is left of the job, and of its processes.

Each is a program of its own, which is waited for no longer than `LIMIT` seconds after the fault has struck.
Writes `results/faults.json` and the table `docs/faults.md` that is made of it.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from argparse import ArgumentParser
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Event
from time import monotonic
from typing import NamedTuple

from benchmarks import faults_page, whole
from benchmarks.machine import machine
from benchmarks.programs.fault import SIDES
from benchmarks.report import strip_paths

RESULTS = whole.ROOT / "benchmarks" / "results" / "faults.json"
PAGE = whole.ROOT / "docs" / "faults.md"

ITEMS = 1000
ENDLESS = 100_000  #: items of 5 ms: more than there is time for
LIMIT = 9.0  #: seconds after the fault
START_LIMIT = 20.0  #: seconds until it strikes
ATTEMPTS = 3  #: until it strikes at all: on a machine that is busy a timeout may be too short for a start
LOOK = 0.01  #: seconds between two looks at the processes
UNDER_WAY = 20  #: items that are done before a signal comes from outside


class Fault(NamedTuple):
    """What strikes: the worker itself at one of its items, or a signal from outside."""

    title: str
    function: str
    signal: int = 0
    to_group: bool = False  #: as a terminal does


FAULTS = {
    "kill": Fault("an item kills its worker", "kill"),
    "hang": Fault("an item hangs", "hang"),
    "unpicklable": Fault("a result that cannot be pickled", "unpicklable"),
    "interrupt": Fault("Ctrl-C", "busy", signal.SIGINT, True),
    "parent": Fault("SIGKILL of the parent", "busy", signal.SIGKILL),
}


@dataclass(frozen=True)
class Outcome:
    """`seconds` from the fault until no process of the job is left; None when some were still there."""

    done: int
    items: int | None  #: of how many; None when the number is of no meaning
    error: str
    seconds: float | None
    left: int  #: processes that were still there after `LIMIT` seconds
    limit: float = LIMIT


class Unstruck(RuntimeError):
    """The job was over, or too slow, before the fault could strike."""


def measure(side: str, fault: Fault) -> Outcome:
    """Have the fault strike the side once. Raises Unstruck when it never does."""
    for _ in range(ATTEMPTS - 1):
        try:
            return attempt(side, fault)
        except Unstruck:
            continue
    return attempt(side, fault)


def attempt(side: str, fault: Fault) -> Outcome:
    """Start the job, wait for the fault, then for the end."""
    with TemporaryDirectory(prefix="eisenmp-faults-") as folder:
        rows = ENDLESS if fault.signal else ITEMS
        said = Path(folder, "said")
        with said.open("wb") as out:
            process = subprocess.Popen(
                whole.module("fault", side, fault.function, rows, folder),
                stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.DEVNULL,
                cwd=whole.ROOT, env=whole.environment(), start_new_session=True,
            )  # fmt: skip
        try:
            struck = strike(process, fault, said, Path(folder, "struck"))
            seconds = None
            while monotonic() < struck + LIMIT:
                process.poll()
                if not session(process.pid):
                    seconds = round(monotonic() - struck, 3)
                    break
                Event().wait(LOOK)
            left = len(session(process.pid))
        finally:
            for pid in session(process.pid):
                end(pid)
            process.wait()
        dots, _, error = said.read_text().partition("\n")
        return Outcome(len(dots), None if fault.signal else ITEMS, error.strip(), seconds, left)


def strike(process: subprocess.Popen[bytes], fault: Fault, said: Path, struck: Path) -> float:
    """Wait for the fault, or send the signal when the job is under way; returns when that was."""
    until = monotonic() + START_LIMIT
    over = False
    while not over and monotonic() < until:
        over = process.poll() is not None  # before the look at what it has noted
        if fault.signal and said.stat().st_size >= UNDER_WAY:
            now = monotonic()
            (os.killpg if fault.to_group else os.kill)(process.pid, fault.signal)
            return now
        if not fault.signal and struck.exists() and (text := struck.read_text()):
            return float(text)
        Event().wait(LOOK)
    raise Unstruck(f"the job did not get to the fault in {START_LIMIT:g} s, or ended before it")


def session(leader: int) -> list[int]:
    """The processes of the session that run: the program's, whatever groups they are in, orphans too."""
    found = []
    for name in os.listdir("/proc"):
        try:
            if name.isdigit() and os.getsid(int(name)) == leader:
                state = Path("/proc", name, "stat").read_text().rpartition(")")[2].split()[0]
                if state not in "ZX":
                    found.append(int(name))
        except (ProcessLookupError, FileNotFoundError):
            continue
    return found


def end(pid: int) -> None:
    """SIGKILL, if it is still there."""
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return


def main(arguments: list[str] | None = None) -> int:
    """Measure, show, write."""
    parser = ArgumentParser(prog="python -m benchmarks.faults", description=__doc__)
    parser.add_argument(
        "--page", action="store_true", help="only make the page of the results that there are"
    )
    if not parser.parse_args(arguments).page:
        found: dict[str, dict[str, Outcome]] = {}
        for name, fault in FAULTS.items():
            print(f"\n{fault.title}", flush=True)
            for side in SIDES:
                outcome = found.setdefault(name, {})[side] = measure(side, fault)
                print(f"  {side}: {faults_page.words(asdict(outcome))}", flush=True)
        content = {
            "faults": {name: fault.title for name, fault in FAULTS.items()},
            "outcomes": {
                name: {side: asdict(outcome) for side, outcome in sides.items()}
                for name, sides in found.items()
            },
            "machine": asdict(machine()),
        }
        RESULTS.write_text(strip_paths(json.dumps(content, indent=2)) + "\n", encoding="utf-8")
    PAGE.parent.mkdir(exist_ok=True)
    PAGE.write_text(faults_page.page(json.loads(RESULTS.read_text(encoding="utf-8"))), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
