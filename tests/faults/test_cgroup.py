"""Workers in a cgroup: what they start ends with the manager, also when that is killed."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path
from textwrap import dedent

import pytest

import eisenmp
from eisenmp.engine import cgroup, strays
from eisenmp.engine.guardian import Guardian
from eisenmp.testing import eventually
from tests import leaks

from .program import descendants, is_guardian, program
from .test_strays import WORKER

METHODS = ("spawn", "forkserver")
KINDS = ("at once", "one by one")  #: how the kernel ends what is in a cgroup: in version 2, and in version 1

WORKERS = """
    def bare_daemon():
        '''Nothing tells whose it is: no mark, no parent.'''
        read, write = os.pipe()
        command = [sys.executable, "-S", "-c", FORKS, f"/proc/{os.getpid()}/fd/{write}"]
        subprocess.run(command, check=True, env={})
        return int(os.read(read, 100))

    def stopped():
        import signal
        pid = session()
        os.kill(pid, signal.SIGSTOP)
        return pid

    WAYS |= {"bare_daemon": bare_daemon, "stopped": stopped}

    @eisenmp.worker
    def starts_all(toolbox, rows):
        for way in ("session", "daemon", "copy", "bare_daemon", "stopped"):
            print("left", WAYS[way]())
        with eisenmp.Mp(__file__ + ":inner", rows_max=1, procs_max=1) as emp:
            list(emp.feed([0]))

    @eisenmp.worker
    def inner(toolbox, rows):
        print("left", bare_daemon())
        with open("gate") as gate:
            __import__("fcntl").flock(gate, 2)
"""


def place(kind: str) -> str:
    """The directory of the own cgroup in a hierarchy of that kind."""
    for found in cgroup.places():
        try:
            made = cgroup.Cgroup(f"{found}/{cgroup.PREFIX}probe-{os.getpid()}")
        except OSError:
            continue
        at_once = os.path.exists(f"{made.path}/cgroup.kill")
        assert made.close()
        if at_once == (kind == "at once"):
            return found
    pytest.skip(f"no cgroup can be made here whose processes are ended {kind}")


def managed(where: str, worker: str, method: str, *, row: object = 0, then: str = "pass") -> str:
    """A program whose workers are in a cgroup below `where`."""
    return f"""
    import os, signal
    import eisenmp
    from eisenmp.engine import cgroup
    if __name__ == "__main__":
        cgroup.places = lambda: [{where!r}]
        os.set_inheritable(os.open("gate", os.O_RDONLY), True)
        emp = eisenmp.Mp("workers.py:{worker}", rows_max=1, procs_max=1, start_method={method!r})
        with emp:
            feed = emp.feed([{row!r}])
            {then}
            print("done", *(result.value for result in feed), flush=True)
    """


def made_by(where: str, pid: int) -> list[Path]:
    """The cgroups of the managers of that process."""
    return list(Path(where).glob(f"{cgroup.PREFIX}{pid}-*"))


def guardian(pid: int) -> int:
    """The one of the program."""
    (found,) = filter(is_guardian, leaks._children(pid))
    return found


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("method", METHODS)
def test_nothing_outlives_a_manager_that_is_killed(tmp_path: Path, method: str, kind: str) -> None:
    """Neither sessions of their own nor daemons, stopped or without a mark, nor those of a manager within."""
    where = place(kind)
    text = managed(where, "starts_all", method)
    with program(tmp_path, text, workers=dedent(WORKER) + dedent(WORKERS)) as started:
        started.until("left", count=6)
        left = started.values("left")
        (made,) = made_by(where, started.pid)
        below = {*descendants(started.pid), *left}
        assert not [pid for pid in left if leaks.is_gone(pid)]
        started.send(signal.SIGKILL)
        started.process.wait()
        # the guardian is one of them
        assert [pid for pid in below if not leaks.wait_gone(pid)] == []
        assert not made.exists()


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_outlives_a_manager_that_stops(tmp_path: Path, kind: str) -> None:
    where = place(kind)
    text = managed(where, "starts", "spawn", row="bare_daemon")
    with program(tmp_path, text, workers=dedent(WORKER) + dedent(WORKERS)) as started:
        assert started.end() == 0, started.text
        (left,) = started.values("done")
        assert leaks.is_gone(left)
        assert made_by(where, started.pid) == []


COPY = """
            copy = os.fork()
            if not copy:
                signal.pause()
            print("forked", copy, flush=True)"""


def test_the_guardian_hears_nobody_and_holds_nothing(tmp_path: Path) -> None:
    """Nor does a copy of the program keep it from seeing that the manager is gone."""
    text = managed(place("at once"), "starts_all", "spawn", then=COPY.strip())
    with program(tmp_path, text, workers=dedent(WORKER) + dedent(WORKERS)) as started:
        started.until("forked")
        (copy,) = started.values("forked")
        try:
            started.until("left", count=6 - len(started.values("left")))
            pid = guardian(started.pid)
            assert sorted(os.listdir(f"/proc/{pid}/fd")) == ["0", "1", "2"]
            assert os.getsid(pid) == pid
            for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT, signal.SIGPIPE):
                os.kill(pid, number)
            started.send(signal.SIGKILL)
            started.process.wait()
            left = [pid, *started.values("left")]
            assert [pid for pid in left if not leaks.wait_gone(pid)] == []
            assert not leaks.is_gone(copy)
        finally:
            os.kill(copy, signal.SIGKILL)
            assert leaks.wait_gone(copy)


# -- where something of it cannot be had -----------------------------------------------------------


@pytest.fixture
def starter(tmp_path: Path) -> Callable[[], eisenmp.Mp]:
    (tmp_path / "starter.py").write_text(dedent(WORKER))
    return lambda: eisenmp.Mp(f"{tmp_path}/starter.py:starts", rows_max=1, procs_max=1)


def started_and_stopped(emp: eisenmp.Mp, way: str = "daemon") -> int:
    """The number of a daemon that was there, and is gone."""
    with emp:
        (pid,) = (result.value for result in emp.feed([way]))
        assert not leaks.is_gone(pid)
    assert leaks.is_gone(pid)
    return int(pid)


def test_where_there_is_no_cgroup(
    starter: Callable[[], eisenmp.Mp], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """None at all, one that is not the own, one that may not be written."""
    other = tmp_path / "other"
    other.mkdir()
    (other / "cgroup.procs").write_text("1\n")
    for where in ([], ["/nowhere", str(other), "/proc/self"]):
        monkeypatch.setattr(cgroup, "places", lambda where=where: where)
        emp = starter()
        started_and_stopped(emp)
    assert os.listdir(other) == ["cgroup.procs"]


def test_where_there_is_no_shell(starter: Callable[[], eisenmp.Mp], monkeypatch: pytest.MonkeyPatch) -> None:
    """Then a manager that is killed leaves behind what it did before; one that stops does not."""
    where = place("at once")
    monkeypatch.setattr("eisenmp.engine.guardian.SHELL", "/nowhere/sh")
    started_and_stopped(starter())
    assert made_by(where, os.getpid()) == []


def test_one_that_somebody_has_removed(
    starter: Callable[[], eisenmp.Mp], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before a worker has joined it: strays are looked for by their marks."""
    make = cgroup.make
    place("at once")
    removed: list[str] = []

    def make_and_remove(mark: str) -> cgroup.Cgroup | None:
        made = make(mark)
        assert made is not None and cgroup.remove(made.path)
        removed.append(made.path)
        return made

    monkeypatch.setattr(cgroup, "make", make_and_remove)
    started_and_stopped(starter())
    assert removed and not os.path.exists(removed[0])


