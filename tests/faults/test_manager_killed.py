"""The manager is SIGKILLed: nothing of what it has started is left, whatever it was doing."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from eisenmp.testing import eventually
from tests import leaks

from .program import Program, descendants, program

WORKERS = """
    import ctypes, signal

    @eisenmp.worker
    def works(toolbox, rows):
        say("running", os.getpid())
        while True:
            pass

    @eisenmp.worker
    def waits(toolbox, rows):
        say("running", os.getpid())
        toolbox.queue("nothing").get()

    @eisenmp.worker
    def stopped(toolbox, rows):
        say("running", os.getpid())
        toolbox._channel.flush()
        os.kill(os.getpid(), signal.SIGSTOP)

    def hold_the_gil():
        with open("gate") as gate:
            ctypes.PyDLL(None).flock(gate.fileno(), fcntl.LOCK_SH)

    @eisenmp.worker
    def holds_the_gil(toolbox, rows):
        say("running", os.getpid())
        toolbox._channel.flush()
        hold_the_gil()

    @eisenmp.worker
    def has_child(toolbox, rows):
        child = subprocess.Popen(["sleep", "inf"])
        say("running", os.getpid())
        child.wait()

    @eisenmp.worker
    def has_stopped_child(toolbox, rows):
        child = subprocess.Popen(["sleep", "inf"])
        os.kill(child.pid, signal.SIGSTOP)
        say("running", os.getpid())
        toolbox._channel.flush()
        hold_the_gil()

    @eisenmp.worker
    def has_pool(toolbox, rows):
        import multiprocessing
        with multiprocessing.get_context("fork").Pool(2) as pool:
            say("running", os.getpid())
            pool.map(pass_gate, ["gate", "gate"])

    @eisenmp.worker
    def ignores_all(toolbox, rows):
        for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
            signal.signal(number, signal.SIG_IGN)
        signal.pthread_sigmask(signal.SIG_SETMASK, signal.valid_signals())
        say("running", os.getpid())
        threading.Event().wait()

    @eisenmp.worker
    def manages(toolbox, rows):
        with eisenmp.Mp("workers.py:has_child", rows_max=1, procs_max=1) as emp:
            list(emp.feed([0]))

    def mate(toolbox):
        say("running", os.getpid())
        pass_gate()

    def server(toolbox):
        import socketserver
        with socketserver.TCPServer(("127.0.0.1", 0), None) as server:
            say("running", os.getpid())
            server.serve_forever()
"""


def _waits_at_the_gate(pid: int) -> bool:
    """As the kernel lists those who wait for a lock."""
    return any(
        "->" in line and str(pid) in line.split() for line in Path("/proc/locks").read_text().splitlines()
    )


def _is_stopped(pid: int) -> bool:
    state = leaks._stat(pid)
    return state is not None and state[1] == "T"


class Row(NamedTuple):
    """What the workers do: which worker, when it is there, and whether only the kernel can end it."""

    worker: str
    there: Callable[[int], bool] = lambda pid: True
    mates: tuple[str, ...] = ()
    deaf: bool = False


ROWS = (
    Row("works"),
    Row("waits"),
    Row("stopped", _is_stopped, deaf=True),
    Row("holds_the_gil", _waits_at_the_gate, deaf=True),
    Row("has_child"),
    Row("has_stopped_child", _waits_at_the_gate, deaf=True),
    Row("has_pool"),
    Row("ignores_all"),
    Row("manages"),
    Row("server"),
    Row("works", mates=("mate",)),
)
METHODS = ("spawn", "forkserver", "fork", "portable")
#: the portable path has a thread in each worker that waits for the end; it needs the GIL, and to run at all
TABLE = [(row, method) for row in ROWS for method in METHODS if not (row.deaf and method == "portable")]


def managed(row: Row, method: str) -> str:
    modules = ", ".join(f'"workers.py:{name}"' for name in (row.worker, *row.mates))
    return f"""
    import os
    import eisenmp
    if {method == "portable"}:
        os.environ["EISENMP_PORTABLE"] = "1"
    settings = {{}} if {method == "portable"} else {{"start_method": {method!r}}}
    if __name__ == "__main__":
        emp = eisenmp.Mp({modules}, rows_max=1, procs_max=2, **settings)
        emp.queue("nothing")
        with emp:
            list(emp.feed(range(100)))
    """


def killed(started: Program, count: int) -> None:
    """SIGKILL it, and see everything end that is below it."""
    processes = descendants(started.pid)
    assert len(processes) >= count
    started.send(signal.SIGKILL)
    started.process.wait()
    assert [pid for pid in processes if not leaks.wait_gone(pid)] == []


@pytest.mark.parametrize(
    ("row", "method"), TABLE, ids=lambda value: "-".join((value.worker, *value.mates)) if isinstance(value, Row) else value
)  # fmt: skip
def test_nothing_outlives_the_manager(tmp_path: Path, row: Row, method: str) -> None:
    with program(tmp_path, managed(row, method), workers=WORKERS) as started:
        started.until("running", count=2)
        for pid in started.values("running"):
            eventually(lambda pid=pid: row.there(pid))
        killed(started, 2)


@pytest.mark.parametrize("method", METHODS)
def test_a_worker_that_still_loads_does_not_outlive_it_either(tmp_path: Path, method: str) -> None:
    """With forkserver it is the zygote that imports."""
    loading = """
    with open("loading", "w") as loading:
        loading.write("x")
    pass_gate()
    """
    os.mkfifo(tmp_path / "loading")
    with program(tmp_path, managed(Row("works"), method), workers=WORKERS + loading) as started:
        with open(tmp_path / "loading") as told:
            assert told.read(1) == "x"
        killed(started, 1)
