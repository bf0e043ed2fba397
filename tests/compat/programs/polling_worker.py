"""Polls a queue that stays empty, in the way of the documented programs."""


def worker(toolbox):
    toolbox.up.put(None)
    while 1:
        if not toolbox.end.empty():
            toolbox.end.get()
            break
    return False
