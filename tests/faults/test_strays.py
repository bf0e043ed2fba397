"""Processes that workers start in sessions of their own: a stop of the manager ends them, and only them."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest

import eisenmp
from eisenmp.engine import strays
from eisenmp.testing import eventually
from tests import leaks

METHODS = ("spawn", "forkserver", "portable")

WORKER = """
    import os, subprocess, sys, threading
    import eisenmp

    FORKS = '''
    import os, sys
    if os.fork():
        os._exit(0)
    os.setsid()
    if os.fork():
        os._exit(0)
    with open(sys.argv[1], "w") as told:
        told.write(str(os.getpid()))
    for number in range(3):
        os.close(number)
    os.execvp("sleep", ["sleep", "inf"])
    '''

    def session(environment=None):
        return subprocess.Popen(["sleep", "inf"], start_new_session=True, env=environment).pid

    def daemon():
        '''As daemons do it: a fork, a session, another fork, no descriptors; its parent is gone.'''
        read, write = os.pipe()
        subprocess.run([sys.executable, "-S", "-c", FORKS, f"/proc/{os.getpid()}/fd/{write}"], check=True)
        return int(os.read(read, 100))

    def copy():
        '''A copy of this process, which starts no program.'''
        read, write = os.pipe()
        pid = os.fork()
        if not pid:
            os.setsid()
            os.write(write, b"1")
            threading.Event().wait()
            os._exit(0)
        # else it may still be in the group of its worker when that is killed
        os.read(read, 1)
        os.close(read)
        os.close(write)
        return pid

    def bare():
        return session({})

    WAYS = {"session": session, "daemon": daemon, "copy": copy, "bare": bare}

    @eisenmp.worker
    def starts(toolbox, rows):
        return WAYS[rows[0]]()

    @eisenmp.worker
    def starts_and_waits(toolbox, rows):
        toolbox.queue("told").put(WAYS[rows[0]]())
        threading.Event().wait()

    @eisenmp.worker
    def starts_and_dies(toolbox, rows):
        toolbox.queue("told").put(WAYS[rows[0]]())
        os._exit(1)

    @eisenmp.worker
    def manages(toolbox, rows):
        with eisenmp.Mp(__file__ + ":starts", rows_max=1, procs_max=1) as emp:
            (result,) = emp.feed([rows[0]])
            toolbox.queue("told").put((result.value, session()))
            emp.queue("nothing").get()

    @eisenmp.worker
    def managed(toolbox, rows):
        '''A manager that comes to its end inside of a worker that goes on.'''
        own = session()
        with eisenmp.Mp(__file__ + ":starts", rows_max=1, procs_max=1) as emp:
            (result,) = emp.feed(["daemon"])
        return own, result.value
