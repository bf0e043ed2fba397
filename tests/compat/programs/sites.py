"""Two threaded servers in each process, ports from a queue for each group; arguments: the ports. Unguarded."""

import os
import sys
import time

import eisenmp

dir_name = os.path.dirname(os.path.abspath(__file__)) if "__file__" in globals() else os.getcwd()


class ModuleConfiguration:
    first_module = {
        "WORKER_PATH": os.path.join(dir_name, "sites_worker.py"),
        "WORKER_REF": "worker",
    }

    def __init__(self):
        self.worker_modules = [
            self.first_module,
            self.first_module,
            self.first_module,
            self.first_module,
            self.first_module,
            self.first_module,
        ]
        self.PROCS_MAX = 2
        self.ROWS_MAX = 1
        self.stop_msg_disable = True
        self.blue_lst = [0]
        self.yellow_lst = [1]


modConf = ModuleConfiguration()


def manager():
    q_name_maxsize = [
        ("mp_blue_q", 1),
        ("mp_yellow_q", 1),
    ]
    emp = eisenmp.Mp()
    emp.queue_cust_dict_std_create(*q_name_maxsize)
    emp.start(**modConf.__dict__)

    ports = [int(argument) for argument in sys.argv[1:]]
    port_generator_blue = (port_number for port_number in ports[:6])
    port_generator_yellow = (port_number for port_number in ports[6:])
    emp.run_q_feeder(generator=port_generator_blue, input_q=emp.queue_cust_dict_std["mp_blue_q"])
    emp.run_q_feeder(generator=port_generator_yellow, input_q=emp.queue_cust_dict_std["mp_yellow_q"])
    return emp


def main():
    start = time.perf_counter()
    manager()
    print(f"\nMulti loader Time in sec: {round(time.perf_counter() - start)} - main() exits", flush=True)


main()
