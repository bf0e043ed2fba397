"""The portable path: the whole contract without what only Linux has is in tests/contract, as `stripped`.

Here: that it is taken, that the system is really stripped in manager and workers, and what is its own.
"""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

import eisenmp
from eisenmp.engine.local import LocalEngine
from eisenmp.engine.portable import PortableEngine
from eisenmp.testing import eventually

ROOT = Path(__file__).parents[2]
STRIPPED = ROOT / "tests" / "stripped"

WORKER = """
import sys
import eisenmp

def missing():
    import _signal, _socket, os, select, signal, socket
    found = [name for name in ("fork", "memfd_create", "pidfd_open", "posix_spawn", "sched_setaffinity")
             if hasattr(os, name)]
    found += [name for name in ("AF_UNIX", "socketpair") if hasattr(_socket, name)]
    found += [name for name in ("epoll", "poll") if hasattr(select, name)]
    found += [name for name in ("SIGKILL",) if hasattr(_signal, name) or hasattr(signal, name)]
    found += ["AF_UNIX"] if hasattr(socket, "AF_UNIX") else []
    for name in ("fcntl", "resource"):
        try:
            __import__(name)
            found.append(name)
        except ImportError:
            pass
    return found

@eisenmp.worker
def report(toolbox, rows):
    return missing()

@eisenmp.worker
def says(toolbox, rows):
    import threading
    return sys.stdin.read(), sorted(thread.name for thread in threading.enumerate())
"""


@pytest.fixture
def worker(tmp_path: Path) -> str:
    path = tmp_path / "portable_worker.py"
    path.write_text(WORKER)
    return str(path)


@pytest.fixture(autouse=True)
def portable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EISENMP_PORTABLE", "1")


def run_stripped(code: str) -> subprocess.CompletedProcess[str]:
    path = os.pathsep.join(filter(None, (str(STRIPPED), str(ROOT), os.environ.get("PYTHONPATH"))))
    environment = {**os.environ, "PYTHONPATH": path}
    del environment["EISENMP_PORTABLE"]
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", code], cwd=ROOT, env=environment, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=100, check=False,
    )  # fmt: skip


def test_the_environment_takes_the_portable_path(monkeypatch: pytest.MonkeyPatch) -> None:
    assert type(eisenmp.Mp().engine) is PortableEngine
    monkeypatch.setenv("EISENMP_PORTABLE", "0")
    assert type(eisenmp.Mp().engine) is LocalEngine


def test_the_stripped_system_is_stripped_in_manager_and_workers(worker: str) -> None:
    """Else the contract suite would prove nothing there."""
    code = f"""
import sys, eisenmp
sys.path.insert(0, {str(Path(worker).parent)!r})
from portable_worker import missing
with eisenmp.Mp({worker!r} + ":report", procs_max=1) as emp:
    print(type(emp.engine).__name__, missing(), [r.value for r in emp.feed([1])])
"""
    run = run_stripped(code)
    assert (run.stdout, run.stderr) == ("PortableEngine [] [[]]\n", "")


def test_pairs_of_sockets_need_no_unix() -> None:
    code = """
import socket
from eisenmp.wire.platform import loopback_pair
left, right = loopback_pair()
left.sendall(b"over loopback")
print(right.recv(100), left.family == socket.AF_INET, left.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))
left.close()
right.close()
"""
    run = run_stripped(code)
    assert (run.stdout, run.stderr) == ("b'over loopback' True 1\n", "")


def test_a_worker_has_an_empty_standard_input(worker: str) -> None:
    """The key that came on it is read, and nothing else is there."""
    with eisenmp.Mp(f"{worker}:says", procs_max=1) as emp:
        ((text, threads),) = [r.value for r in emp.feed([1])]
    assert text == ""
    assert threads == ["MainThread", "eisenmp-channel"]


def test_the_key_is_not_in_the_command_line(worker: str) -> None:
    with eisenmp.Mp(f"{worker}:report", procs_max=1) as emp:
        emp.feed([1]).wait(60)
        command = Path(f"/proc/{emp.proc_list[0].pid}/cmdline").read_bytes()
        (process,) = vars(emp.engine)["workers"].values()
        assert b"connect" in command
        assert process.key.hex().encode() not in command


def test_every_thread_has_a_name_and_ends(worker: str) -> None:
    before = set(threading.enumerate())
    with eisenmp.Mp(f"{worker}:report", procs_max=2) as emp:
        emp.feed([1]).wait(60)
        names = {thread.name for thread in threading.enumerate() if thread not in before}
        assert {f"eisenmp-{kind}-{wid}" for kind in ("reader", "waiter") for wid in (1, 2)} <= names
        emp.resize(1)
        # a worker that left takes its threads with it, while the manager goes on
        eventually(lambda: not any(thread.name == "eisenmp-waiter-2" for thread in threading.enumerate()))
        eventually(lambda: not any(thread.name == "eisenmp-reader-2" for thread in threading.enumerate()))
    assert set(threading.enumerate()) == before


def test_only_one_connection_is_let_in_per_key(worker: str) -> None:
    from eisenmp.wire.handshake import connect

    with eisenmp.Mp(f"{worker}:report", procs_max=1) as emp:
        emp.feed([1]).wait(60)
        (process,) = vars(emp.engine)["workers"].values()
        port = vars(emp.engine)["_listener"].getsockname()[1]
        with pytest.raises(ConnectionError):
            connect(port, process.key)
        assert [r.value is not None for r in emp.feed([1])] == [True]
