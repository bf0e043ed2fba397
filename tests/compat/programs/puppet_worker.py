"""Does in a worker what the test says: (name of a function here, arguments); sends back what came of it."""

import multiprocessing
import threading


def worker(toolbox):
    call = toolbox.calls.get()
    if call is None:
        return False
    name, arguments = call
    try:
        answer = ("returned", globals()[name](toolbox, *arguments))
    except Exception as error:
        answer = ("raised", type(error).__name__)
    toolbox.replies.put((toolbox.START_SEQUENCE_NUM, answer))
    return True


def on_queue(toolbox, queue, method, *arguments, **keywords):
    return getattr(find(toolbox, queue), method)(*arguments, **keywords)


def on_queue_with(toolbox, queue, method, keywords):
    return getattr(find(toolbox, queue), method)(**keywords)


def find(toolbox, name):
    category, _, short = name.rpartition("|")
    return getattr(toolbox, category)[short] if category else getattr(toolbox, short)


def in_threads(toolbox, queue, count):
    """`count` threads take one object each; what they got, sorted."""
    got = []
    threads = [threading.Thread(target=lambda: got.append(find(toolbox, queue).get())) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sorted(got)


def identity(toolbox):
    return toolbox.WORKER_ID, toolbox.WORKER_NAME, toolbox.WORKER_PID, multiprocessing.current_process().name


def put_all(toolbox, queue, objects):
    for entry in objects:
        find(toolbox, queue).put(entry)


def look_up(toolbox, path):
    """An object nested in the variables."""
    found = toolbox.kwargs
    for key in path:
        found = found[key]
    return found.name


def on_nested(toolbox, path, method, *arguments):
    found = toolbox.kwargs
    for key in path:
        found = found[key]
    return getattr(found, method)(*arguments)


def reply_into(toolbox, queue, value):
    """Put the value into the queue that comes out of another one."""
    find(toolbox, queue).get()["reply"].put(value)


def say_and_join(toolbox, text, queue):
    """Print by the queue, then wait for a thread that waits for an object; nobody here looks at the wire."""
    thread = threading.Thread(target=find(toolbox, queue).get)
    thread.start()
    # the thread is well inside its get by then
    thread.join(0.05)
    toolbox.mp_print_q.put(text)
    thread.join()


def put_and_be_stopped(toolbox, queue, count):
    """Have this worker stopped, and go on with the running call: all of it counts."""
    toolbox.mp_process_q.put(["STOP_PROC", toolbox.WORKER_NAME])
    for number in range(count):
        find(toolbox, queue).put(number)
        find(toolbox, queue).full()
