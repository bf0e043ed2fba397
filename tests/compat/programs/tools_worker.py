"""Takes the tool of its process once."""


def worker(toolbox):
    toolbox.MULTI_TOOL = toolbox.mp_tools_q.get()
    toolbox.told.put(toolbox.MULTI_TOOL)
    return False
