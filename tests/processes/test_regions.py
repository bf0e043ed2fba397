"""Large rows and results through memory that both sides map, seen from outside."""

from __future__ import annotations

import gc
import os
import signal
import subprocess
import sys
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import eisenmp
from eisenmp.manager.events import WorkerDied
from eisenmp.testing import eventually
from eisenmp.wire.regions import Region
from tests.leaks import wait_gone

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="it looks into /proc")

WORKER = """
import os
import zlib
import numpy as np
import eisenmp

kept = []

@eisenmp.worker
def keep_a_third(toolbox, rows):
    number, array = rows[0]
    if number % 3 == 0:
        kept.append(array)
    return number

@eisenmp.worker
def say_what_is_kept(toolbox, rows):
    if rows[0] is None:
        return [zlib.crc32(array) for array in kept], os.getpid()
    return keep_a_third(toolbox, rows)

@eisenmp.worker
def make(toolbox, rows):
    return np.full(8192, rows[0], dtype=np.int64)

@eisenmp.worker
def make_and_die(toolbox, rows):
    number, path = rows[0]
    array = np.full(20_000, number, dtype=np.int64)
    toolbox.send(array)
    if number % 20 == 3 and not os.path.exists(f"{path}{number}"):
        open(f"{path}{number}", "w").close()
        toolbox.send(array)
        os.kill(os.getpid(), 9)

@eisenmp.worker
def write(toolbox, rows):
    rows[0][0] = 1

@eisenmp.worker
def echo(toolbox, rows):
    return rows[0]

@eisenmp.worker
def touch(toolbox, rows):
    return len(rows[0])

@eisenmp.worker
def touch_tool(toolbox, rows):
    return int(toolbox.tools.get("table", np.zeros(1)).sum())

@eisenmp.worker
def where(toolbox, rows):
    tool = toolbox.tools["table"]
    return [is_shared(thing.__array_interface__["data"][0]) for thing in (tool, rows[0])], rows[0]

@eisenmp.worker
def scribble(toolbox, rows):
    import ctypes
    tool = toolbox.tools["table"]
    ctypes.cast(tool.__array_interface__["data"][0], ctypes.POINTER(ctypes.c_long))[0] += 1
    return int(tool.sum())

def places(thing):
    "Where the numbers of an arrow table or a pandas frame lie in memory."
    if hasattr(thing, "column_names"):
        return [thing.column(name).chunk(0).buffers()[1].address for name in thing.column_names]
    return [thing[name].to_numpy().__array_interface__["data"][0] for name in thing]

def is_shared(address):
    with open("/proc/self/maps") as maps:
        for line in maps:
            start, _, end = line.split()[0].partition("-")
            if int(start, 16) <= address < int(end, 16):
                return "(deleted)" in line or "/eisenmp-region-" in line
    return False

@eisenmp.worker
def double(toolbox, rows):
    "A table twice as large of what came, and whether that was shared."
    (thing,) = rows
    if hasattr(thing, "column_names"):
        import pyarrow.compute as pc
        made = thing.from_arrays([pc.multiply(thing.column(name), 2) for name in thing.column_names],
                                 names=thing.column_names)
    else:
        made = thing * 2
    return [is_shared(place) for place in places(thing)], made
"""


@pytest.fixture(params=["descriptors", "paths"], autouse=True)
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[str]:
    """How a region gets to a worker. Of its files nothing is left."""
    monkeypatch.setenv("EISENMP_PORTABLE", "01"[request.param == "paths"])
    folder = tmp_path / "regions"
    folder.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(folder))
    yield request.param
    gc.collect()
    assert list(folder.iterdir()) == []


@pytest.fixture
def files(tmp_path: Path) -> Path:
    """Where regions lie that have a name."""
    return tmp_path / "regions"


@pytest.fixture
def worker(tmp_path: Path) -> str:
    path = tmp_path / "region_worker.py"
    path.write_text(WORKER)
    return str(path)


def array(number: int, length: int = 8192) -> np.ndarray:
    return np.full(length, number, dtype=np.int64)


def crc(numbers: Iterator[int] | range, length: int = 8192) -> list[int]:
    return [zlib.crc32(array(number, length)) for number in numbers]


def test_every_third_of_5000_results_is_kept_and_none_changes(worker: str) -> None:
    with eisenmp.Mp(f"{worker}:make", procs_max=2, rows_max=1) as emp:
        kept = [value for ticket, value in emp.feed(range(5000)).in_order() if ticket.number % 3 == 0]
        assert kept[-1].base is not None
    # and they outlive the manager
    assert [zlib.crc32(one) for one in kept] == crc(range(0, 5000, 3))
    kept[0][0] = 1  # they are the program's own


