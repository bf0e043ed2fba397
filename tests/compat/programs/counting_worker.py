"""Counts its calls in a global, on the toolbox, and on a name that it gives the toolbox itself."""

calls = 0


def worker(toolbox):
    global calls
    calls += 1
    lst = toolbox.mp_input_q.get()
    toolbox.num_lists += 1
    toolbox.own = getattr(toolbox, "own", 0) + 1
    toolbox.mp_output_q.put([toolbox.OUTPUT_HEADER + lst[0], (calls, toolbox.num_lists, toolbox.own)])
    return toolbox.STOP_MSG not in lst
