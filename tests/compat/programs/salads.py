"""Several managers at once: one alphabet salad each, the dictionary once per process by mp_tools_q."""

import itertools
import os
import time

import eisenmp
import eisenmp.utils.eisenmp_utils as e_utils

try:
    import eisenmp.utils_exa.eisenmp_utils as utils_exa
except ImportError:
    utils_exa = None

dir_name = os.path.dirname(__file__)


class ModuleConfiguration:
    bruteforce_module = {
        "worker_path": os.path.join(dir_name, "salads_worker.py"),
        "worker_ref": "worker_entrance",
    }

    def __init__(self):
        self.worker_modules = []
        self.PROCS_MAX = 2
        self.ROWS_MAX = 50
        self.RESULTS_STORE = True
        self.RESULTS_PRINT = True
        self.multi_tool_get = None
        self.MULTI_TOOL = None
        self.num_lists = 0
        self.str_permutation = None


modConf = ModuleConfiguration()
words_dict = dict.fromkeys(["mango", "tea", "eat", "ate", "rose", "sore"])


def start_raid(salad):
    modConf.str_permutation = salad.lower()
    modConf.RESULT_LABEL = salad
    modConf.worker_modules = []
    modConf.worker_modules.append(modConf.bruteforce_module)
    modConf.multi_tool_get = True
    print(f"\n\t[BRUTE_FORCE]\t{modConf.str_permutation}")
    generator = ("".join(letters) for letters in itertools.permutations(modConf.str_permutation))

    emp = eisenmp.Mp()
    emp.start(**modConf.__dict__)
    for _ in emp.proc_list:
        emp.mp_tools_q.put(words_dict)
    emp.run_q_feeder(generator=generator, input_q=emp.mp_input_q)
    return emp


def main():
    start = time.perf_counter()
    msg_result = e_utils.Result.result_dict
    managers = [start_raid(salad) for salad in ["AMGNO", "AET", "EORS"]]
    while not all(emp.begin_proc_shutdown for emp in managers):
        time.sleep(0.05)
    print(f"bruteforce time: {round(time.perf_counter() - start)}")
    return msg_result


if __name__ == "__main__":
    print("RETURNED", main())
