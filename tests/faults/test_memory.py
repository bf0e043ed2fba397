"""memory_max: who takes too much is replaced, who takes far too much is killed, and maps do not count."""

from __future__ import annotations

import mmap
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import eisenmp
from eisenmp.engine.memory import Meter
from eisenmp.manager import events
from eisenmp.manager.memory import IN_A_ROW
from eisenmp.testing import eventually

from .test_causes import PATIENCE, failure, method

__all__ = ["method"]

EATERS = Path(__file__).with_name("eaters.py")
MIB = 1 << 20
LIMIT = 64


class Guarded:
    """A manager whose guard is watched: how often it has looked, and whom it had replaced."""

    def __init__(self, method: str, worker: str = f"{EATERS}:eat", **settings: Any) -> None:
        start = "spawn" if method == "portable" else method
        given = {
            "procs_max": 1,
            "rows_max": 1,
            "retries": {"death": 0},
            "on_error": "skip",
            "start_method": start,
        }
        self.folder = tempfile.TemporaryDirectory()
        self.gate = f"{self.folder.name}/gate"
        os.mkfifo(self.gate)
        given |= {"memory_max": LIMIT * MIB, "variables": {"gate": self.gate}}
        self.emp = eisenmp.Mp(worker, **{**given, **settings})
        self.told = self.emp.queue("told", maxsize=100)
        self.deaths: list[Any] = []
        self.pids: list[int] = []
        self.emp.on(events.WorkerDied, self.deaths.append)
        self.emp.on(events.WorkerReady, lambda event: self.pids.append(event.pid))

    def __enter__(self) -> Guarded:
        self.emp.start()
        guard = self.emp._memory_guard
        assert guard is not None
        self.guard = guard
        self.replaced: list[str] = []
        supervisor = self.emp.dispatcher.supervisor
        recycle = supervisor.recycle

        def told(slot: Any, reason: str) -> None:
            self.replaced.append(reason)
            recycle(slot, reason)

        supervisor.recycle = told  # type: ignore[method-assign]
        return self

    def __exit__(self, kind: Any, *rest: object) -> None:
        self.emp.stop(grace=0.0 if kind else 10.0)
        self.folder.cleanup()

    def open_gate(self) -> None:
        """Let all through who wait there."""
        with open(self.gate, "w"):
            pass

    def look(self, times: int = 3) -> None:
        """Wait until it has looked so many times more."""
        until = self.guard.looks + times
        eventually(lambda: self.guard.looks >= until, PATIENCE)


@pytest.fixture
def guarded(method: str) -> Callable[..., Guarded]:
    return lambda **settings: Guarded(method, **settings)


