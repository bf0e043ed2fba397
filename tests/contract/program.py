"""Programs that tests of hostile surroundings run: NAME of the engine, which program, a FIFO."""

from __future__ import annotations

import os
import signal
import sys
from contextlib import suppress

import eisenmp
from eisenmp.core.messages import Message
from eisenmp.engine.base import Launch, Lost
from eisenmp.engine.local import LocalEngine
from eisenmp.engine.portable import PortableEngine
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


def minds_no_signals(emp: eisenmp.Mp, how: str) -> None:
    """Workers die while they are written to; then they are to end at a SIGTERM. Prints results and exit codes."""
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    if how == "children":
        signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    elif how == "ignores":
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    else:
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


def closes_the_standard_descriptors(emp: eisenmp.Mp) -> None:
    """The next worker is started when their numbers are free. Prints how many results there are."""
    told = os.dup(1)
    emp.queue("gate", maxsize=3)
    waiting = emp.queue("told", maxsize=3)
    with emp:
        for number in (0, 1, 2):
            os.close(number)
        emp.resize(3)
        feed = emp.feed([("wait", "gate", "told")] * 3)
        for _ in range(3):
            waiting.get()
        for _ in range(3):
            emp.queue_cust_dict_std["gate"].put(None)
        feed.wait()
        os.write(told, b"%d" % len(list(emp.feed(range(20)))))


def writes_to_the_dead(engine: LocalEngine | PortableEngine) -> None:
    """A worker has died, and the loop has not noticed yet."""
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    engine.open()
    pid = engine.spawn(1, Launch(spec=b"x" * 10_000_000, name="worker", environment=os.environ))
    while not engine.workers[1].connection.socket:
        engine.poll(1.0)
    os.kill(pid, 9)
    with suppress(ChildProcessError):
        os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
    for _ in range(3):
        engine.send(1, [Message(1, body=b"x" * 1_000_000)])
    while not any(isinstance(event, Lost) for event in engine.poll(1.0)):
        pass
    engine.close(0.0)
    print("survived")


# what the tests look at is not done by the end of the session
signal.signal(signal.SIGHUP, signal.SIG_IGN)
name, how, fifo = sys.argv[1:]
engine = next(engine for engine in ENGINES if engine.name == name)
with engine.chosen():
    emp = engine.mp(rows_max=1, retries={"death": 99})
    if how in ("children", "ignores", "blocks"):
        minds_no_signals(emp, how)
    elif how == "closed":
        closes_the_standard_descriptors(emp)
    elif how == "pipe":
        writes_to_the_dead(LocalEngine() if name == "local" else PortableEngine())
    else:
        lives_on(emp, how, fifo)
