"""The inline engine leaves the process as it found it; `eventually` waits, and says what it waited for."""

from __future__ import annotations

import pickle
import signal
import sys
import threading
import warnings
from pathlib import Path
from typing import Any

import pytest

import eisenmp
from eisenmp.manager import events
from eisenmp.testing import eventually

LONG = 30.0  # seconds; only a defect lets anything here wait so long

WORKER = """
import os, sys, threading
import eisenmp

@eisenmp.worker
def report(toolbox, rows):
    import inline_helper
    return [os.getpid(), threading.current_thread().name, toolbox.WORKER_NAME, inline_helper.WORD]

@eisenmp.worker
def waits(toolbox, rows):
    toolbox.queue("told").put("here")
    rows[0].wait()
    toolbox.queue("told").put("never")

@eisenmp.worker
def kills_itself(toolbox, rows):
    if rows[0]:
        toolbox.worker.restart("it asked for it")
        toolbox.queue("gate").get()
    return "done"

@eisenmp.worker
def leaves(toolbox, rows):
    sys.exit(5)

@eisenmp.worker
def takes(toolbox, rows):
    rows[0].put("from a worker")
    return [type(rows[0]).__name__, rows[0]]
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A worker file, and a module beside it that is imported late."""
    (tmp_path / "inline_worker.py").write_text(WORKER)
    (tmp_path / "inline_helper.py").write_text("WORD = 'found'\n")
    return tmp_path


def inline(folder: Path, name: str, **settings: Any) -> eisenmp.Mp:
    return eisenmp.Mp(
        f"{folder}/inline_worker.py:{name}", engine="inline", **{"rows_max": 1, "procs_max": 2, **settings}
    )


def state() -> tuple[object, ...]:
    return (
        list(sys.path), list(sys.argv), sys.stdout, sys.stderr, threading.current_thread().name,
        signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM),
    )  # fmt: skip


def test_workers_are_threads_of_this_process(folder: Path) -> None:
    import os

    before = state()
    with inline(folder, "report") as emp:
        values = [r.value for r in emp.feed(range(10))]
        names = {slot.name for slot in emp.proc_list}
        # the handlers of signals are the manager's as long as it is there
        assert state()[1:-2] == before[1:-2]
    for pid, thread, name, word in values:
        assert (pid, thread, word) == (os.getpid(), name, "found")
        assert name in names
    assert state() == before


def test_a_queue_is_the_one_of_who_unpickles_it(folder: Path) -> None:
    """The manager's in the program, the worker's in its thread, although both are in one process."""
    with inline(folder, "takes") as emp:
        queue = emp.queue("travels", maxsize=9)
        assert pickle.loads(pickle.dumps(queue)) is queue
        results = [r.value for r in emp.feed([queue] * 4)]
        assert {kind for kind, _ in results} == {"WorkerQueue"}
        assert all(back is queue for _, back in results)
        assert [queue.get(timeout=LONG) for _ in range(4)] == ["from a worker"] * 4
        assert pickle.loads(pickle.dumps(queue)) is queue


def test_a_worker_that_is_killed_stops_at_its_next_word(folder: Path) -> None:
    with inline(folder, "kills_itself", procs_max=1, retries={"death": 1000}) as emp:
        deaths: list[Any] = []
        emp.on(events.WorkerDied, deaths.append)
        emp.queue("gate")
        feed = emp.feed([True])
        eventually(lambda: len(deaths) >= 2)
        feed.cancel()
        assert [r.value for r in emp.feed([False])] == ["done"]
        assert "it asked for it" in deaths[0].cause


def test_leaving_the_interpreter_is_a_death(folder: Path) -> None:
    with inline(folder, "leaves", procs_max=1) as emp:
        with pytest.raises(eisenmp.WorkerDied, match="exit code 5"):
            list(emp.feed([1]))


def test_a_thread_that_does_not_come_back_is_named(folder: Path) -> None:
    """A process would be killed; a thread cannot be."""

    class Stuck(threading.Event):
        def __reduce__(self) -> tuple[Any, ...]:
            return _stuck, ()

    global _event
    _event = Stuck()
    emp = inline(folder, "waits", procs_max=1)
    told = emp.queue("told", maxsize=2)
    emp.start()
    name = emp.proc_list[0].name
    emp.feed([_event])
    assert told.get(timeout=LONG) == "here"
    with pytest.warns(RuntimeWarning, match=f"inline worker {name} does not come back"):
        emp.stop(grace=0.0)
    (thread,) = [thread for thread in threading.enumerate() if thread.name == name]
    _event.set()
    thread.join(LONG)
    assert not thread.is_alive()


_event: threading.Event


def _stuck() -> threading.Event:
    return _event


def test_nothing_is_said_when_all_come_back(folder: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with inline(folder, "report") as emp:
            emp.feed(range(3)).wait(LONG)


# eventually


def test_eventually_gives_the_first_true_value() -> None:
    values = iter([0, None, "", "true", "late"])
    assert eventually(lambda: next(values)) == "true"


def test_eventually_says_what_did_not_come() -> None:
    with pytest.raises(AssertionError, match=r"not true within 0\.01 s: .*<lambda>.* gives \[\]"):
        eventually(lambda: [], timeout=0.01)