def test_a_guardian_for_which_the_table_of_descriptors_is_full_leaves_none(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def refuse() -> list[int]:
        raise OSError(errno.EMFILE, "Too many open files")

    monkeypatch.setattr("eisenmp.engine.guardian._inheritable", refuse)
    before = leaks.snapshot()
    guardian = Guardian()
    with pytest.raises(OSError, match="Too many open files"):
        guardian.start(str(tmp_path))
    guardian.dismiss()
    assert leaks.leaked(before) == ()


def test_a_guardian_that_was_killed_is_not_missed(starter: Callable[[], eisenmp.Mp]) -> None:
    where = place("at once")
    with starter() as emp:
        list(emp.feed(["session"]))
        os.kill(guardian(os.getpid()), signal.SIGKILL)
        (made,) = made_by(where, os.getpid())
    assert not made.exists()


# -- what was left behind --------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_what_killed_managers_have_left_is_removed(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """If nothing is in it, and its manager is gone."""
    where = place(kind)
    monkeypatch.setattr(cgroup, "places", lambda: [where])
    with subprocess.Popen(["sleep", "inf"]) as living, subprocess.Popen(["sleep", "inf"]) as inside:
        since = strays.started_at(living.pid)
        left, full, kept = (
            cgroup.Cgroup(f"{where}/{cgroup.PREFIX}{living.pid}-{number:.0f}-{name}")
            for number, name in ((since + 1, "left"), (since + 1, "full"), (since, "kept"))
        )
        os.mkdir(f"{left.path}/below")
        Path(full.path, "cgroup.procs").write_text(str(inside.pid))
        made = cgroup.make("made")
        assert made is not None
        try:
            there = [os.path.exists(each.path) for each in (left, full, kept, made)]
            assert there == [False, True, True, True]
            assert not left.close()
        finally:
            assert [each.close() for each in (full, kept, made)] == [True, True, True]
            living.kill()
        assert inside.wait() == -signal.SIGKILL


def test_one_that_cannot_be_emptied_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    made = cgroup.Cgroup(f"{place('one by one')}/{cgroup.PREFIX}{os.getpid()}-0-full")
    with subprocess.Popen(["sleep", "inf"]) as inside:
        Path(made.path, "cgroup.procs").write_text(str(inside.pid))
        with monkeypatch.context() as patched:
            patched.setattr(cgroup, "end", lambda suspects: False)
            patched.setattr(cgroup, "PATIENCE", 0.0)
            assert not made.close()
        inside.kill()
        inside.wait()
        eventually(lambda: cgroup.remove(made.path))
