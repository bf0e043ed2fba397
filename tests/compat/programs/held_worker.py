"""Says what it has taken and waits for leave before it goes on, once; then sends its name for each list."""

held = True


def worker(toolbox):
    global held
    lst = toolbox.mp_input_q.get()
    if held:
        toolbox.taken.put(toolbox.WORKER_NAME)
        toolbox.go_on.get()
        held = False
    toolbox.mp_output_q.put([toolbox.OUTPUT_HEADER + lst[0], toolbox.WORKER_NAME])
    return toolbox.STOP_MSG not in lst
