"""Sends each list back under its header: the least that a worker of 1.0 does."""


def worker(toolbox):
    queue = getattr(toolbox, getattr(toolbox, "read_q", "mp_input_q"))
    lst = queue.get()
    rows = [row for row in lst[1:] if row != toolbox.STOP_MSG]
    toolbox.mp_output_q.put([toolbox.OUTPUT_HEADER + lst[0], rows])
    if toolbox.STOP_MSG in lst:
        return False
    return True
