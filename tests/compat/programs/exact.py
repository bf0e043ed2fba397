"""As many ports in the queue as there are processes, each inside its server; arguments: the ports. Unguarded."""

import os
import sys

import eisenmp

dir_name = os.path.dirname(os.path.abspath(__file__)) if "__file__" in globals() else os.getcwd()


class ModuleConfiguration:
    first_module = {
        "WORKER_PATH": os.path.join(dir_name, "exact_worker.py"),
        "WORKER_REF": "worker",
    }

    def __init__(self):
        self.worker_modules = [self.first_module]
        self.PROCS_MAX = len(sys.argv) - 1
        self.ROWS_MAX = 1


emp = eisenmp.Mp()
emp.queue_cust_dict_std_create(("mp_blue_q", 1), ("turns", 2))
emp.start(**ModuleConfiguration().__dict__)
emp.run_q_feeder(
    generator=(int(argument) for argument in sys.argv[1:]), input_q=emp.queue_cust_dict_std["mp_blue_q"]
)
emp.queue_cust_dict_std["turns"].put(None)
