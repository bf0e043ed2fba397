"""The user's own multiprocessing objects in the configuration."""

from __future__ import annotations

import multiprocessing
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

import eisenmp
from eisenmp import SettingsError
from tests.compat.managers import configuration, stopped_at_the_end
from tests.compat.running import run

fork = multiprocessing.get_context("fork")


@pytest.mark.parametrize("context", ["", "spawn", "fork", "forkserver"])
def test_queues_locks_events_values_and_pipes_of_the_program(context: str) -> None:
    finished = run("shared.py", *filter(None, [context]))

    assert finished.code == 0, finished.err
    assert finished.err == ""
    answers, total, numbers, names = finished.returned
    assert answers == [(order, order * 2) for order in range(20)]
    assert total == sum(range(20)), "no addition got lost: the lock of the value is shared"
    assert numbers == [1.5, 1.5, 0.0, 0.0]
    assert names == ["Process-1", "Process-2"]


def test_segments_and_proxies_outlive_a_worker_that_is_replaced() -> None:
    finished = run("segments.py")

    assert finished.code == 0, finished.err
    assert "leaked" not in finished.err
    assert finished.returned == ([(0, 0), (1, 0), (2, 0)], b"\1\2\3")


def test_objects_of_classes_and_functions_of_the_program(tmp_path: Path) -> None:
    (tmp_path / "worker_of_jobs.py").write_text(
        "def worker(toolbox):\n"
        "    lst = toolbox.mp_input_q.get()\n"
        "    jobs = [job for job in lst[1:] if job != toolbox.STOP_MSG]\n"
        "    toolbox.mp_output_q.put([toolbox.OUTPUT_HEADER + lst[0], [toolbox.change(job) for job in jobs]])\n"
        "    return toolbox.STOP_MSG not in lst\n"
    )
    program = tmp_path / "jobs.py"
    program.write_text(
        "import eisenmp\n"
        "class Job:\n"
        "    def __init__(self, n): self.n = n\n"
        "def change(job): return Job(job.n * 10)\n"
        "emp = eisenmp.Mp()\n"
        f"path = {str(tmp_path / 'worker_of_jobs.py')!r}\n"
        "emp.start(worker_modules=[{'WORKER_PATH': path, 'WORKER_REF': 'worker'}], PROCS_MAX=1,\n"
        "          RESULTS_STORE=True, change=change)\n"
        "emp.run_q_feeder(generator=(Job(n) for n in range(3)))\n"
        "emp.join()\n"
        "(key, jobs), = emp.e_utilsResult.result_dict['mp_input_q (default)']\n"
        "print('RETURNED', (key, [job.n for job in jobs], all(type(job) is Job for job in jobs)))\n"
    )
    finished = run(program)

    assert finished.code == 0, finished.err
    assert finished.returned == ("_TID_0", [0, 10, 20], True)


# -- what cannot be shared is said before any process starts ----------------------------------------


@contextmanager
def used_queue() -> Iterator[Any]:
    queue = fork.Queue()
    queue.put(1)
    try:
        yield queue
    finally:
        queue.get()
        queue.close()
        queue.join_thread()


@contextmanager
def held_lock() -> Iterator[Any]:
    with fork.RLock() as held:
        assert held
        lock = fork.RLock()
        lock.acquire()
        yield lock
        lock.release()


@contextmanager
def awaited_event() -> Iterator[Any]:
    event = fork.Event()
    thread = threading.Thread(target=event.wait)
    thread.start()
    while not event._cond._sleeping_count._semlock._get_value():
        pass
    yield event
    event.set()
    thread.join()


@contextmanager
def lock_of_a_fork() -> Iterator[Any]:
    lock = fork.Lock()
    receiver, sender = fork.Pipe(duplex=False)
    process = fork.Process(target=receiver.recv)
    process.start()
    yield lock
    sender.send(None)
    process.join()
    receiver.close()
    sender.close()


@contextmanager
def plain_lock() -> Iterator[Any]:
    yield threading.Lock()


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (used_queue, "something was put into it before the start"),
        (held_lock, "it is held"),
        (awaited_event, "a thread is waiting for it"),
        (lock_of_a_fork, "shared with a forked process"),
        (plain_lock, "cannot pickle"),
    ],
)
def test_an_object_that_cannot_be_shared_is_named_with_its_path(
    make: Callable[..., Any], reason: str
) -> None:
    with make() as found, stopped_at_the_end() as emp:
        with pytest.raises(SettingsError, match=reason) as raised:
            emp.start(**configuration("collect_worker.py", user_dict={"radio": [1, {"here": found}]}))
        assert str(raised.value).startswith("variables['user_dict']['radio'][1]['here']")
        assert emp.proc_list == []


@pytest.mark.parametrize("portable", [True, False], ids=["portable", "inline"])
def test_elsewhere_it_is_a_settings_error_that_names_the_path(
    portable: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if portable:
        monkeypatch.setenv("EISENMP_PORTABLE", "1")
    emp = eisenmp.Mp() if portable else eisenmp.Mp(engine="inline")
    with stopped_at_the_end(emp), pytest.raises(SettingsError, match=r"^variables\['deep'\]\[0\]\['lock'\]"):
        emp.start(**configuration("collect_worker.py", deep=[{"lock": fork.Lock()}]))