"""


@pytest.fixture(params=METHODS)
def make(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    (tmp_path / "starter.py").write_text(dedent(WORKER))
    if request.param == "portable":
        monkeypatch.setenv("EISENMP_PORTABLE", "1")

    def manager(name: str, **settings: Any) -> eisenmp.Mp:
        if request.param != "portable":
            settings["start_method"] = request.param
        return eisenmp.Mp(f"{tmp_path}/starter.py:{name}", rows_max=1, procs_max=1, **settings)

    yield manager


@pytest.mark.parametrize("way", ["session", "daemon", "copy"])
def test_they_live_as_long_as_the_manager(make: Any, way: str) -> None:
    """Also when the worker that started them is replaced meanwhile."""
    with make("starts") as emp:
        (first,) = (result.value for result in emp.feed([way]))
        os.kill(emp.proc_list[0].pid, signal.SIGKILL)
        (second,) = (result.value for result in emp.feed([way]))
        assert first != second
        assert not leaks.is_gone(first) and not leaks.is_gone(second)
    assert leaks.is_gone(first) and leaks.is_gone(second), "gone when the block is left, and not soon after"


@pytest.mark.parametrize("way", ["session", "daemon", "copy", "bare"])
def test_a_worker_that_is_killed_takes_them_along(make: Any, way: str) -> None:
    """As long as they are its descendants; the others end with the manager, if they kept their mark."""
    emp = make("starts_and_waits")
    told = emp.queue("told")
    with pytest.raises(eisenmp.Stopped), emp:
        feed = emp.feed([way])
        pid = told.get()
        emp.stop(grace=0.0)
        list(feed)
    assert leaks.is_gone(pid)


@pytest.mark.parametrize("way", ["session", "daemon"])
def test_of_a_worker_that_died_too(make: Any, way: str) -> None:
    emp = make("starts_and_dies", retries={"death": 0})
    told = emp.queue("told")
    with pytest.raises(eisenmp.WorkerDied), emp:
        feed = emp.feed([way])
        pid = told.get()
        list(feed)
    assert leaks.is_gone(pid)


def test_of_managers_within_workers_too(make: Any) -> None:
    emp = make("manages")
    told = emp.queue("told")
    with pytest.raises(eisenmp.Stopped), emp:
        feed = emp.feed(["daemon"])
        pids = told.get()
        emp.stop(grace=0.0)
        list(feed)
    assert [leaks.is_gone(pid) for pid in pids] == [True, True]


def test_nobody_else_s(make: Any) -> None:
    """Not those of a manager around it, of another one, or of the program itself."""
    other = subprocess.Popen(["sleep", "inf"], start_new_session=True)
    try:
        with make("starts") as outer:
            (theirs,) = (result.value for result in outer.feed(["daemon"]))
            with make("managed") as emp:
                ((own, inner),) = (result.value for result in emp.feed([0]))
                assert leaks.is_gone(inner)
                assert not leaks.is_gone(own)
            assert leaks.is_gone(own)
            assert not leaks.is_gone(theirs)
        assert leaks.is_gone(theirs)
        assert other.poll() is None
    finally:
        other.kill()
        other.wait()


def test_a_number_that_was_given_away_is_left_alone() -> None:
    with subprocess.Popen(["sleep", "inf"]) as other:
        started = strays.started_at(other.pid)
        assert started > 0
        assert not strays.end([strays.Suspect(other.pid, started - 1)])
        assert other.poll() is None
        assert strays.end([strays.Suspect(other.pid, started)])
        assert other.wait() == -signal.SIGKILL
    assert strays.started_at(other.pid) == 0
    assert not strays.end([strays.Suspect(other.pid, started)])


def test_process_numbers_that_have_gone_round(monkeypatch: pytest.MonkeyPatch) -> None:
    """Then, or after a while, every process is looked at."""
    found = strays.Strays()
    environment = {**os.environ, **found.marked({})}
    with subprocess.Popen(["sleep", "inf"], env=environment) as other:
        eventually(lambda: [suspect.pid for suspect in found._marked()] == [other.pid])
        found._since = other.pid
        assert found._marked() == []
        for since, started in ((1 << 30, found._started), (other.pid, found._started - 3600)):
            found._since, found._started = since, started
            assert [suspect.pid for suspect in found._marked()] == [other.pid]
        found.end()
        assert other.wait() == -signal.SIGKILL


def test_without_a_proc_file_system(monkeypatch: pytest.MonkeyPatch) -> None:
    """As on macOS."""
    found = strays.Strays()
    environment = {**os.environ, **found.marked({strays.MARK: "another"})}
    assert environment[strays.MARK] == f"another {found.mark}"
    with subprocess.Popen(["sleep", "inf"], env=environment) as other:
        eventually(lambda: found._marked())
        monkeypatch.setattr(strays, "PROC", "/nowhere")
        monkeypatch.setattr("eisenmp.wire.platform.pidfd", lambda pid: None)
        assert strays.below(os.getpid()) == []
        assert [suspect.pid for suspect in found._marked()] == [other.pid]
        found.end()
        assert other.wait() == -signal.SIGKILL
