"""Workers that fail, each in its way, at the row 2; and a mate that does not come back."""

import os
import signal
import threading


def rows(toolbox):
    lst = toolbox.mp_input_q.get()
    toolbox.mp_output_q.put(
        [toolbox.OUTPUT_HEADER + lst[0], [row for row in lst[1:] if row != toolbox.STOP_MSG]]
    )
    return toolbox.STOP_MSG not in lst


def raises(toolbox):
    lst = toolbox.mp_input_q.get()
    if 2 in lst:
        raise ZeroDivisionError("no good: 2")
    return toolbox.STOP_MSG not in lst


def raises_at_once(toolbox):
    raise KeyError("nothing was taken")


def exits(toolbox):
    lst = toolbox.mp_input_q.get()
    if 2 in lst:
        os._exit(3)
    return toolbox.STOP_MSG not in lst


def is_killed(toolbox):
    lst = toolbox.mp_input_q.get()
    if 2 in lst:
        os.kill(os.getpid(), signal.SIGKILL)
    return toolbox.STOP_MSG not in lst


def sends_a_lock(toolbox):
    lst = toolbox.mp_input_q.get()
    toolbox.mp_output_q.put([toolbox.OUTPUT_HEADER + lst[0], threading.Lock() if 2 in lst else 0])
    return toolbox.STOP_MSG not in lst


def hangs(toolbox):
    threading.Event().wait()
