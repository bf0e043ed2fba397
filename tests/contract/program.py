"""Programs that tests of hostile surroundings run: NAME of the engine, which program, a FIFO."""

from __future__ import annotations

import os
import signal
import sys

import eisenmp
from eisenmp.manager import events
from tests.contract.engines import ENGINES


def lives_on(emp: eisenmp.Mp, how: str, fifo: str) -> None:
    """Print the pids of two workers that wait or compute, and wait to be killed; so does a copy of the program."""
    told = emp.queue("told", maxsize=2)
    emp.queue("gate")
    emp.start()
    emp.feed([("wait", "gate", "told") if how == "waits" else ("wedge", "told")] * 2)
    for _ in range(2):
        told.get()
    with open(fifo) as file:
        if not os.fork():
            os.close(1)
            file.read()
            os._exit(0)
        print(*(slot.pid for slot in emp.proc_list), flush=True)
        file.read()


def minds_no_signals(emp: eisenmp.Mp) -> None:
    """Workers die while they are written to; then they are to end at a SIGTERM. Prints results and exit codes."""
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM, signal.SIGUSR1})
    ready: list[int] = []
    told = emp.queue("told", maxsize=2)
    emp.on(events.WorkerReady, lambda event: ready.append(event.pid))
    emp.start()
    results = 0
    for _ in emp.feed([b"x" * 100_000] * 200):
        results += 1
        if results % 50 == 10 and ready:
            os.kill(ready.pop(0), 9)
    emp.feed([("wedge", "told")] * 2)
    for _ in range(2):
        told.get()
    emp.stop(grace=0.05)
    print(results, [slot.exitcode for slot in emp.proc_list])


name, how, fifo = sys.argv[1:]
engine = next(engine for engine in ENGINES if engine.name == name)
with engine.chosen():
    emp = engine.mp(rows_max=1, retries={"death": 99})
    if how == "signals":
        minds_no_signals(emp)
    else:
        lives_on(emp, how, fifo)
