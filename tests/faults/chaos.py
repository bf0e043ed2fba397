"""`python -m tests.faults.chaos [--seed N]`: a job under random faults, and what became of each row of it.

Rows kill or stop their worker, raise, or are slow, as the plan says; somebody outside kills and stops workers at
random. Every fault stands in a journal before it strikes. At the end each row has its result once, or is in one
dead letter; and each dead letter and each death of a worker has the cause that the journal says.
"""

from __future__ import annotations

import os
import random
import signal
import sys
from argparse import ArgumentParser
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Event, Lock, Thread
from time import monotonic
from typing import NamedTuple

import eisenmp
from eisenmp.manager import events
from tests import leaks
from tests.faults.plan import KILL, RAISE, SLOW, STOP, Entry, Plan, read, write

HERE = Path(__file__).parent
OUTSIDE = {KILL: signal.SIGKILL, STOP: signal.SIGSTOP}
SIGNS = {KILL: "killed by signal 9", STOP: "timeout"}  #: by which a cause of death is known
ERRORS = {KILL: "WorkerDied", STOP: "ChunkTimeout", RAISE: "WorkerFailed"}
PACE_STEP = 50  #: rows
GRACE = 3.0  #: seconds, for workers that were stopped while they had nothing to do


class Size(NamedTuple):
    """How much of it there is."""

    seconds: float
    rows: int
    workers: int
    rows_max: int
    timeout: float
    pause: float  #: mean seconds between two faults from outside
    budget: int  #: further attempts: more than bad luck from outside can use up
    method: str
    plan: Plan


def minute(seed: int) -> Size:
    """What `make chaos` runs."""
    plan = Plan(seed, kill=5_000, stop=12_000, raised=2_000, slow=200)
    return Size(60.0, 100_000, 8, 20, 3.0, 0.4, 2, ("spawn", "forkserver")[seed % 2], plan)


def moment(seed: int) -> Size:
    """What the tests run."""
    plan = Plan(seed, kill=500, stop=900, raised=300, slow=100)
    return Size(3.0, 2_000, 4, 4, 1.5, 0.3, 1, ("spawn", "forkserver")[seed % 2], plan)


class Killer:
    """Somebody outside, who strikes workers at random while the source is pulled."""

    def __init__(self, emp: eisenmp.Mp, size: Size, folder: str) -> None:
        self._size = size
        self._folder = folder
        self._random = random.Random(size.plan.seed)
        self._lock = Lock()
        self._ready: dict[int, int] = {}  # pidfd by pid: a number that was given away is never struck
        self._over = Event()
        self._thread = Thread(target=self._run, name="chaos-killer")
        emp.on(events.WorkerReady, lambda event: self._add(event.pid))
        emp.on(events.WorkerDied, lambda event: self._remove(event.pid))

    def __enter__(self) -> Killer:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
        for pid in list(self._ready):
            self._remove(pid)

    def stop(self) -> None:
        """Strike no more."""
        self._over.set()
        self._thread.join()

    def _add(self, pid: int) -> None:
        with self._lock:
            if self._over.is_set():
                return
            try:
                self._ready[pid] = os.pidfd_open(pid)
            except ProcessLookupError:
                return  # its first chunk was its last

    def _remove(self, pid: int) -> None:
        with self._lock:
            descriptor = self._ready.pop(pid, None)
            if descriptor is not None:
                os.close(descriptor)

    def _run(self) -> None:
        while not self._over.wait(self._random.expovariate(1 / self._size.pause)):
            how = KILL if self._random.random() < 0.7 else STOP
            with self._lock:
                # who is stopped waits for its timeout, which is to come
                running = [pid for pid in sorted(self._ready) if not _is_stopped(pid)]
                if not running:
                    continue
                pid = self._random.choice(running)
                write(self._folder, how, None, pid)
                try:
                    signal.pidfd_send_signal(self._ready[pid], OUTSIDE[how])
                except ProcessLookupError:
                    continue  # it has died already, and the loop has not said so yet


