"""Brute force with eisenmp 1.0: LETTERS ROWS_MAX WORDS_FILE ARRANGEMENTS_FILE."""

from __future__ import annotations

import os
import sys
import time

from bruteforce_words import arrangements, show, words_of_length

import eisenmp
from eisenmp.utils.eisenmp_utils import Result


class ModuleConfiguration:
    """What the manager and the workers need to know."""

    def __init__(self, letters: str, rows_max: int) -> None:
        folder = os.path.dirname(os.path.abspath(__file__))
        self.worker_modules = [
            {"WORKER_PATH": os.path.join(folder, "bruteforce_old_worker.py"), "WORKER_REF": "worker_entrance"}
        ]
        self.PROCS_MAX = 2
        self.ROWS_MAX = rows_max
        self.RESULTS_STORE = True
        self.RESULT_LABEL = letters


def main(letters: str, rows_max: str, words_file: str, arrangements_file: str) -> None:
    """The manager: one tool for each process, then the rows; wait until the workers have stopped."""
    mod_conf = ModuleConfiguration(letters, int(rows_max))
    emp = eisenmp.Mp()
    emp.start(**mod_conf.__dict__)
    words = words_of_length(words_file, len(letters))
    for _ in emp.proc_list:
        emp.mp_tools_q.put(words)
    emp.run_q_feeder(generator=arrangements(arrangements_file, letters))
    while not emp.begin_proc_shutdown:
        time.sleep(0.02)
    show(row for rows in Result.result_dict.values() for _, row in rows)


if __name__ == "__main__":
    main(*sys.argv[1:])
