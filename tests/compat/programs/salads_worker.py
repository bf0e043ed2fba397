"""Worker of the salads: takes the dictionary once, then lists of permutations."""


def worker_entrance(toolbox):
    if toolbox.multi_tool_get:
        tool_get(toolbox)
    workload_get(toolbox)
    busy = brute_force(toolbox)
    if not busy:
        return False
    send_eta_data(toolbox)
    return True


def tool_get(toolbox):
    while 1:
        if not toolbox.mp_tools_q.empty():
            toolbox.multi_tool = toolbox.mp_tools_q.get()
            toolbox.multi_tool_get = False
            break


def workload_get(toolbox):
    while 1:
        if not toolbox.mp_input_q.empty():
            toolbox.NEXT_LIST = toolbox.mp_input_q.get()
            toolbox.num_lists += 1
            break


def brute_force(toolbox):
    busy = True
    if toolbox.STOP_MSG in toolbox.NEXT_LIST:
        busy = False
    toolbox.INPUT_HEADER = toolbox.NEXT_LIST[0]
    del toolbox.NEXT_LIST[0]

    result_lst = []
    for str_permutation in toolbox.NEXT_LIST:
        if str_permutation in toolbox.multi_tool:
            toolbox.mp_print_q.put(f"... proc {toolbox.WORKER_NAME} ... {str_permutation}")
            result_lst.append(str_permutation)
    header = toolbox.OUTPUT_HEADER + toolbox.str_permutation + "_" + toolbox.INPUT_HEADER
    toolbox.mp_output_q.put([header, result_lst])
    return busy


def send_eta_data(toolbox):
    toolbox.PERF_CURRENT_ETA = len(toolbox.NEXT_LIST)
    perf_lst = [toolbox.PERF_HEADER_ETA + toolbox.WORKER_NAME, toolbox.PERF_CURRENT_ETA]
    toolbox.mp_info_q.put(perf_lst)
