"""Two workers: one doubles what the other sends it."""


def worker(toolbox):
    if toolbox.START_SEQUENCE_NUM:
        number = toolbox.ping.get()
        if number is None:
            return False
        toolbox.pong.put(number * 2)
        return True
    answers = []
    for number in range(50):
        toolbox.ping.put(number)
        answers.append(toolbox.pong.get())
    toolbox.ping.put(None)
    toolbox.told.put(answers)
    return False
