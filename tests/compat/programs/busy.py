"""Polls for the end of work that takes for ever. Unguarded."""

import os
import threading
import time

import eisenmp


def worker(toolbox):
    toolbox.mp_input_q.get()
    toolbox.mp_print_q.put("took a list")
    threading.Event().wait()


emp = eisenmp.Mp()
emp.start(
    worker_modules=[{"WORKER_PATH": os.path.abspath(__file__), "WORKER_REF": "worker"}],
    PROCS_MAX=2,
    ROWS_MAX=1,
)
emp.run_q_feeder(generator=iter(range(1000)))
while 1:
    if emp.begin_proc_shutdown:
        break
    time.sleep(0.01)