def test_every_third_of_5000_rows_is_kept_and_none_changes(worker: str) -> None:
    with eisenmp.Mp(f"{worker}:say_what_is_kept", procs_max=1, rows_max=1) as emp:
        emp.feed((number, array(number)) for number in range(5000)).wait()
        (result,) = emp.feed([None])
    assert result.value[0] == crc(range(0, 5000, 3))


def test_workers_die_with_results_on_their_way_and_all_come_once(worker: str, tmp_path: Path) -> None:
    with eisenmp.Mp(f"{worker}:make_and_die", procs_max=2, rows_max=1) as emp:
        deaths: list[int] = []
        emp.on(WorkerDied, lambda event: deaths.append(event.pid))
        rows = [(number, str(tmp_path / "died")) for number in range(60)]
        values = [value for _, value in emp.feed(rows).in_order()]
        assert [int(value[0]) for value in values] == list(range(60))
        assert all((value == value[0]).all() for value in values)
        assert len(deaths) == 3


def test_a_worker_that_writes_to_a_row_is_told_by_numpy(worker: str) -> None:
    with eisenmp.Mp(f"{worker}:write", procs_max=1, rows_max=1, on_error="skip") as emp:
        feed = emp.feed(array(number) for number in range(4))
        list(feed)
        # the first chunk has shown that they are large
        assert [failure.ticket.number for failure in feed.failed] == [1, 2, 3]
        assert all("read-only" in failure.cause for failure in feed.failed)
        assert (feed.failed[2].rows[0] == array(3)).all()


def test_a_chunk_that_is_larger_than_the_limit_goes_all_the_same(worker: str) -> None:
    limit = 4 << 20
    with pytest.warns(RuntimeWarning, match="shared_memory_max is used up"):
        with eisenmp.Mp(f"{worker}:echo", procs_max=2, rows_max=1, shared_memory_max=limit) as emp:
            rows = [array(number, 1 << 20) for number in range(4)]
            values = [value for _, value in emp.feed(rows).in_order()]
            assert [zlib.crc32(value) for value in values] == crc(range(4), 1 << 20)


def test_a_source_of_large_rows_is_pulled_a_bounded_number_of_bytes_ahead(worker: str) -> None:
    pulled: list[int] = []

    def source() -> Iterator[np.ndarray]:
        for number in range(400):
            pulled.append(number)
            yield array(number, 1 << 17)

    with eisenmp.Mp(f"{worker}:touch", procs_max=1, rows_max=1, shared_memory_max=64 << 20) as emp:
        ahead = [pulled[-1] - done for done, _ in enumerate(emp.feed(source()).in_order())]
    # a quarter of the limit is ahead, and what the results' window allows is done
    assert max(ahead[10:]) < 100
    assert len(ahead) == 400


