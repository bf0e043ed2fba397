"""START_METHOD forkserver when something dies, fails to load, or cannot be forked."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import eisenmp
from eisenmp.engine.local import LocalEngine
from eisenmp.engine.zygote import cannot_fork
from eisenmp.manager.events import WorkerStarted
from tests import leaks
from tests.processes.forked import PATIENCE, REPORT, Crew, crews, importers, write

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


# -- deaths ----------------------------------------------------------------------------------------


def test_a_killed_worker_is_replaced_in_its_slot(open_crew: Callable[..., Crew]) -> None:
    crew = open_crew()
    before = crew.reports()
    os.kill(before[1]["pid"], signal.SIGKILL)
    after = crew.report()
    kept = ("slot", "id", "name", "parent")
    assert [after[key] for key in kept] == [before[1][key] for key in kept]
    assert after["pid"] != before[1]["pid"]
    assert crew.work() == [2 * row for row in range(200)]
    [death] = crew.deaths
    assert (death.slot, death.pid, death.exitcode) == (1, before[1]["pid"], -signal.SIGKILL)
    assert "SIGKILL" in death.cause
    assert crew.emp.proc_list[1].pid == after["pid"]


def test_exit_codes_come_from_the_zygote(open_crew: Callable[..., Crew]) -> None:
    crew = open_crew(
        """
        @eisenmp.worker
        def double(toolbox, rows):
            os._exit(7)
        """,
        procs_max=1,
    )
    with pytest.raises(eisenmp.WorkerDied) as caught:
        list(crew.emp.feed([1]))
    assert caught.value.exitcode == 7
    assert {death.exitcode for death in crew.deaths} == {7}


def test_workers_outlive_their_zygote_and_a_new_one_forks_the_next(
    open_crew: Callable[..., Crew], tmp_path: Path
) -> None:
    crew = open_crew()
    before = crew.reports()
    os.kill(before[0]["parent"], signal.SIGKILL)
    assert leaks.wait_gone(before[0]["parent"], PATIENCE)
    assert crew.work() == [2 * row for row in range(200)]
    assert not crew.deaths
    os.kill(before[2]["pid"], signal.SIGKILL)
    after = crew.report()
    assert (after["slot"], after["id"], after["name"]) == tuple(
        before[2][key] for key in ("slot", "id", "name")
    )
    assert after["parent"] not in (before[0]["parent"], os.getpid())
    assert importers(tmp_path) == [before[0]["parent"], after["parent"]]
    assert crew.work() == [2 * row for row in range(200)]
    [death] = crew.deaths
    assert death.exitcode is None
    assert death.pid == before[2]["pid"]


def test_after_many_dead_zygotes_workers_are_spawned(open_crew: Callable[..., Crew], tmp_path: Path) -> None:
    crew = open_crew(procs_max=1)
    with pytest.warns(RuntimeWarning, match="the zygote has ended 8 times"):
        while (report := crew.report())["parent"] != os.getpid():
            crew.wait_for(lambda: report["pid"] in {event.pid for event in crew.ready})
            os.kill(report["parent"], signal.SIGKILL)
            assert leaks.wait_gone(report["parent"], PATIENCE)
            os.kill(report["pid"], signal.SIGKILL)
        assert crew.work() == [2 * row for row in range(200)]
        crew.emp.stop()
    assert len(set(importers(tmp_path))) == 9


def test_a_death_behind_a_stopped_zygote_is_noticed(open_crew: Callable[..., Crew]) -> None:
    crew = open_crew(procs_max=2)
    reports = crew.reports(2)
    os.kill(reports[0]["parent"], signal.SIGSTOP)
    try:
        os.kill(reports[0]["pid"], signal.SIGKILL)
        assert crew.work() == [2 * row for row in range(200)]
        crew.wait_for(lambda: bool(crew.deaths))
        assert [death.exitcode for death in crew.deaths] == [None]
    finally:
        os.kill(reports[0]["parent"], signal.SIGCONT)
    assert crew.report()["slot"] == 0


# -- starts that fail ------------------------------------------------------------------------------

BROKEN = {
    "raises": "import eisenmp\n\nraise ValueError('not today')\n",
    "exits": "raise SystemExit(4)\n",
    "misses a module": "import no_such_module_at_all\n",
    "misses the name": "import eisenmp\n",
    "has another signature": "def double(toolbox, rows, more): pass\n",
    "has a mate that raises": (
        "def double(toolbox): return False\n\n\ndef report(toolbox): raise KeyError('no')\n"
    ),
}


@pytest.mark.parametrize("text", BROKEN.values(), ids=BROKEN)
def test_load_errors_are_those_of_spawn(text: str, tmp_path: Path) -> None:
    path = write(tmp_path, text)
    if "def double" in text and "def report" not in text:
        path.write_text(text + "def report(toolbox): pass\n")
    found = []
    for method in ("spawn", "forkserver"):
        emp = eisenmp.Mp(f"{path}:double", f"{path}:report", procs_max=2, start_method=method)
        with pytest.raises(eisenmp.LoadError) as caught, emp:
            list(emp.feed(range(10)))
        error = caught.value
        found.append((str(error), error.path, error.line, error.traceback_text, str(error.__cause__)))
    assert found[0] == found[1]
    assert str(path) in found[0][0]


def test_an_import_that_ends_the_process_is_a_death(tmp_path: Path) -> None:
    path = write(tmp_path, REPORT, "os._exit(9)")
    crew = Crew(path, procs_max=2)
    with pytest.raises(eisenmp.WorkerDied, match=r"cannot start: .* exit code 9"), crew:
        crew.work()


def test_a_manager_stops_while_the_zygote_hangs_in_an_import(tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    os.mkfifo(gate)
    crew = Crew(write(tmp_path, REPORT, f"open({str(gate)!r}).read()"))
    started: list[WorkerStarted] = []
    crew.emp.on(WorkerStarted, started.append)
    crew.emp.start()
    descriptor = os.open(gate, os.O_WRONLY)  # returns once the import has opened it
    try:
        crew.emp.stop(grace=0.0)
    finally:
        os.close(descriptor)
    assert not started


def test_a_hanging_import_is_given_up_after_start_timeout(tmp_path: Path) -> None:
    path = write(tmp_path, REPORT, "import signal\nwhile True: signal.pause()")
    crew = Crew(path, start_timeout=0.2)
    with pytest.raises(eisenmp.WorkerDied, match="start_timeout"), crew:
        crew.work()
    assert len({death.pid for death in crew.deaths}) == 3, "each attempt has a new interpreter"


def test_a_worker_may_be_ended_before_it_is_forked(tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    os.mkfifo(gate)
    crew = Crew(write(tmp_path, REPORT, f"open({str(gate)!r}).read()"))
    crew.emp.start()
    descriptor = os.open(gate, os.O_WRONLY)
    crew.emp.proc_list[1].terminate()
    crew.emp.proc_list[1].join(PATIENCE)
    assert not crew.emp.proc_list[1].is_alive()
    os.close(descriptor)
    with crew:
        assert [report["slot"] for report in crew.reports(2)] == [0, 2]
        assert crew.work() == [2 * row for row in range(200)]


# -- falling back to spawn -------------------------------------------------------------------------

THREADS = {
    "threading": (
        """
        import threading
        threading.Thread(target=threading.Event().wait, name="ticker", daemon=True).start()
        """,
        "ticker",
    ),
    "_thread": (
        """
        import _thread
        lock = _thread.allocate_lock()
        lock.acquire()
        _thread.start_new_thread(lock.acquire, ())
        """,
        "none of Python",
    ),
}


@pytest.mark.parametrize(("text", "which"), THREADS.values(), ids=THREADS)
def test_an_import_that_starts_a_thread_has_the_workers_spawned(
    tmp_path: Path, text: str, which: str
) -> None:
    path = write(tmp_path, REPORT, text)
    crew = Crew(path)
    crew.emp.broadcast(factor=2)
    with (
        pytest.warns(RuntimeWarning, match=rf"not forked: importing .*module\.py started 1 thread .*{which}"),
        crew,
    ):
        reports = crew.reports()
        assert crew.work() == [2 * row for row in range(200)]
    assert [report["parent"] for report in reports] == [os.getpid()] * 3
    assert len(importers(tmp_path)) == 4


def test_a_tool_that_starts_a_thread_has_later_workers_spawned(
    open_crew: Callable[..., Crew], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    library = tmp_path / "library"
    library.mkdir()
    (library / "forkserver_ticker.py").write_text(
        "import threading\n\n\ndef start():\n"
        "    threading.Thread(target=threading.Event().wait, daemon=True).start()\n    return 'ticking'\n\n\n"
        "class Ticker:\n    def __reduce__(self):\n        return start, ()\n"
    )
    monkeypatch.syspath_prepend(str(library))
    from forkserver_ticker import Ticker

    crew = open_crew("def extra(toolbox): return toolbox.tools.get('ticker')")
    before = crew.reports()
    with pytest.warns(RuntimeWarning, match="unpickling a tool started 1 thread"):
        crew.emp.broadcast(ticker=Ticker())
        os.kill(before[0]["pid"], signal.SIGKILL)
        after = crew.report()
        crew.emp.stop()
    assert (after["slot"], after["parent"], after["extra"]) == (0, os.getpid(), "ticking")
    del sys.modules["forkserver_ticker"]


def test_the_portable_path_spawns_with_a_warning(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EISENMP_PORTABLE", "1")
    crew = Crew(write(tmp_path, REPORT), procs_max=2)
    with pytest.warns(RuntimeWarning, match="workers are not forked"), crew:
        crew.reports(2)
        assert crew.work() == [2 * row for row in range(200)]
    assert len(importers(tmp_path)) == 2


def test_an_environment_of_its_own_needs_a_spawned_worker(tmp_path: Path) -> None:
    crew = Crew(write(tmp_path, REPORT, "def extra(toolbox): return os.environ.get('OWN')"))
    engine = crew.emp.engine
    assert isinstance(engine, LocalEngine)
    spawn = engine.spawn

    def spawn_with(wid: int, launch: Any, **options: Any) -> int:
        if launch.name.endswith("x"):
            launch = launch._replace(environment={**launch.environment, "OWN": "mine"})
        return spawn(wid, launch, **options)

    engine.spawn = spawn_with  # type: ignore[method-assign]
    crew.emp._crew.add_slot()
    crew.emp._crew.slots[0].name += "x"
    crew.emp._crew.slots.clear()
    with crew:
        crew.reports()
        slot = crew.emp._crew.add_slot()
        slot.name += "x"
        with pytest.warns(RuntimeWarning, match=f"{slot.name} is spawned"):
            with crew.emp.dispatcher.lock:
                crew.emp.dispatcher.supervisor.start_slot(slot)
            own = crew.report()
            crew.emp.stop()
    assert (own["parent"], own["extra"], own["name"]) == (os.getpid(), "mine", slot.name)


def test_more_workers_are_forked_after_a_resize(open_crew: Callable[..., Crew]) -> None:
    crew = open_crew("def extra(toolbox): return os.environ['OMP_NUM_THREADS']", procs_max=1)
    first = crew.report()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        crew.emp.resize(3)
        others = crew.reports(2)
    assert {report["parent"] for report in others} == {first["parent"]}
    assert {report["extra"] for report in others} == {first["extra"]}


# -- the end of the manager ------------------------------------------------------------------------

MANAGER = """
import sys
import eisenmp

