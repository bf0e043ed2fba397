"""A program with two workers and a copy of itself; prints the pids of the workers, then waits to be killed."""

from __future__ import annotations

import os
import sys

from tests.contract.engines import ENGINES

name, how, fifo = sys.argv[1:]
engine = next(engine for engine in ENGINES if engine.name == name)
with engine.chosen():
    emp = engine.mp(rows_max=1)
    told = emp.queue("told", maxsize=2)
    emp.queue("gate")
    emp.start()
    emp.feed([("wait", "gate", "told") if how == "waits" else ("wedge", "told")] * 2)
    for _ in range(2):
        told.get()
    if not os.fork():
        os.close(1)
        with open(fifo) as file:
            file.read()
        os._exit(0)
    print(*(slot.pid for slot in emp.proc_list), flush=True)
    with open(fifo) as file:
        file.read()
