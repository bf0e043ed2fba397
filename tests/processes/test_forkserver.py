"""START_METHOD forkserver: modules and tools are loaded once, workers are copies that share the memory."""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import pytest

import eisenmp
from eisenmp.engine.zygote import cannot_fork
from eisenmp.manager.events import WorkerStarted
from tests import leaks
from tests.processes.forked import PATIENCE, REPORT, Crew, crews, importers, write

MIB = 1 << 20

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="workers are forked on Linux only")


@pytest.fixture(autouse=True)
def whole_system(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also when the tests are run over the portable path."""
    monkeypatch.delenv("EISENMP_PORTABLE", raising=False)
    assert cannot_fork() == ""


@pytest.fixture
def open_crew(tmp_path: Path) -> Iterator[Callable[..., Crew]]:
    with crews(tmp_path) as opened:
        yield opened


# -- loaded once, shared by all --------------------------------------------------------------------


@pytest.mark.parametrize("name", ["forkserver", "fork"])
def test_modules_are_imported_once_for_all_workers(
    open_crew: Callable[..., Crew], tmp_path: Path, name: str
) -> None:
    crew = open_crew(start_method=name)
    reports = crew.reports()
    assert crew.work() == [2 * row for row in range(200)]
    assert importers(tmp_path) == [reports[0]["parent"]]
    assert {report["parent"] for report in reports} == {reports[0]["parent"]}
    assert len({report["pid"] for report in reports}) == 3
    assert [report["slot"] for report in reports] == [0, 1, 2]


def test_each_worker_has_little_private_memory_beside_500_mb_of_the_zygote(
    open_crew: Callable[..., Crew],
) -> None:
    crew = open_crew(
        """
        import gc

        BIG = b"x" * (500 << 20)  # written to, page by page

        def memory():
            with open("/proc/self/smaps_rollup") as file:
                fields = [line.split() for line in file][1:]
            return {name.rstrip(":"): int(size) << 10 for name, size, _ in fields}

        def extra(toolbox):
            assert BIG.count(b"y") == 0  # reads all of it
            gc.collect()
            return memory()
        """
    )
    for report in crew.reports():
        memory = report["extra"]
        assert memory["Rss"] > 500 * MIB, "the worker has not read the object"
        assert memory["Private_Clean"] + memory["Private_Dirty"] < 10 * MIB


def test_objects_of_the_zygote_are_frozen_for_the_collector(open_crew: Callable[..., Crew]) -> None:
    crew = open_crew(
        """
        import gc
        KEPT = [[number] for number in range(100_000)]

        def extra(toolbox):
            return gc.get_freeze_count()
        """
    )
    assert all(report["extra"] > 100_000 for report in crew.reports())


TOOL = """
import os

class Table:
    def __init__(self, folder):
        self.folder = folder

    def __setstate__(self, state):
        self.folder = state["folder"]
        self.where = os.getpid()
        with open(os.path.join(self.folder, "unpickled"), "a") as file:
            file.write(f"{self.where}\\n")
"""


@pytest.fixture
def table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A tool that writes down each time that it is unpickled."""
    folder = tmp_path / "library"
    folder.mkdir()
    (folder / "forkserver_tool.py").write_text(TOOL)
    monkeypatch.syspath_prepend(str(folder))
    from forkserver_tool import Table

    yield Table(str(tmp_path))
    del sys.modules["forkserver_tool"]


def unpickled(folder: Path) -> list[int]:
    return [int(line) for line in (folder / "unpickled").read_text().split()]


def test_tools_of_before_the_start_are_unpickled_once(table: Any, tmp_path: Path) -> None:
    path = write(tmp_path, REPORT, "def extra(toolbox): return toolbox.tools['table'].where")
    crew = Crew(path)
    # more than any socket takes at once, while the zygote is still importing
    crew.emp.broadcast(table=table, filling=b"x" * (20 * MIB))
    with crew:
        reports = crew.reports()
    zygote = reports[0]["parent"]
    assert [report["extra"] for report in reports] == [zygote] * 3
    assert unpickled(tmp_path) == [zygote]


def test_later_tools_reach_the_workers_and_are_in_the_zygote_for_replacements(
    open_crew: Callable[..., Crew], table: Any, tmp_path: Path
) -> None:
    crew = open_crew(
        """
        def extra(toolbox):
            return toolbox.tools["table"].where if "table" in toolbox.tools else None

        @eisenmp.worker
        def double(toolbox, rows):
            return toolbox.tools["table"].where
        """,
        procs_max=1,
    )
    before = crew.report()
    assert before["extra"] is None
    crew.emp.broadcast(table=table)
    [result] = crew.emp.feed([1])
    assert result.value == before["pid"]
    os.kill(before["pid"], signal.SIGKILL)
    after = crew.report()
    assert after["extra"] == before["parent"] == after["parent"]
    assert unpickled(tmp_path) == [before["pid"], before["parent"]]


def test_a_tool_that_cannot_be_unpickled_is_the_error_of_whoever_reads_it(
    open_crew: Callable[..., Crew], table: Any, tmp_path: Path
) -> None:
    crew = open_crew(
        """
        @eisenmp.worker
        def double(toolbox, rows):
            return toolbox.tools["table"].where
        """,
        procs_max=1,
    )
    first = crew.report()
    table.folder = str(tmp_path / "missing")
    crew.emp.broadcast(table=table)
    with pytest.raises(eisenmp.WorkerFailed, match="FileNotFoundError") as caught:
        list(crew.emp.feed([1]))
    assert caught.value.ticket is not None
    os.kill(first["pid"], signal.SIGKILL)
    crew.report()  # the zygote could not open it either, and forks all the same
    with pytest.raises(eisenmp.WorkerFailed, match="FileNotFoundError"):
        list(crew.emp.feed([1]))


# -- a worker is a process of its own --------------------------------------------------------------


def test_the_pid_of_a_process_is_known_to_whoever_asks(open_crew: Callable[..., Crew]) -> None:
    crew = open_crew()
    in_the_loop: list[int] = []
    crew.emp.on(WorkerStarted, lambda event: in_the_loop.append(crew.emp.proc_list[event.slot].pid))
    pids = [process.pid for process in crew.emp.proc_list]
    assert pids == [report["pid"] for report in crew.reports()]
    os.kill(pids[2], signal.SIGKILL)
    assert crew.report()["pid"] == crew.emp.proc_list[2].pid
    assert in_the_loop[-1] == crew.emp.proc_list[2].pid


def test_random_seeds_differ_per_slot(open_crew: Callable[..., Crew]) -> None:
    crew = open_crew(
        """
        import random
        import numpy

        random.seed(1)
        numpy.random.seed(1)

        def extra(toolbox):
            return random.random(), numpy.random.random()
        """,
        threads_max=1,  # else numpy starts threads where there are cores for them
    )
    own, of_numpy = zip(*(report["extra"] for report in crew.reports()), strict=True)
    assert len(set(own)) == len(set(of_numpy)) == 3


def test_a_worker_leads_a_group_and_has_its_title(open_crew: Callable[..., Crew]) -> None:
    crew = open_crew(
        """
        def extra(toolbox):
            with open("/proc/self/comm") as file:
                return os.getpgrp(), file.read().strip()
        """
    )
    for report in crew.reports():
        assert report["extra"] == (report["pid"], f"eisenmp:{report['name']}"[:15])


def held(pid: int) -> list[str]:
    """The pipes and sockets of a process, without those that it has from whoever started the tests."""
    given = {
        os.readlink(f"/proc/self/fd/{name}")
        for name in os.listdir("/proc/self/fd")
        if os.path.exists(f"/proc/self/fd/{name}") and os.get_inheritable(int(name))
    }
    targets = [os.readlink(f"/proc/{pid}/fd/{name}") for name in os.listdir(f"/proc/{pid}/fd")]
    return sorted(text for text in targets if text.startswith(("pipe:", "socket:")) and text not in given)


def test_no_process_holds_a_descriptor_of_another(open_crew: Callable[..., Crew]) -> None:
    reports = open_crew().reports()
    found = [held(pid) for pid in (reports[0]["parent"], *(report["pid"] for report in reports))]
    for targets in found:
        # the life line, one pipe for stdout and stderr, the socket
        assert [text.partition(":")[0] for text in targets] == ["pipe", "pipe", "pipe", "socket"]
        assert len(set(targets)) == 3
    assert len({text for targets in found for text in targets}) == 3 * len(found)


@pytest.fixture
def pipe() -> Iterator[tuple[Connection, Connection]]:
    """A pipe of the user's, of whose ends workers inherit the descriptors."""
    receiver, sender = multiprocessing.Pipe(duplex=False)
    with receiver, sender:
        yield receiver, sender


SENDS = "def extra(toolbox): return toolbox.sender.send_bytes(str(toolbox.START_SEQUENCE_NUM).encode())"


def received(receiver: Connection, number: int) -> list[bytes]:
    found = []
    for _ in range(number):
        assert receiver.poll(PATIENCE)
        found.append(receiver.recv_bytes())
    return sorted(found)


def test_descriptors_reach_workers_and_their_replacements(
    open_crew: Callable[..., Crew], pipe: tuple[Connection, Connection]
) -> None:
    receiver, sender = pipe
    crew = open_crew(SENDS, variables={"sender": sender})
    reports = crew.reports()
    assert os.getpid() not in {report["parent"] for report in reports}
    assert received(receiver, 3) == [b"0", b"1", b"2"]
    os.kill(reports[1]["pid"], signal.SIGKILL)
    assert crew.report()["parent"] == reports[1]["parent"]
    assert received(receiver, 1) == [b"1"]


PROGRAM = """
import multiprocessing, os, sys, warnings
import eisenmp

warnings.simplefilter("error")
os.closerange(3, 500)
receiver, sender = multiprocessing.Pipe(duplex=False)
emp = eisenmp.Mp(
    sys.argv[1] + ":double", sys.argv[1] + ":report", procs_max=6, start_method="forkserver",
    variables={"sender": sender},
)
seen = emp.queue("seen", maxsize=8)
with emp:
    parents = {seen.get(timeout=60)["parent"] for _ in range(6)}
    slots = sorted(receiver.recv_bytes() for _ in range(6))
print(len(parents), os.getpid() in parents, *slots)
"""


def test_low_descriptors_are_not_in_the_way_of_those_of_the_zygote(tmp_path: Path) -> None:
    (tmp_path / "program.py").write_text(PROGRAM)
    path = write(tmp_path, REPORT, SENDS)
    command = [sys.executable, str(tmp_path / "program.py"), str(path)]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.stderr == ""
    assert result.stdout.split() == ["1", "False", "b'0'", "b'1'", "b'2'", "b'3'", "b'4'", "b'5'"]


def test_a_descriptor_that_an_import_holds_is_not_taken_from_it(
    tmp_path: Path, pipe: tuple[Connection, Connection]
) -> None:
    receiver, sender = pipe
    path = write(
        tmp_path,
        REPORT,
        SENDS,
        """
        FILE = os.open(__file__, os.O_RDONLY)
        for number in range(3, 200):
            if not os.path.exists(f"/proc/self/fd/{number}"):
                os.dup2(FILE, number)
        """,
    )
    crew = Crew(path, variables={"sender": sender})
    with pytest.warns(RuntimeWarning, match="holds descriptor"), crew:
        assert [report["parent"] for report in crew.reports()] == [os.getpid()] * 3
    assert received(receiver, 3) == [b"0", b"1", b"2"]


def test_the_zygote_has_one_thread(open_crew: Callable[..., Crew]) -> None:
    zygote = open_crew().reports()[0]["parent"]
    assert len(os.listdir(f"/proc/{zygote}/task")) == 1


def test_what_is_printed_while_importing_comes_once_and_logging_set_up_there_works(
    open_crew: Callable[..., Crew], capfd: pytest.CaptureFixture[str]
) -> None:
    crew = open_crew(
        """
        import logging
        import sys

        logging.basicConfig(format="%(message)s", stream=sys.stdout)
        print("imported once")
        sys.stdout.write("half a line")

        def extra(toolbox):
            logging.warning("slot %s", toolbox.START_SEQUENCE_NUM)
            os.write(2, b"past Python\\n")
        """
    )
    names = [report["name"] for report in crew.reports()]
    crew.emp.stop()
    out, err = capfd.readouterr()
    assert out.count("imported once") == out.count("half a line") == 1
    for slot, name in enumerate(names):
        assert f"{name} | slot {slot}\n" in out
        assert f"{name} | past Python\n" in err


def test_modules_beside_the_worker_can_be_imported_later(
    open_crew: Callable[..., Crew], tmp_path: Path
) -> None:
    (tmp_path / "beside.py").write_text("VALUE = 7\n")
    crew = open_crew(
        """
        def extra(toolbox):
            import beside
            return beside.VALUE
        """
    )
    assert [report["extra"] for report in crew.reports()] == [7, 7, 7]


def test_a_function_by_value_may_refer_to_queues(tmp_path: Path) -> None:
    known: dict[str, Any] = {}

    @eisenmp.worker
    def find(toolbox: Any, rows: Any) -> None:
        known["queue"].put((os.getpid(), os.getppid()))

    emp = eisenmp.Mp(find, procs_max=1, rows_max=1, start_method="forkserver")
    known["queue"] = emp.queue("seen", maxsize=8)
    with emp:
        emp.feed(range(3)).wait()
        pid, parent = known["queue"].get(timeout=PATIENCE)
    assert os.getpid() not in (pid, parent)


def test_what_a_worker_started_in_its_group_ends_with_it(open_crew: Callable[..., Crew]) -> None:
    crew = open_crew(
        """
        import subprocess

        def extra(toolbox):
            return subprocess.Popen(["sleep", "1000"]).pid
        """,
        procs_max=1,
    )
    report = crew.report()
    os.kill(report["pid"], signal.SIGKILL)
    assert leaks.wait_gone(report["extra"], PATIENCE)
