"""Two batches of queues in categories, four feeders, results in the order of each queue. No guard is needed."""

import os
import threading
import time

import eisenmp
import eisenmp.utils.eisenmp_utils as e_utils

dir_name = os.path.dirname(os.path.abspath(__file__)) if "__file__" in globals() else os.getcwd()


class ModuleConfiguration:
    template_module = {
        "WORKER_PATH": os.path.join(dir_name, "two_batches_worker.py"),
        "WORKER_REF": "worker_entrance",
    }
    watchdog_module = {
        "WORKER_PATH": os.path.join(dir_name, "watchdog_mate.py"),
        "WORKER_REF": "mp_start_show_threads",
    }

    def __init__(self):
        self.worker_modules = [
            self.template_module,
            self.watchdog_module,
        ]
        self.PROCS_MAX = 2
        self.ROWS_MAX = 3
        self.RESULTS_STORE = True
        self.RESULTS_PRINT = True
        self.RESULT_LABEL = "production of audio and video"
        self.RESULTS_DICT_PRINT = True
        self.sleep_time = 20
        self.num_of_lists = 0
        self.header_aud = None
        self.header_vid = None


modConf = ModuleConfiguration()


def manager_entry():
    q_cat_name_maxsize = [
        ("batch_1", "audio_lg", 5),
        ("batch_1", "video_in", 1),
        ("batch_7", "audio_lg", 3),
        ("batch_7", "video_in", 1),
    ]
    emp = eisenmp.Mp()
    emp.queue_cust_dict_category_create(*q_cat_name_maxsize)
    audio_q_b1 = emp.queue_cust_dict_cat["batch_1"]["audio_lg"]
    video_q_b1 = emp.queue_cust_dict_cat["batch_1"]["video_in"]
    audio_q_b7 = emp.queue_cust_dict_cat["batch_7"]["audio_lg"]
    video_q_b7 = emp.queue_cust_dict_cat["batch_7"]["video_in"]

    emp.start(**modConf.__dict__)
    emp.run_q_feeder(generator=rows("a1", 17), input_q=audio_q_b1)
    emp.run_q_feeder(generator=rows("v1", 20), input_q=video_q_b1)
    emp.run_q_feeder(generator=rows("a7", 17), input_q=audio_q_b7)
    emp.run_q_feeder(generator=rows("v7", 20), input_q=video_q_b7)
    return emp


def rows(name, count):
    for number in range(count):
        yield f"{name}-{number}".encode()


def main():
    emp = manager_entry()
    while 1:
        if emp.begin_proc_shutdown:
            break
        time.sleep(0.05)
    msg_result = e_utils.Result.result_dict
    print([thread.name for thread in threading.enumerate()])
    return msg_result


print("RETURNED", main())
