"""The guard of conftest.py sees one of each kind, lets the harmless pass and cleans up behind itself."""

from __future__ import annotations

import _multiprocessing
import _thread
import mmap
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import pytest

from eisenmp.child.loader import Source, load
from tests import leaks, surroundings

ROOT = Path(__file__).resolve().parents[2]
WAITS = "import sys; print('up', flush=True); sys.stdin.read()"


def kinds(before: leaks.Snapshot) -> list[str]:
    return [leak.kind for leak in leaks.leaked(before, grace=0.0)]


def start_raw(release: threading.Event) -> None:
    """Start a thread behind the back of threading; the interpreter lists it once it runs."""
    running = threading.Event()

    def run() -> None:
        running.set()
        release.wait()

    _thread.start_new_thread(run, ())
    running.wait()


def spawn(program: str) -> int:
    """Start an interpreter and give nothing but its pid, so that only the guard looks after it."""
    return os.posix_spawn(sys.executable, [sys.executable, "-S", "-c", program], dict(os.environ))


@pytest.fixture
def release() -> Iterator[threading.Event]:
    event = threading.Event()
    yield event
    event.set()


# -- processes -----------------------------------------------------------------------------------


def test_a_running_child_is_found_and_ended() -> None:
    before = leaks.snapshot()
    pid = spawn("import signal; signal.pause()")
    (leak,) = leaks.leaked(before, grace=0.0)
    assert leak.kind == "process"
    assert leak.text.startswith(f"{pid} (")
    leaks.clean_up(before)
    assert kinds(before) == []
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_an_orphaned_grandchild_in_its_own_session_is_found() -> None:
    before = leaks.snapshot()
    parent = (
        "import subprocess, sys\n"
        "command = [sys.executable, '-S', '-c', 'import signal; signal.pause()']\n"
        "print(subprocess.Popen(command, stdout=subprocess.DEVNULL, start_new_session=True).pid)\n"
        "sys.stdout.flush()\n"
        "import os; os._exit(0)"
    )
    grandchild = int(
        subprocess.run([sys.executable, "-c", parent], stdout=subprocess.PIPE, check=True).stdout
    )
    assert [leak.text.split()[0] for leak in leaks.leaked(before, grace=0.0)] == [str(grandchild)]
    leaks.clean_up(before)
    assert leaks.is_gone(grandchild)


def test_a_zombie_is_gone_and_its_entry_collected() -> None:
    before = leaks.snapshot()
    pid = spawn("pass")
    os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
    os.kill(pid, 0)  # still an entry in the table
    assert leaks.is_gone(pid)
    assert kinds(before) == []
    with pytest.raises(ChildProcessError):
        os.waitpid(pid, 0)


def test_a_zombie_of_somebody_who_still_looks_after_it_is_left_to_him() -> None:
    pid = spawn("import signal; signal.pause()")
    before = leaks.snapshot()
    os.kill(pid, signal.SIGKILL)
    assert leaks.wait_gone(pid)
    assert kinds(before) == []
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == -9


def test_a_leaving_child_gets_its_grace(monkeypatch: pytest.MonkeyPatch) -> None:
    def let_go(processes: Iterable[leaks.Process], timeout: float) -> None:
        for process in processes:
            os.kill(process.pid, signal.SIGKILL)
        wait(processes, timeout)

    wait = leaks._wait_processes
    monkeypatch.setattr(leaks, "_wait_processes", let_go)
    before = leaks.snapshot()
    spawn("import signal; signal.pause()")
    assert leaks.leaked(before, grace=60.0) == ()


def test_wait_gone_tells_running_from_gone() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", WAITS], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == b"up\n"
        assert not leaks.wait_gone(child.pid, timeout=0.0)
        child.kill()
        assert leaks.wait_gone(child.pid)
    assert leaks.wait_gone(child.pid)


# -- threads -------------------------------------------------------------------------------------


@pytest.mark.parametrize("daemon", [False, True])
def test_a_thread_is_found(release: threading.Event, daemon: bool) -> None:
    before = leaks.snapshot()
    thread = threading.Thread(target=release.wait, name="left-alone", daemon=daemon)
    thread.start()
    (leak,) = leaks.leaked(before, grace=0.0)
    assert leak.kind == "thread"
    assert "left-alone" in leak.text


def test_a_thread_that_threading_never_saw_is_found(release: threading.Event) -> None:
    before = leaks.snapshot()
    start_raw(release)
    assert kinds(before) == ["thread"]


def test_a_leaving_thread_is_joined(release: threading.Event) -> None:
    class EndsWhenJoined(threading.Thread):
        def join(self, timeout: float | None = None) -> None:
            release.set()
            super().join(timeout)

    before = leaks.snapshot()
    EndsWhenJoined(target=release.wait).start()
    assert leaks.leaked(before, grace=60.0) == ()