def test_short_memory_is_told_and_rows_go_over_the_socket(
    worker: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def none_left(descriptor: int, start: int, size: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "posix_fallocate", none_left)
    with pytest.warns(RuntimeWarning, match="there is no memory: No space left on device"):
        with eisenmp.Mp(f"{worker}:echo", procs_max=1, rows_max=1) as emp:
            values = [value for _, value in emp.feed(array(number) for number in range(8)).in_order()]
    assert [zlib.crc32(value) for value in values] == crc(range(8))


def test_a_copy_of_the_program_gives_nothing_back(worker: str) -> None:
    with eisenmp.Mp(f"{worker}:make", procs_max=1, rows_max=1) as emp:
        kept = [value for _, value in emp.feed(range(20)).in_order()]
        pid = os.fork()
        if not pid:
            kept.clear()
            os._exit(0)
        os.waitpid(pid, 0)
        list(emp.feed(range(100, 140)))
        assert [zlib.crc32(one) for one in kept] == crc(range(20))


@pytest.mark.parametrize("kind", ["arrow", "pandas"])
def test_tables_are_shared_both_ways(worker: str, kind: str) -> None:
    numbers = {name: np.arange(50_000, dtype=np.float64) * factor for factor, name in enumerate("abc", 1)}
    if kind == "arrow":
        import pyarrow

        table = pyarrow.table(numbers)
    else:
        import pandas

        table = pandas.DataFrame(numbers)
    here: dict[str, Any] = {}
    exec(WORKER, here)
    with eisenmp.Mp(f"{worker}:double", procs_max=1, rows_max=1) as emp:
        results = [value for _, value in emp.feed([table] * 6).in_order()]
    for _, made in results:
        for name in "abc":
            assert np.array_equal(np.asarray(made[name]), numbers[name] * 2)
    # the first may come before there is a region
    shared, made = results[-1]
    assert shared == [True] * 3
    assert all(map(here["is_shared"], here["places"](made)))


def test_the_limit_counts_also_where_tools_were_given_before_the_start(worker: str) -> None:
    emp = eisenmp.Mp(f"{worker}:echo", procs_max=1, rows_max=1, shared_memory_max=0)
    emp.broadcast(table=array(1))
    with emp:
        assert emp.dispatcher.lender is not None
        assert not emp.dispatcher.lender.lends
        assert len(list(emp.feed([array(2), array(3)]))) == 2
    assert emp.dispatcher.lender is not None
    assert not emp.dispatcher.lender.lends_tools


def test_without_memory_files_and_preallocation_there_is_shared_memory_all_the_same(
    worker: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(os, "memfd_create")
    monkeypatch.delattr(os, "posix_fallocate")
    monkeypatch.delattr(os, "pwrite")
    with eisenmp.Mp(f"{worker}:where", procs_max=1, rows_max=1) as emp:
        emp.broadcast(table=array(7))
        results = [value for _, value in emp.feed([array(number) for number in range(6)]).in_order()]
    assert [int(made[0]) for _, made in results] == list(range(6))
    assert results[-1][0] == [True, True]


@contextmanager
def a_worker_that_sleeps(worker: str) -> Iterator[tuple[eisenmp.Mp, int]]:
    """A manager that has sent two tools of one name to its worker, which was stopped before; and its pid."""
    with eisenmp.Mp(f"{worker}:touch_tool", procs_max=1, rows_max=1) as emp:
        list(emp.feed([0]))
        (pid,) = (process.pid for process in emp.proc_list)
        os.kill(pid, signal.SIGSTOP)
        emp.broadcast(table=array(1))
        emp.broadcast(table=array(2))
        yield emp, pid


@pytest.mark.parametrize("way", ["paths"], indirect=True)
class TestNames:
    """A region has a name as long as a worker may have to open it."""

    def test_the_one_for_results_only_until_its_worker_has_it(self, worker: str, files: Path) -> None:
        with eisenmp.Mp(f"{worker}:make", procs_max=2, rows_max=1) as emp:
            list(emp.feed(range(40)))
            eventually(lambda: not list(files.iterdir()))

    def test_one_that_is_dropped_while_a_worker_sleeps_waits_for_it(self, worker: str, files: Path) -> None:
        with a_worker_that_sleeps(worker) as (emp, pid):
            feed = emp.feed([0])
            assert len(list(files.iterdir())) == 2
            os.kill(pid, signal.SIGCONT)
            assert [value for _, value in feed] == [8192 * 2]
            eventually(lambda: len(list(files.iterdir())) == 1)

    def test_a_worker_that_never_opened_it_does_not_keep_it(self, worker: str, files: Path) -> None:
        with a_worker_that_sleeps(worker) as (emp, pid):
            os.kill(pid, signal.SIGKILL)
            assert [value for _, value in emp.feed([0])] == [8192 * 2]
            eventually(lambda: len(list(files.iterdir())) == 1)

    @pytest.mark.parametrize("all_at_once", [False, True])
    def test_a_manager_that_is_killed_leaves_none(self, worker: str, files: Path, all_at_once: bool) -> None:
        """Its workers remove them, or, if they were killed too, whoever shares memory there next."""
        program = f"""
import sys, numpy, eisenmp
emp = eisenmp.Mp({worker!r} + ":touch_tool", procs_max=2, rows_max=1).start()
emp.broadcast(table=numpy.full(8192, 1))
list(emp.feed([0] * 8))
print(*[process.pid for process in emp.proc_list], flush=True)
sys.stdin.read()
"""
        with subprocess.Popen(
            [sys.executable, "-W", "error", "-c", program],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env={**os.environ, "TMPDIR": str(files)},
        ) as manager:  # fmt: skip
            assert manager.stdout is not None
            workers = [int(pid) for pid in manager.stdout.readline().split()]
            assert len(list(files.iterdir())) == 1
            if all_at_once:
                for pid in workers:
                    os.kill(pid, signal.SIGSTOP)
            manager.kill()
        for pid in workers if all_at_once else ():
            os.kill(pid, signal.SIGKILL)
        assert all(wait_gone(pid) for pid in workers)
        assert len(list(files.iterdir())) == all_at_once
        Region.make(1, named=True).close()
        assert list(files.iterdir()) == []


def test_who_writes_to_a_tool_by_force_changes_it_for_nobody_else(worker: str) -> None:
    with eisenmp.Mp(f"{worker}:scribble", procs_max=1, rows_max=1, chunks_max=2) as emp:
        emp.broadcast(table=array(1))
        # two workers, each of which has two chunks
        assert sorted(value for _, value in emp.feed([0] * 4)) == [8193, 8193, 8194, 8194]
