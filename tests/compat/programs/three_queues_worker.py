"""The first reads `short`, the second `long`, the third the default queue."""


def worker(toolbox):
    queue = [toolbox.short, toolbox.long, toolbox.mp_input_q][toolbox.START_SEQUENCE_NUM]
    lst = queue.get()
    toolbox.mp_output_q.put(
        [toolbox.OUTPUT_HEADER + lst[0], [row for row in lst[1:] if row != toolbox.STOP_MSG]]
    )
    return toolbox.STOP_MSG not in lst