def test_a_raw_thread_that_leaves_is_waited_for(
    release: threading.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    def let_go(thread: threading.Thread | int, timeout: float) -> None:
        release.set()
        wait(thread, timeout)

    wait = leaks._wait_thread
    monkeypatch.setattr(leaks, "_wait_thread", let_go)
    before = leaks.snapshot()
    start_raw(release)
    assert leaks.leaked(before, grace=60.0) == ()


# -- descriptors ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "make",
    [
        lambda: os.open("/dev/null", os.O_RDONLY),
        lambda: os.dup(2),
        lambda: os.open(".", os.O_RDONLY),
        lambda: os.pidfd_open(os.getpid()),
        lambda: socket.socket().detach(),
    ],
    ids=["file", "dup", "directory", "pidfd", "socket"],
)
def test_a_descriptor_is_found(make: Callable[[], int]) -> None:
    before = leaks.snapshot()
    number = make()
    try:
        (leak,) = leaks.leaked(before)
        assert leak.kind == "descriptor"
        assert leak.text.startswith(f"{number} -> ")
    finally:
        os.close(number)
    assert kinds(before) == []


def test_the_same_file_under_another_number_is_no_leak(tmp_path: Path) -> None:
    path = tmp_path / "log"
    first = os.open(path, os.O_CREAT)
    before = leaks.snapshot()
    second = os.open(path, os.O_RDONLY)
    os.close(first)
    assert kinds(before) == []
    os.close(second)


def test_an_object_that_only_waits_for_the_collector_is_no_leak(tmp_path: Path) -> None:
    class Holder:
        def __init__(self) -> None:
            self.itself = self
            self.number = os.open(tmp_path, os.O_RDONLY)

        def __del__(self) -> None:
            os.close(self.number)

    before = leaks.snapshot()
    Holder()
    assert leaks.leaked(before) == ()


# -- memory --------------------------------------------------------------------------------------


@pytest.fixture
def shm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A stand-in for /dev/shm: a name left in the real one would fail whoever runs the suite beside us."""
    monkeypatch.setattr(leaks, "SHM", str(tmp_path))
    return tmp_path


def test_a_name_in_dev_shm_is_found_and_never_unlinked(shm: Path) -> None:
    before = leaks.snapshot()
    path = shm / "region"
    path.write_bytes(b"left behind")
    assert leaks.leaked(before) == (leaks.Leak("memory", str(path)),)
    leaks.clean_up(before)
    assert path.exists()
    assert leaks.leaked(leaks.snapshot()) == ()


def test_a_lock_of_multiprocessing_is_found_as_long_as_it_is_in_use() -> None:
    before = leaks.snapshot()
    lock = _multiprocessing.SemLock(1, 1, 1, f"/mp-test-{os.getpid()}", False)
    assert leaks._mappings() - before.mappings
    assert not leaks._shm() - before.shm
    assert "memory" in kinds(before)
    _multiprocessing.sem_unlink(lock.name)
    del lock
    assert kinds(before) == []


def test_a_name_in_dev_shm_that_a_stranger_holds_is_the_strangers(
    shm: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = shm / "region"
    before = leaks.snapshot()
    program = f"held = open({str(path)!r}, 'w'); {WAITS}"
    with subprocess.Popen(
        [sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == b"up\n"
        assert "memory" in kinds(before)
        with monkeypatch.context() as patch:
            patch.setattr(leaks, "_descendants", lambda: iter(()))
            assert "memory" not in kinds(before)
        child.communicate()
    path.unlink()


def test_the_real_dev_shm_is_looked_at() -> None:
    before = leaks.snapshot()
    # Held open, so that it is a stranger's for everybody else.
    with tempfile.NamedTemporaryFile(dir="/dev/shm") as file:
        assert leaks.Leak("memory", file.name) in leaks.leaked(before)
    assert kinds(before) == []


def test_a_mapped_memfd_is_found_also_without_its_descriptor() -> None:
    before = leaks.snapshot()
    number = os.memfd_create("left-mapped")
    os.ftruncate(number, mmap.PAGESIZE)
    region = mmap.mmap(number, mmap.PAGESIZE)
    os.close(number)
    found = [leak.text for leak in leaks.leaked(before) if leak.kind == "memory"]
    assert len(found) == 1
    assert "/memfd:left-mapped" in found[0]
    region.close()
    assert kinds(before) == []


def test_a_mapping_without_any_file_is_found() -> None:
    before = leaks.snapshot()
    region = mmap.mmap(-1, mmap.PAGESIZE)
    assert kinds(before) == ["memory"]
    region.close()
    assert kinds(before) == []


def test_a_mapped_file_that_was_deleted_is_found(tmp_path: Path) -> None:
    before = leaks.snapshot()
    path = tmp_path / "region"
    path.write_bytes(bytes(mmap.PAGESIZE))
    with path.open("r+b") as file:
        region = mmap.mmap(file.fileno(), mmap.PAGESIZE)
    path.unlink()
    assert "memory" in kinds(before)
    region.close()
    assert kinds(before) == []


# -- imports -------------------------------------------------------------------------------------


def test_what_a_worker_in_this_process_has_imported_is_forgotten(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "path", sys.path[:])
    folder = tmp_path / "forgotten"
    folder.mkdir()
    (folder / "__init__.py").touch()
    before = surroundings.imports()
    for text in ("first", "the second"):
        (folder / "some_worker.py").write_text(f"def find(toolbox): return {text!r}")
        find = load(
            Source("file", "find", str(folder / "some_worker.py"), "forgotten.some_worker", str(tmp_path))
        )
        assert find(None) == text
        assert sys.modules["some_worker"] is sys.modules["forgotten.some_worker"]
        surroundings.forget_worker_files(before)
        assert surroundings.imports() == before


# -- the fixture itself --------------------------------------------------------------------------

CONFTEST = """
from tests import leaks
from tests.conftest import leak_guard, pytest_configure
leaks.GRACE = 0.1
leaks.SHM = "STAND-IN"
"""

LEAKY = """
import mmap, os, signal, subprocess, sys, threading, pytest
WAITS = [sys.executable, "-c", "import signal; signal.pause()"]
kept = []
START = os.getcwd()