def _is_stopped(pid: int) -> bool:
    try:
        with open(f"/proc/{pid}/stat") as stat:
            return stat.read().rpartition(")")[2].split()[0] == "T"
    except (FileNotFoundError, ProcessLookupError):
        return True


class Outcome(NamedTuple):
    """What became of the job."""

    size: Size
    kept: dict[int, int]
    twice: list[int]
    failures: list[eisenmp.Failure]
    missing: int
    deaths: list[tuple[int, str]]
    journal: list[Entry]
    tickets: int
    seconds: float


def rows(size: Size, killer: Killer) -> Iterator[int]:
    """The stream, no faster than in its time. The last tenth is quiet: who was stopped gets a chunk to fail on."""
    started = monotonic()
    for row in range(size.rows):
        if row == size.rows * 9 // 10:
            killer.stop()
        if row % PACE_STEP == 0:
            early = started + size.seconds * row / size.rows - monotonic()
            if early > 0:
                Event().wait(early)
        yield row


def run(size: Size, folder: str) -> Outcome:
    """The job."""
    started = monotonic()
    emp = eisenmp.Mp(
        f"{HERE}/chaos_worker.py:work", procs_max=size.workers, rows_max=size.rows_max,
        start_method=size.method, timeout=size.timeout, on_error="skip",
        grace=GRACE, retries={"raise": 1, "death": size.budget, "timeout": size.budget},
        variables={"folder": folder, "plan": tuple(size.plan)},
    )  # fmt: skip
    deaths: list[tuple[int, str]] = []
    emp.on(events.WorkerDied, lambda event: deaths.append((event.pid, event.cause)))
    kept: dict[int, int] = {}
    twice: list[int] = []
    killer = Killer(emp, size, folder)
    with emp, killer:
        feed = emp.feed(rows(size, killer))
        for result in feed:
            for square in result.value:
                row = int(square**0.5 + 0.5)
                if row in kept:
                    twice.append(row)
                kept[row] = square
        failures, missing, tickets = feed.failed, len(feed.missing), feed.expected or 0
    return Outcome(size, kept, twice, failures, missing, deaths, read(folder), tickets, monotonic() - started)


def complaints(outcome: Outcome) -> list[str]:
    """What is wrong; nothing when every row and every death is accounted for."""
    return [*_of_rows(outcome), *_of_failures(outcome), *_of_deaths(outcome)]


def _of_rows(outcome: Outcome) -> Iterator[str]:
    """Each row once: as a result or in a dead letter."""
    where = Counter(outcome.kept)
    where = Counter(dict.fromkeys(outcome.kept, 1))
    where.update(row for failure in outcome.failures for row in failure.rows)
    yield from (f"row {row} came twice" for row in outcome.twice)
    yield from (
        f"row {row} is accounted for {where[row]} times"
        for row in range(outcome.size.rows)
        if where[row] != 1
    )
    yield from (f"row {row} was never fed" for row in where if row not in range(outcome.size.rows))
    yield from (
        f"row {row} has the result {value}" for row, value in outcome.kept.items() if value != row * row
    )
    if outcome.missing:
        yield f"{outcome.missing} tickets are missing"


