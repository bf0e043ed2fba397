"""Workers that differ in what they send; `say` in the configuration names the one that is meant."""

import queue


def worker(toolbox):
    return globals()[toolbox.say](toolbox)


def take(toolbox):
    lst = toolbox.mp_input_q.get()
    return lst[0], [row for row in lst[1:] if row != toolbox.STOP_MSG], toolbox.STOP_MSG not in lst


def send(toolbox, header, row):
    toolbox.mp_output_q.put([toolbox.OUTPUT_HEADER + header, row])


def rows(toolbox):
    header, lst, busy = take(toolbox)
    send(toolbox, header, lst)
    return busy


def prefixed(toolbox):
    header, lst, busy = take(toolbox)
    send(toolbox, "cfhh_" + header, lst)
    return busy


def own_header(toolbox):
    header, lst, busy = take(toolbox)
    send(toolbox, "AUDIO;" + header.split(";")[1] + ";" + toolbox.WORKER_NAME, lst)
    return busy


def several(toolbox):
    header, lst, busy = take(toolbox)
    for row in lst:
        send(toolbox, header, row)
    return busy


def no_ticket(toolbox):
    header, lst, busy = take(toolbox)
    send(toolbox, "foo", str(lst))
    return busy


def no_list(toolbox):
    toolbox.mp_output_q.put((toolbox.OUTPUT_HEADER + take(toolbox)[0], 1))
    return False


def no_header(toolbox):
    toolbox.mp_output_q.put([take(toolbox)[0], 1])
    return False


def short(toolbox):
    toolbox.mp_output_q.put([toolbox.OUTPUT_HEADER + take(toolbox)[0]])
    return False


def in_list(toolbox):
    lst = toolbox.mp_input_q.get()
    busy = toolbox.STOP_MSG not in lst
    send(toolbox, lst[0], lst[1:] if busy else lst[1:-1])
    return busy


def in_text(toolbox):
    lst = toolbox.mp_input_q.get()
    done = []
    for row in lst[1:]:
        if toolbox.STOP_MSG in str(row):
            send(toolbox, lst[0], done)
            return False
        done.append(row)
    send(toolbox, lst[0], done)
    return True


def by_equality(toolbox):
    lst = toolbox.mp_input_q.get()
    send(
        toolbox, lst[0], [row for row in lst[1:] if not (row == toolbox.STOP_MSG or toolbox.STOP_MSG == row)]
    )
    return not any(row == toolbox.STOP_MSG for row in lst)


def by_identity_and_equality(toolbox):
    lst = toolbox.mp_input_q.get()
    stop_msg = toolbox.STOP_MSG
    send(toolbox, lst[0], [row for row in lst[1:] if row is not stop_msg and row != stop_msg])
    return stop_msg != lst[-1]


def literal(toolbox):
    lst = toolbox.mp_input_q.get()
    send(toolbox, lst[0], [row for row in lst[1:] if row != "STOP"])
    return "STOP" not in lst


def tell_list(toolbox):
    lst = toolbox.mp_input_q.get()
    toolbox.told.put(
        {
            "list": lst,
            "kind": type(lst).__name__,
            "in": toolbox.STOP_MSG in lst,
            "in_1": toolbox.STOP_MSG in str(lst[1]) if len(lst) > 2 else toolbox.STOP_MSG in lst[1],
            "literal_in": "STOP" in lst,
            "literal_in_1": "STOP" in str(lst[1]),
        }
    )
    return False


def read_own(toolbox):
    own = toolbox.short if toolbox.START_SEQUENCE_NUM == 0 else toolbox.long
    lst = own.get()
    send(toolbox, lst[0], lst[1:])
    return toolbox.STOP_MSG not in lst


def tell_or_empty(toolbox):
    try:
        lst = toolbox.mp_input_q.get(timeout=2.0)
    except queue.Empty:
        lst = "Empty"
    toolbox.told.put(lst)
    return False


def print_things(toolbox):
    busy = take(toolbox)[2]
    for thing in {"a": [1, 2]}, "line one\n  line two", ("a tuple", 1), None:
        toolbox.mp_print_q.put(thing)
    return busy


def print_blocks(toolbox):
    header, _, busy = take(toolbox)
    block = f"block {header} {toolbox.WORKER_NAME}"
    if not header.startswith("OUTPUT"):
        toolbox.mp_print_q.put("\n".join([block, *(f"  {part} of {block}" for part in range(3))]))
    return busy


def eta(toolbox):
    _, lst, busy = take(toolbox)
    toolbox.mp_info_q.put([toolbox.PERF_HEADER_ETA + toolbox.WORKER_NAME, len(lst)])
    return busy


def eta_with_stop(toolbox):
    lst = toolbox.mp_input_q.get()
    toolbox.mp_info_q.put([toolbox.PERF_HEADER_ETA + toolbox.WORKER_NAME, len(lst) - 1])
    return toolbox.STOP_MSG not in lst


def flood(toolbox):
    header, lst, busy = take(toolbox)
    for row in lst:
        toolbox.mp_output_q.put([toolbox.OUTPUT_HEADER + header, row])
        toolbox.mp_print_q.put(".")
        toolbox.mp_info_q.put([toolbox.PERF_HEADER_ETA, 1])
    if not busy:
        toolbox.mp_output_q.put([toolbox.OUTPUT_HEADER + header, "last"])
        toolbox.mp_info_q.put(["last", 1])
        toolbox.mp_print_q.put("last")
    return busy


def dotted(toolbox):
    header, lst, busy = take(toolbox)
    send(toolbox, header, [f"... proc {toolbox.WORKER_NAME} ... {word}" for word in lst])
    return busy
