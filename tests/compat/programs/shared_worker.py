"""Uses every kind of object that the manager shares with it."""


def worker(toolbox):
    answers = toolbox.nested["answers"][0]
    toolbox.bundle.barrier.wait()
    while (order := toolbox.orders.get()) is not None:
        with toolbox.counter.get_lock():
            toolbox.counter.value += order
        answers.put((order, order * 2))
    toolbox.event.wait()
    with toolbox.nested["lock"]:
        toolbox.numbers[toolbox.START_SEQUENCE_NUM] += 1.5
    with toolbox.bundle.condition:
        toolbox.bundle.condition.notify_all()
    toolbox.sender.send(toolbox.WORKER_NAME)
    return False