def test_far_over_is_killed_with_the_cause(guarded: Callable[..., Guarded]) -> None:
    with guarded() as job:
        found = failure(job.emp.feed([("keep", 3 * LIMIT, True)]))
        assert found.cause.startswith(f"memory_max = {LIMIT} MiB exceeded: ")
        assert int(found.cause.split()[-2]) in range(LIMIT * 3 // 2, LIMIT * 4)
        assert found.cause in str(found.error)
        assert (found.error.exitcode, found.stack) == (-9, "")
        assert [death.cause for death in job.deaths] == [found.cause]
        # the others of the feed, and the slot, go on
        assert [r.value for r in job.emp.feed([1, 2]).in_order()] == [[1], [2]]


def test_over_is_replaced_after_its_chunk(guarded: Callable[..., Guarded]) -> None:
    with guarded() as job:
        feed = job.emp.feed([("keep", LIMIT * 5 // 4, True), 2, 3])
        first = job.told.get(timeout=PATIENCE)
        eventually(lambda: job.replaced, PATIENCE)
        assert job.replaced[0].startswith(f"memory_max = {LIMIT} MiB exceeded: ")
        job.look()
        # once is enough, and its chunk is its own to finish
        assert len(job.replaced) == 1
        job.open_gate()
        values = [r.value[0] for r in feed.in_order()]
        assert values == [first, 2, 3]
        assert (feed.failed, job.deaths) == ([], [])
        # it works on until the one that follows it is ready
        eventually(lambda: job.emp.proc_list[0].pid not in (first, 0), PATIENCE)
        assert [r.value[0] for r in job.emp.feed([("pid",)])] != [first]
        assert first == job.pids[0]


def test_who_is_to_be_replaced_and_grows_on_is_to_blame(guarded: Callable[..., Guarded]) -> None:
    with guarded() as job:
        feed = job.emp.feed([("grow", LIMIT * 5 // 4, 3 * LIMIT)])
        job.told.get(timeout=PATIENCE)
        eventually(lambda: job.replaced, PATIENCE)
        job.look()
        job.open_gate()
        found = failure(feed)
        assert int(found.cause.split()[-2]) in range(LIMIT * 3 // 2, LIMIT * 5)
        assert [death.cause for death in job.deaths] == [found.cause]
        assert [r.value for r in job.emp.feed([1, 2]).in_order()] == [[1], [2]]


def test_who_gives_back_in_time_stays(guarded: Callable[..., Guarded]) -> None:
    with guarded() as job:
        rows = [("pass", LIMIT * 3 // 4, False), ("pid",)] * 4
        pids = {r.value[0] for r in job.emp.feed(rows)}
        job.look()
        assert pids == set(job.pids)
        assert (len(pids), job.replaced, job.deaths) == (1, [], [])


@pytest.mark.parametrize("how", ["file", "shared", "tool"])
def test_maps_do_not_count(guarded: Callable[..., Guarded], how: str, tmp_path: Path) -> None:
    size = 4 * LIMIT * MIB
    path = tmp_path / "table"
    with path.open("wb") as file:
        file.truncate(size)
    with guarded() as job:
        feed = job.emp.feed([("map", how, str(path), size), ("pid",)])
        pid = job.told.get(timeout=PATIENCE)
        job.look()
        job.open_gate()
        assert [r.value for r in feed.in_order()] == [[pid], [pid]]
        assert (job.replaced, job.deaths) == ([], [])


TABLE = f"""
from tests.faults.eaters import eat

TABLE = bytearray(b"x") * ({3 * LIMIT} << 20)
"""


def test_what_a_fork_inherits_does_not_count(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EISENMP_PORTABLE", "0")
    module = tmp_path / "with_a_table.py"
    module.write_text(TABLE)
    with Guarded("forkserver", f"{module}:eat", procs_max=2) as job:
        feed = job.emp.feed([("wait",)] * 2)
        pids = {job.told.get(timeout=PATIENCE) for _ in range(2)}
        job.look()
        job.open_gate()
        assert {r.value[0] for r in feed} == pids == set(job.pids)
        assert (job.replaced, job.deaths) == ([], [])
        # what it takes for itself does
        found = failure(job.emp.feed([("keep", 2 * LIMIT, True)]))
        assert int(found.cause.split()[-2]) in range(LIMIT * 3 // 2, LIMIT * 5 // 2)
        # and so does what it writes to
        found = failure(job.emp.feed([("write", str(module))]))
        assert found.cause.startswith(f"memory_max = {LIMIT} MiB exceeded: ")


@pytest.mark.parametrize("method", ["spawn", "portable"], indirect=True)
def test_a_module_that_takes_far_too_much_is_a_start_that_fails(method: str, tmp_path: Path) -> None:
    module = tmp_path / "starts_big.py"
    module.write_text(TABLE + "import threading; threading.Event().wait()\n")
    with pytest.raises(eisenmp.WorkerDied, match=f"cannot start: memory_max = {LIMIT} MiB exceeded: "):
        with Guarded(method, f"{module}:eat") as job:
            list(job.emp.feed([1]))


@pytest.mark.parametrize("method", ["spawn", "portable"], indirect=True)
def test_a_limit_that_every_process_exceeds_is_told(guarded: Callable[..., Guarded]) -> None:
    with pytest.warns(RuntimeWarning, match=f"{IN_A_ROW} processes of Process-.* memory_max = 5 MiB"):
        with guarded(memory_max=5 * MIB) as job:
            for count in range(IN_A_ROW):
                # without a chunk it stays: another one would be as big
                job.look(2)
                assert len(job.replaced) == count
                feed = job.emp.feed([("wait",)])
                pid = job.told.get(timeout=PATIENCE)
                eventually(lambda count=count: len(job.replaced) > count, PATIENCE)
                job.open_gate()
                assert [r.value for r in feed] == [[pid]]
                eventually(lambda pid=pid: job.emp.proc_list[0].pid not in (pid, 0), PATIENCE)


@pytest.mark.parametrize("method", ["spawn", "portable"], indirect=True)
def test_a_module_that_grows_over_it_while_it_loads_is_not_replaced_for_ever(
    method: str, tmp_path: Path
) -> None:
    gate = tmp_path / "gate"
    os.mkfifo(gate)
    module = tmp_path / "grows.py"
    module.write_text(
        f"from tests.faults.eaters import eat\nopen({str(gate)!r}).close()\n"
        f"TABLE = bytearray(b'x') * ({LIMIT * 5 // 4} << 20)\n"
    )
    with Guarded(method, f"{module}:eat") as job:
        eventually(lambda: job.guard._watches, PATIENCE)
        job.look()  # it is small yet
        gate.open("w").close()
        eventually(lambda: job.pids, PATIENCE)
        job.look()
        assert job.replaced == []


# -- measuring -------------------------------------------------------------------------------------


def test_the_memory_of_this_process() -> None:
    meter = Meter(os.getpid())
    before = meter.read()
    assert before is not None
    assert before > MIB
    kept = bytearray(b"x") * (50 * MIB)
    after = meter.read()
    assert after is not None
    assert 45 * MIB < after - before < 60 * MIB
    del kept
    shared = mmap.mmap(-1, 50 * MIB)
    shared.write(b"x" * (50 * MIB))
    now = meter.read()
    shared.close()
    assert now is not None
    assert now < after + 55 * MIB


def test_of_a_process_that_is_gone() -> None:
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    assert Meter(process.pid).read() is None


@pytest.mark.parametrize("door", ["Mp", "start"])
def test_without_psutil_the_error_names_it(door: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "psutil", None)
    emp = eisenmp.Mp(f"{EATERS}:eat", procs_max=1, memory_max=None if door == "start" else "64M")
    attributes: dict[str, Any] = {} if door == "Mp" else {"worker_modules": [], "EISENMP_MEMORY_MAX": "64M"}
    with pytest.raises(eisenmp.SettingsError, match="psutil"):
        emp.start(**attributes)


def test_without_the_setting_nothing_is_measured() -> None:
    emp = eisenmp.Mp(f"{EATERS}:eat", procs_max=1)
    with emp:
        assert emp._memory_guard is None
        assert [r.value for r in emp.feed([1])] == [[1]]


def test_where_workers_are_no_processes_it_is_told() -> None:
    emp = eisenmp.Mp(f"{EATERS}:eat", procs_max=1, engine="inline", memory_max="64M")
    with pytest.warns(RuntimeWarning, match="memory_max has no effect: InlineEngine"), emp:
        assert [r.value for r in emp.feed([1])] == [[1]]
