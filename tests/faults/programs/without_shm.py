"""Says what fails on this system, then does a job with a death in it: START_METHOD, and a folder for the mark."""

from __future__ import annotations

import json
import multiprocessing
import os
import sys
from multiprocessing.shared_memory import SharedMemory
from pathlib import Path

import eisenmp

WORKER = """
import os
import eisenmp

@eisenmp.worker
def work(toolbox, rows):
    if 50 in rows:
        try:
            os.close(os.open(toolbox.mark, os.O_CREAT | os.O_EXCL))
        except FileExistsError:
            pass
        else:
            os.kill(os.getpid(), 9)
    return [len(toolbox.tools["big"]) + row for row in rows]
"""


def fails(make: object) -> str:
    try:
        make()  # type: ignore[operator]
    except OSError as error:
        return type(error).__name__
    return ""


if __name__ == "__main__":
    method, folder = sys.argv[1:]
    Path(folder, "work.py").write_text(WORKER)
    semaphore, memory = fails(multiprocessing.Lock), fails(lambda: SharedMemory(create=True, size=4096))
    emp = eisenmp.Mp(
        f"{folder}/work.py:work", procs_max=2, rows_max=10, start_method=method,
        variables={"mark": os.path.join(folder, "mark")},
    )  # fmt: skip
    queue = emp.queue("queue", maxsize=2)
    emp.broadcast(big=bytes(3_000_000))
    with emp:
        values = [value for result in emp.feed(range(200)).in_order() for value in result.value]
        queue.put("through a queue")
        word = queue.get()
    print(json.dumps([os.path.exists("/dev/shm"), semaphore, memory, values, word]))
