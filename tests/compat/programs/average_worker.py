"""Worker of the average: text cells in, the average of each list out."""


def worker_entrance(toolbox):
    busy = workload_get(toolbox)
    calc_average(toolbox)
    if not busy:
        return False
    return True


def workload_get(toolbox):
    while 1:
        if not toolbox.mp_input_q.empty():
            toolbox.NEXT_LIST = toolbox.mp_input_q.get()
            break
    if toolbox.STOP_MSG in toolbox.NEXT_LIST:
        return False
    return True


def calc_average(toolbox):
    toolbox.INPUT_HEADER = toolbox.NEXT_LIST[0]
    del toolbox.NEXT_LIST[0]
    lst = toolbox.NEXT_LIST
    STOP_MSG = toolbox.STOP_MSG
    tbl_flt = [float(num) for num in lst if str(num) and "nan" not in str(num) and num != STOP_MSG]
    average = sum(tbl_flt) / len(tbl_flt) if len(tbl_flt) else 0
    header = toolbox.OUTPUT_HEADER + toolbox.INPUT_HEADER
    toolbox.mp_output_q.put([header, average])
