"""Average of a column by more processes than cores; worker modules with keys in both spellings."""

import os
import time

import eisenmp
import eisenmp.utils.eisenmp_utils as e_utils

dir_name = os.path.dirname(__file__)


class ModuleConfiguration:
    first_module = {
        "WORKER_PATH": os.path.join(dir_name, "average_worker.py"),
        "WORKER_REF": "worker_entrance",
    }
    watchdog_module = {
        "worker_ref": "mp_start_show_threads",
        "worker_path": os.path.join(dir_name, "watchdog_mate.py"),
    }

    def __init__(self):
        self.worker_modules = [
            self.first_module,
            {},
            self.watchdog_module,
        ]
        self.PROCS_MAX = 5
        self.ROWS_MAX = 20
        self.RESULTS_STORE = True
        self.RESULTS_PRINT = True
        self.RESULTS_DICT_PRINT = True
        self.RESULT_LABEL = "column, Average calculation"
        self.sleep_time = 45


modConf = ModuleConfiguration()


def generator_calc():
    emp = eisenmp.Mp()
    emp.start(**modConf.__dict__)
    emp.mp_print_q.put("\tDownload large list")
    generator = (column for column in column_read())
    emp.run_q_feeder(generator=generator)
    return emp


def column_read():
    """250 rows as a CSV reader gives them: 200 numbers, 25 'nan' and 25 empty cells."""
    for number in range(250):
        yield "nan" if number % 10 == 3 else "" if number % 10 == 7 else str(float(number))


def main():
    emp = generator_calc()
    while 1:
        if emp.begin_proc_shutdown:
            break
        time.sleep(0.05)
    return e_utils.Result.result_dict


if __name__ == "__main__":
    print("RETURNED", main())
