"""Starts a thread that reads a queue, as a server may, and returns False."""

import threading


def worker(toolbox):
    threading.Thread(target=serve, args=(toolbox,)).start()
    return False


def serve(toolbox):
    while 1:
        lst = toolbox.jobs.get()
        toolbox.mp_output_q.put(
            [toolbox.OUTPUT_HEADER + lst[0], [row for row in lst[1:] if row != toolbox.STOP_MSG]]
        )
        if toolbox.STOP_MSG in lst:
            break
