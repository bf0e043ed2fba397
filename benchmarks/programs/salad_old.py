"""All orders of some letters with eisenmp 1.0: LETTERS ROWS_MAX WORDS_FILE."""

from __future__ import annotations

import json
import os
import sys
import time
from itertools import permutations

import eisenmp
from eisenmp.utils.eisenmp_utils import Result


class ModuleConfiguration:
    """What the manager and the workers need to know."""

    def __init__(self, rows_max: int) -> None:
        folder = os.path.dirname(os.path.abspath(__file__))
        self.worker_modules = [
            {"WORKER_PATH": os.path.join(folder, "salad_old_worker.py"), "WORKER_REF": "worker_entrance"}
        ]
        self.PROCS_MAX = 2
        self.ROWS_MAX = rows_max
        self.RESULTS_STORE = True
        self.RESULT_LABEL = "salad"


def main(letters: str, rows_max: str, words_file: str) -> None:
    """Workers with their words first, then the rows; the seconds are of the rows alone."""
    emp = eisenmp.Mp()
    emp.queue_cust_dict_std_create(("told_q", 4))
    emp.start(**ModuleConfiguration(int(rows_max)).__dict__)
    with open(words_file, encoding="utf-8") as lines:
        words = frozenset(line.rstrip("\n") for line in lines)
    for _ in emp.proc_list:
        emp.mp_tools_q.put(words)
    # when both have told, they are up and have taken their words
    for _ in emp.proc_list:
        emp.queue_cust_dict_std["told_q"].get()
    started = time.perf_counter()
    emp.run_q_feeder(generator=permutations(letters))
    while not emp.begin_proc_shutdown:
        time.sleep(0.02)
    seconds = time.perf_counter() - started
    found = sorted(word for rows in Result.result_dict.values() for _, row in rows for word in row)
    print(json.dumps({"found": found, "seconds": seconds}), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