@pytest.fixture(scope="module")
def server():
    with subprocess.Popen(WAITS) as process:
        yield
        process.kill()

def test_passes_clean(server): pass
def test_leaks_child(server): kept.append(subprocess.Popen(WAITS))
def test_passes_after_child(): kept.pop().wait()
def test_leaks_thread(): threading.Thread(target=threading.Event().wait, daemon=True).start()
def test_passes_after_thread(): pass
def test_leaks_descriptor(): os.pipe()
def test_passes_after_descriptor(): pass
def test_leaks_shm(): open("STAND-IN/region", "w").close()
def test_passes_after_shm(): assert os.path.exists("STAND-IN/region")
def test_leaks_mapping(): kept.append(mmap.mmap(-1, 4096))
def test_passes_after_mapping(): pass
def test_leaves_directory(tmp_path): os.chdir(tmp_path)
def test_leaves_environment(): os.environ["LEFT"] = "1"; del os.environ["GIVEN"]
def test_leaves_path(): sys.path.insert(0, "/left")
def test_leaves_handler(): signal.signal(signal.SIGUSR1, print)
def test_passes_after_all():
    assert os.getcwd() == START and "LEFT" not in os.environ and os.environ["GIVEN"] == "2"
    assert "/left" not in sys.path and signal.getsignal(signal.SIGUSR1) is signal.SIG_DFL
def test_passes_zombie():
    pid = os.posix_spawn(sys.executable, [sys.executable, "-S", "-c", ""], {})
    os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
"""

CARELESS = """
import os, pytest

@pytest.fixture(scope="module")
def careless():
    yield
    os.dup(1)

def test_passes(careless): pass
"""


@pytest.fixture
def project(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setenv("PYTEST_ADDOPTS", "-p no:anyio")
    monkeypatch.setenv("GIVEN", "2")
    pytester.makeconftest(CONFTEST.replace("STAND-IN", str(pytester.mkdir("shm"))))
    return pytester


def test_the_fixture_fails_each_leaking_test_and_no_other(project: pytest.Pytester) -> None:
    project.makepyfile(LEAKY.replace("STAND-IN", str(project.path / "shm")))
    result = project.runpytest_subprocess("-v", "-p", "no:cacheprovider")
    result.assert_outcomes(passed=17, errors=9)
    failed = [line.split("::")[1].split()[0] for line in result.outlines if line.startswith("ERROR test_")]
    assert failed == [
        "test_leaks_child",
        "test_leaks_thread",
        "test_leaks_descriptor",
        "test_leaks_shm",
        "test_leaks_mapping",
        "test_leaves_directory",
        "test_leaves_environment",
        "test_leaves_path",
        "test_leaves_handler",
    ]
    result.stdout.fnmatch_lines_random(
        [
            "working directory: *test_leaves_directory*",
            "environment: GIVEN is None, was '2'",
            "environment: LEFT is '1', was None",
            "sys.path: new are [[]'/left'], gone are [[]]",
            "signal handler: SIGUSR1 is <built-in function print>, was <Handlers.SIG_DFL: 0>",
        ]
    )


def test_a_leak_of_a_fixture_of_wider_scope_turns_the_run_red(project: pytest.Pytester) -> None:
    project.makepyfile(CARELESS)
    result = project.runpytest_subprocess("-p", "no:cacheprovider")
    result.assert_outcomes(passed=1)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines(["*left behind by fixtures of a module or session*", "descriptor: *"])
