"""A worker that has workers: they share its part of the CPUs, and end with it however it ends."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest

import eisenmp
from eisenmp.engine.cpus import SHARE, explain, usable_cpus
from eisenmp.testing import eventually
from tests import leaks

from .program import descendants

METHODS = ("spawn", "forkserver", "fork", "portable", "inline")
PROCESSES = METHODS[:-1]

WORKER = """
    import os, threading
    import eisenmp

    @eisenmp.worker
    def square(toolbox, rows):
        return [row * row for row in rows]

    def square_row(row):
        return row * row

    @eisenmp.worker
    def squares(toolbox, rows):
        '''Has its rows done by workers of its own.'''
        with eisenmp.Mp(__file__ + ":square", rows_max=1, procs_max=2, start_method="spawn") as emp:
            return sorted(value for result in emp.feed(rows) for value in result.value)

    @eisenmp.worker
    def squares_by_imap(toolbox, rows):
        return list(eisenmp.imap(square_row, rows, procs_max=2, start_method="spawn"))

    @eisenmp.worker
    def shares(toolbox, rows):
        from eisenmp.engine.cpus import explain
        with eisenmp.Mp(__file__ + ":share", rows_max=1) as emp:
            (result,) = emp.feed([0])
            return (eisenmp.usable_cpus(), len(emp.proc_list), result.value)

    @eisenmp.worker
    def share(toolbox, rows):
        return eisenmp.usable_cpus()

    @eisenmp.worker
    def waits(toolbox, rows):
        threading.Event().wait()

    @eisenmp.worker
    def manages(toolbox, rows):
        '''Its own worker waits for ever, and so does it.'''
        with eisenmp.Mp(__file__ + ":waits", rows_max=1, procs_max=1, grace=0.05, start_method="spawn") as emp:
            feed = emp.feed([0])
            toolbox.queue("told").put((os.getpid(), emp.proc_list[0].pid))
            how = rows[0]
            if how == "returns":
                emp.stop(grace=0.0)
                return "returned"
            if how == "raises":
                raise ValueError("so it ends")
            if how == "dies":
                os._exit(1)
            if how == "leaves":
                raise SystemExit(2)
            feed.wait()

    @eisenmp.worker
    def keeps(toolbox, rows):
        '''A manager that is not stopped by who started it.'''
        emp = eisenmp.Mp(__file__ + ":square", rows_max=1, procs_max=1, start_method="spawn").start()
        toolbox.instances["kept"] = emp
        return emp.proc_list[0].pid
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "nested.py").write_text(dedent(WORKER))
    return tmp_path


def manager(
    folder: Path, name: str, method: str, monkeypatch: pytest.MonkeyPatch, **settings: Any
) -> eisenmp.Mp:
    if method == "portable":
        monkeypatch.setenv("EISENMP_PORTABLE", "1")
    elif method == "inline":
        settings["engine"] = "inline"
    else:
        settings["start_method"] = method
    settings = {"procs_max": 1, "rows_max": 10, **settings}
    return eisenmp.Mp(f"{folder}/nested.py:{name}", **settings)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("name", ["squares", "squares_by_imap"])
def test_a_worker_may_run_a_manager(
    folder: Path, method: str, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with manager(folder, name, method, monkeypatch, procs_max=2) as emp:
        results = [result.value for result in emp.feed(range(30)).in_order()]
    assert [value for rows in results for value in rows] == [number * number for number in range(30)]


@pytest.fixture
def eight_cpus(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """As on a larger machine: the bound is what decides elsewhere too."""
    monkeypatch.setattr("os.cpu_count", lambda: 8)
    monkeypatch.setattr("os.sched_getaffinity", lambda pid: set(range(8)))
    monkeypatch.setattr("eisenmp.engine.cpus._read_cgroups", lambda root: ([], []))
    yield


@pytest.mark.parametrize("procs, share", [(1, "8"), (2, "4"), (3, "2"), (8, "1"), (20, "1")])
def test_the_share_of_a_worker(
    procs: int, share: str, eight_cpus: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    from eisenmp.manager.crew import environment

    for threads in (None, 3):
        assert environment(threads, procs, usable_cpus())[SHARE] == share
    monkeypatch.setenv("OMP_NUM_THREADS", "5")
    assert environment(None, procs, usable_cpus())[SHARE] == share
    monkeypatch.setenv(SHARE, share)
    assert usable_cpus() == int(share)
    assert environment(None, 2, usable_cpus())[SHARE] == str(max(1, int(share) // 2)), "a share of a share"


@pytest.mark.parametrize(("text", "cpus"), [("3", 3), ("0", None), ("many", None), ("", None)])
def test_why_a_worker_has_no_more(
    text: str, cpus: int | None, eight_cpus: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(SHARE, text)
    assert usable_cpus() == (cpus or 8)
    (decides,) = (bound for bound in explain() if bound.binding)
    assert (SHARE in decides.source) is (cpus is not None)
    assert any(SHARE in bound.source for bound in explain()) is bool(text)


@pytest.mark.parametrize("method", PROCESSES)
def test_managers_in_workers_have_their_share(
    folder: Path, method: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As many workers as CPUs are left to it."""
    here = usable_cpus()
    with manager(folder, "shares", method, monkeypatch, procs_max=here) as emp:
        assert [result.value for result in emp.feed([0])] == [(1, 1, 1)]


WAYS = (
    "returns",
    "raises",
    "dies",
    "leaves",
    "SIGKILL",
    "SIGTERM",
    "kill",
    "terminate",
    "stop",
    "stop at once",
)


@pytest.mark.parametrize("method", PROCESSES)
@pytest.mark.parametrize("how", WAYS)
def test_they_end_with_it(folder: Path, how: str, method: str, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = {"retries": {"death": 0}, "on_error": "skip", "grace": 0.05}
    emp = manager(folder, "manages", method, monkeypatch, **settings)
    told = emp.queue("told")
    with emp:
        feed = emp.feed([how])
        outer, inner = told.get()
        assert outer != inner
        if how.startswith("SIG"):
            os.kill(outer, getattr(signal, how))
        elif how in ("kill", "terminate"):
            getattr(emp.proc_list[0], how)()
        elif how.startswith("stop"):
            emp.stop(grace=0.0 if how == "stop at once" else None)
        assert leaks.wait_gone(inner)
        if not how.startswith("stop"):
            feed_over = eventually(lambda: feed.is_over)
            assert feed_over
    assert leaks.is_gone(inner)


@pytest.mark.parametrize("method", PROCESSES)
def test_a_manager_that_nobody_stops_ends_with_its_worker(
    folder: Path, method: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with manager(folder, "keeps", method, monkeypatch) as emp:
        (pid,) = (result.value for result in emp.feed([0]))
        assert not leaks.is_gone(pid)
        assert pid in descendants(os.getpid())
    assert leaks.is_gone(pid)


def test_inline_workers_end_their_managers(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A thread cannot be killed: its manager is stopped by its own block."""
    emp = manager(folder, "manages", "inline", monkeypatch, on_error="skip")
    told = emp.queue("told", maxsize=2)
    with emp:
        for how in ("returns", "raises"):
            feed = emp.feed([how])
            outer, inner = told.get()
            assert outer == os.getpid()
            assert feed.wait()
            assert leaks.wait_gone(inner)