emp = eisenmp.Mp(sys.argv[1] + ":double", sys.argv[1] + ":report", procs_max=3, start_method="forkserver")
seen = emp.queue("seen", maxsize=8)
emp.start()
reports = [seen.get(timeout=60) for _ in range(3)]
print(*[report["pid"] for report in reports], reports[0]["parent"], flush=True)
sys.stdin.read()
"""


@pytest.mark.parametrize("stopped", [None, "a worker", "the zygote", "all"])
def test_all_end_with_a_killed_manager(tmp_path: Path, stopped: str | None) -> None:
    path = write(tmp_path, REPORT)
    program = tmp_path / "manager.py"
    program.write_text(MANAGER)
    manager = subprocess.Popen(
        [sys.executable, str(program), str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert manager.stdout is not None and manager.stdin is not None
    pids = [int(pid) for pid in manager.stdout.readline().split()]
    assert len(pids) == 4
    sentinels = {os.pidfd_open(pid): pid for pid in pids}
    for pid in {"a worker": pids[:1], "the zygote": pids[3:], "all": pids}.get(stopped or "", []):
        os.kill(pid, signal.SIGSTOP)
    manager.kill()
    poll = select.poll()
    for sentinel in sentinels:
        poll.register(sentinel, select.POLLIN)
    deadline = time.monotonic() + PATIENCE
    waiting = dict(sentinels)
    while waiting and time.monotonic() < deadline:
        for sentinel, _ in poll.poll(1000):
            poll.unregister(sentinel)
            del waiting[sentinel]
    for sentinel in sentinels:
        os.close(sentinel)
    for stream in (manager.stdin, manager.stdout):
        stream.close()
    manager.wait()
    assert not waiting


def test_nothing_is_left_when_the_manager_stops(open_crew: Callable[..., Crew]) -> None:
    crew = open_crew()
    reports = crew.reports()
    crew.emp.stop()
    for pid in {reports[0]["parent"], *(report["pid"] for report in reports)}:
        assert leaks.is_gone(pid)
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("eisenmp")]


FORKING = """
import os, sys
import eisenmp

