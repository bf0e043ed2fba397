"""Manager and worker in one file: the file that is run is also the one that workers load."""

import math
import os
import time

import eisenmp
import eisenmp.utils.eisenmp_utils as e_utils


class ModuleConfiguration:
    """Every attribute of an instance reaches the worker."""

    first_module = {
        "WORKER_PATH": os.path.join(os.path.dirname(__file__), "primes.py"),
        "WORKER_REF": "worker_prime",
    }
    foo = {"WORKER_PATH": "bar", "WORKER_REF": "baz"}

    def __init__(self):
        self.worker_modules = [
            self.first_module,
        ]
        self.PROCS_MAX = 2
        self.ROWS_MAX = 7
        self.RESULTS_STORE = True
        self.RESULTS_PRINT = True
        self.RESULTS_DICT_PRINT = True
        # self.START_METHOD = 'fork'
        self.range_num = 100
        self.INFO_THREAD_MAX = self.range_num
        self.INFO_ENABLE = True
        self.n = 10**6


modConf = ModuleConfiguration()


def generator_prime():
    """Start the processes, then feed them."""
    emp = eisenmp.Mp()
    emp.start(**modConf.__dict__)
    generator = number_generator()
    emp.run_q_feeder(generator=generator, input_q=emp.mp_input_q)
    return emp


def number_generator():
    n = modConf.n
    for _ in range(modConf.range_num):
        yield n
        n += 1


def worker_prime(toolbox):
    """Called in a loop until it returns False."""
    busy = workload_get(toolbox)
    calc_prime(toolbox)
    if not busy:
        return False
    send_eta_data(toolbox)
    return True


def workload_get(toolbox):
    while 1:
        if not toolbox.mp_input_q.empty():
            toolbox.NEXT_LIST = toolbox.mp_input_q.get()
            break
    if toolbox.STOP_MSG in toolbox.NEXT_LIST:
        return False
    return True


def calc_prime(toolbox):
    toolbox.INPUT_HEADER = toolbox.NEXT_LIST[0]
    del toolbox.NEXT_LIST[0]
    stop_msg = toolbox.STOP_MSG
    prime_lst = [str(n) for n in toolbox.NEXT_LIST if n is not stop_msg and type(n) is int and is_prime(n)]
    header = toolbox.OUTPUT_HEADER + toolbox.INPUT_HEADER
    result_lst = [header, prime_lst]
    toolbox.mp_output_q.put(result_lst)
    if prime_lst:
        toolbox.mp_print_q.put(f" ... Result {toolbox.WORKER_NAME} ... Prime {prime_lst}")


def is_prime(n):
    return n > 1 and all(n % i for i in range(2, int(math.sqrt(n)) + 1))


def send_eta_data(toolbox):
    toolbox.PERF_CURRENT_ETA = len(toolbox.NEXT_LIST)
    perf_lst = [toolbox.PERF_HEADER_ETA + toolbox.WORKER_NAME, toolbox.PERF_CURRENT_ETA]
    toolbox.mp_info_q.put(perf_lst)


def main():
    start = time.perf_counter()
    emp = generator_prime()
    while 1:
        if emp.begin_proc_shutdown:
            break
        time.sleep(0.05)
    msg_time = "Prime numbers, Time in sec: ", round(time.perf_counter() - start)
    print(msg_time)
    return e_utils.Result.result_dict


if __name__ == "__main__":
    print("RETURNED", main())
