"""Writes its turn into everything that is shared."""


def worker(toolbox):
    toolbox.up.put(toolbox.WORKER_PID)
    turn = toolbox.turns.get()
    if turn is None:
        return False
    with toolbox.deep[0]["lock"]:
        toolbox.proxy[turn] = toolbox.START_SEQUENCE_NUM
        toolbox.segment.buf[turn] = turn + 1
    return True