def held():
    links = [f"/proc/self/fd/{name}" for name in os.listdir("/proc/self/fd")]
    return sorted(os.readlink(link).partition(":")[0] for link in links if os.path.exists(link))

before = held()
emp = eisenmp.Mp(sys.argv[1] + ":double", sys.argv[1] + ":report", procs_max=2, start_method="forkserver")
seen = emp.queue("seen", maxsize=8)
with emp:
    zygote = [seen.get(timeout=60)["parent"] for _ in range(2)][0]
    pid = os.fork()
    if pid == 0:
        os._exit(0 if held() == before else 1)
    print(os.waitpid(pid, 0)[1], end=" ")
    print(sum(value for result in emp.feed(range(100)) for value in result.value), end=" ")
print(before == held())
"""


def test_a_copy_of_the_program_made_by_fork_lets_go_of_everything(tmp_path: Path) -> None:
    path = write(tmp_path, REPORT)
    (tmp_path / "program.py").write_text(FORKING)
    command = [sys.executable, "-W", "ignore", str(tmp_path / "program.py"), str(path)]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.stderr == ""
    assert result.stdout.split() == ["0", "9900", "True"]


def test_a_changed_sys_argv_changes_nothing(
    open_crew: Callable[..., Crew], monkeypatch: pytest.MonkeyPatch
) -> None:
    crew = open_crew("import sys\nARGV = list(sys.argv)\ndef extra(toolbox): return ARGV")
    before = crew.reports()
    monkeypatch.setattr(sys, "argv", ["something", "else"])
    os.kill(before[0]["pid"], signal.SIGKILL)
    after = crew.report()
    assert (after["parent"], after["extra"]) == (before[0]["parent"], before[0]["extra"])
