"""Prints everything that a manager of 1.0 prints, in an order that one worker makes certain. Unguarded."""

import os
import time

import eisenmp
import eisenmp.utils.eisenmp_utils as e_utils


class ModuleConfiguration:
    first_module = {"WORKER_PATH": os.path.abspath(__file__), "WORKER_REF": "worker"}

    def __init__(self):
        self.worker_modules = [self.first_module]
        self.PROCS_MAX = 1
        self.ROWS_MAX = 2
        self.RESULTS_STORE = True
        self.RESULTS_PRINT = True
        self.RESULTS_DICT_PRINT = True
        self.RESULT_LABEL = "tens"


modConf = ModuleConfiguration()


def worker(toolbox):
    lst = toolbox.mp_input_q.get()
    rows = [row for row in lst[1:] if row != toolbox.STOP_MSG]
    toolbox.mp_print_q.put(f"... proc {toolbox.WORKER_NAME} ... {rows}")
    toolbox.mp_output_q.put([toolbox.OUTPUT_HEADER + lst[0], [row * 10 for row in rows]])
    return toolbox.STOP_MSG not in lst


def number_generator():
    """Empty when the second list is cut, which is before the first one is done: the worker has no say in it."""
    yield from (1, 2, 1)


emp = eisenmp.Mp()
emp.start(**modConf.__dict__)
emp.run_q_feeder(generator=number_generator(), input_q=emp.mp_input_q)
while 1:
    if emp.begin_proc_shutdown:
        break
    time.sleep(0.05)
print("RETURNED", e_utils.Result.result_dict)
