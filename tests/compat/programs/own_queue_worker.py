"""Reads the queue of its slot."""


def worker(toolbox):
    lst = getattr(toolbox, f"q_{toolbox.START_SEQUENCE_NUM}").get()
    toolbox.mp_output_q.put(
        [toolbox.OUTPUT_HEADER + lst[0], [row for row in lst[1:] if row != toolbox.STOP_MSG]]
    )
    return toolbox.STOP_MSG not in lst
