"""A mate: shows the threads of its process from a thread of its own."""

import os
import threading
from time import sleep


def mp_start_show_threads(toolbox):
    threading.Thread(
        name="Watchdog_" + str(os.getpid()), target=mp_show_threads, args=(toolbox,), daemon=True
    ).start()


def mp_show_threads(toolbox):
    toolbox.mp_print_q.put(f" .. thread display interval {toolbox.sleep_time}s")
    while 1:
        names = sorted(thread.name for thread in threading.enumerate())
        toolbox.mp_print_q.put(f"process name: {toolbox.WORKER_NAME} pid {toolbox.WORKER_PID} {names}")
        sleep(toolbox.sleep_time)
