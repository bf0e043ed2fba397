"""Loops by itself and is called once."""


def worker(toolbox):
    while 1:
        lst = toolbox.mp_input_q.get()
        rows = [row for row in lst[1:] if row != toolbox.STOP_MSG]
        toolbox.mp_output_q.put([toolbox.OUTPUT_HEADER + lst[0], rows])
        if toolbox.STOP_MSG in lst:
            return False
