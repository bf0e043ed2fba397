"""Tells in which order modules were imported and functions called. It is also the last of its mates."""

import order_log

order_log.said.append("import worker")


def worker(toolbox):
    order_log.said.append("worker")
    if len(order_log.said) < 7:
        return True
    toolbox.told.put(order_log.said)
    return False
