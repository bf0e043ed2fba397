"""Tells the test what its toolbox looks like, and ends."""

import multiprocessing
import os


def worker(toolbox):
    seen = {name: describe(value) for name, value in vars(toolbox).items() if not name.startswith("_")}
    toolbox.mp_tell_q.put(
        {
            "toolbox": seen,
            "kwargs": {name: describe(value) for name, value in toolbox.kwargs.items()},
            "pid": os.getpid(),
            "process": multiprocessing.current_process().name,
            "token_is_stop": "STOP" == toolbox.STOP_MSG,
            "q_name_id_lst": [(name, number == id(queue)) for name, number, queue in toolbox.Q_NAME_ID_LST],
            "same": toolbox.kwargs["user_dict"] is toolbox.user_dict,
            "verbs": [name for name in ("queue", "print", "rng", "ticket", "tools") if name in seen],
        }
    )
    return False


def describe(value):
    """The value itself where that can be sent, else its type."""
    if isinstance(value, (str, int, float, list, dict, tuple, type(None))):
        try:
            return [describe(entry) for entry in value] if isinstance(value, list) else value
        except TypeError:
            return type(value).__name__
    return type(value).__name__