def _of_failures(outcome: Outcome) -> Iterator[str]:
    """Each dead letter has a guilty row, alone unless it raised; its cause is that of the journal."""
    plan, struck = outcome.size.plan, Counter((entry.how, entry.row) for entry in outcome.journal)
    killed = {entry.pid for entry in outcome.journal if entry.how == KILL}
    for failure in outcome.failures:
        kind, rows, cause = type(failure.error).__name__, list(failure.rows), failure.cause
        guilty = [row for row in rows if ERRORS.get(plan.of(row)) == kind]
        if not guilty and isinstance(failure.error, eisenmp.WorkerDied) and failure.error.pid in killed:
            # somebody outside was faster than its timeout
            guilty = [row for row in rows if plan.of(row) == STOP]
        if not guilty:
            yield f"{failure.ticket}: {kind} for rows {rows}, of which none would do that: {cause}"
        elif kind != ERRORS[RAISE] and len(rows) > 1:
            yield f"{failure.ticket}: {kind} for {len(rows)} rows, and only {guilty} are guilty"
        elif not any(struck[plan.of(row), row] for row in guilty):
            yield f"{failure.ticket}: {kind} for rows {rows}, and the journal has nothing of {guilty}"
        elif kind == ERRORS[RAISE] and cause not in {f"Refused: {row}" for row in guilty}:
            yield f"{failure.ticket}: the cause is {cause!r}, guilty are {guilty}"
        elif kind != ERRORS[RAISE] and not any(
            sign in cause for how, sign in SIGNS.items() if ERRORS[how] == kind
        ):
            yield f"{failure.ticket}: the cause of {kind} is {cause!r}"
    given_up = {row for failure in outcome.failures for row in failure.rows}
    for how, row in struck:
        if row is not None and how in ERRORS and row not in given_up:
            yield f"row {row} has struck ({how}) and is in no dead letter"


def _of_deaths(outcome: Outcome) -> Iterator[str]:
    """Each worker that was struck has died of it, and no other."""
    struck: dict[int, set[str]] = {}
    for entry in outcome.journal:
        if entry.how in SIGNS:
            struck.setdefault(entry.pid, set()).add(entry.how)
    died = dict(outcome.deaths)
    for pid, cause in died.items():
        if not any(SIGNS[how] in cause for how in struck.get(pid, ())):
            yield f"process {pid} died of {cause!r}; the journal has {sorted(struck.get(pid, ()))}"
    # who was stopped before it asked for a chunk has none to fail on: it is ended at the end of the job
    served = {entry.pid for entry in outcome.journal if entry.row is not None}
    yield from (
        f"process {pid} was struck ({sorted(hows)}) and did not die"
        for pid, hows in struck.items()
        if pid not in died and (pid in served or hows != {STOP})
    )


def report(outcome: Outcome) -> str:
    """The counts."""
    size = outcome.size
    inside = Counter(entry.how for entry in outcome.journal if entry.row is not None)
    outside = Counter(entry.how for entry in outcome.journal if entry.row is None)
    letters = Counter(type(failure.error).__name__ for failure in outcome.failures)
    causes = Counter(
        next(how for how, sign in SIGNS.items() if sign in cause)
        if any(sign in cause for sign in SIGNS.values())
        else "other"
        for _, cause in outcome.deaths
    )
    return "\n".join([
        f"seed {size.plan.seed}: {size.workers} workers ({size.method}), {size.rows:,} rows in {outcome.tickets:,} tickets, {outcome.seconds:.1f} s",
        f"  rows that struck: {inside[KILL]} times killed, {inside[STOP]} stopped, {inside[RAISE]} raised, {inside[SLOW]} were slow",
        f"  from outside: {outside[KILL]} killed, {outside[STOP]} stopped",
        f"  workers that died: {causes[KILL]} killed, {causes[STOP]} timed out, {causes['other']} otherwise",
        f"  rows with a result: {len(outcome.kept):,}",
        (f"  dead letters: {letters['WorkerDied']} of death, {letters['ChunkTimeout']} of time, "
        f"{letters['WorkerFailed']} of an error, with {sum(len(failure.rows) for failure in outcome.failures):,} rows"),
    ])  # fmt: skip


def main(arguments: list[str] | None = None) -> int:
    """Run one, print the report and what is wrong."""
    parser = ArgumentParser(prog="python -m tests.faults.chaos")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**6))
    parser.add_argument("--short", action="store_true", help="the few seconds that the tests take")
    options = parser.parse_args(arguments)
    leaks.adopt_orphans()
    before = leaks.snapshot()
    print(f"seed {options.seed}", flush=True)
    with TemporaryDirectory() as folder:
        outcome = run((moment if options.short else minute)(options.seed), folder)
    wrong = [*complaints(outcome), *(f"left behind: {leak}" for leak in leaks.leaked(before))]
    print(report(outcome))
    print("\n".join(wrong) if wrong else "  every row once, every cause as journalled, nothing left behind")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
