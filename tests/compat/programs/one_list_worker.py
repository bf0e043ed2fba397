"""Takes one list and is done."""


def worker(toolbox):
    lst = toolbox.mp_input_q.get()
    toolbox.mp_output_q.put(
        [toolbox.OUTPUT_HEADER + lst[0], [row for row in lst[1:] if row != toolbox.STOP_MSG]]
    )
    return False
