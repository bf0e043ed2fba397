"""Leaving `with` while a worker does not hear that it is to leave."""

from __future__ import annotations

import os
import signal
import threading

import eisenmp
from eisenmp.manager import events


@eisenmp.worker
def same(toolbox: eisenmp.ToolBox, rows: list[int]) -> list[int]:
    return list(rows)


def test_an_idle_worker_that_is_stopped_is_ended_after_the_grace() -> None:
    ready = threading.Semaphore(0)
    emp = eisenmp.Mp(same, procs_max=2, rows_max=2, grace=2.0)
    emp.on(events.WorkerReady, lambda event: ready.release())
    with emp:
        assert len(list(emp.feed(range(20)))) == 10
        for _ in range(2):
            assert ready.acquire(timeout=60)
        os.kill(emp.proc_list[0].pid, signal.SIGSTOP)
    assert sorted(slot.exitcode for slot in emp.proc_list) == [-9, 0]
