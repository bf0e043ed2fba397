"""Shared memory, a process of proxies, and a replaced worker: what outlives a worker and what it must not end."""

import multiprocessing
import os
import signal
from multiprocessing import shared_memory

import eisenmp

dir_name = os.path.dirname(os.path.abspath(__file__))


class ModuleConfiguration:
    first_module = {
        "WORKER_PATH": os.path.join(dir_name, "segments_worker.py"),
        "WORKER_REF": "worker",
    }

    def __init__(self, proxy, lock, segment):
        self.worker_modules = [self.first_module]
        self.PROCS_MAX = 1
        self.proxy = proxy
        self.deep = [{"lock": lock}]
        self.segment = segment


def main():
    segment = shared_memory.SharedMemory(create=True, size=64)
    with multiprocessing.get_context("spawn").Manager() as server:
        proxy = server.dict()
        lock = multiprocessing.get_context("spawn").Lock()
        emp = eisenmp.Mp()
        emp.queue_cust_dict_std_create(("turns", 1), ("up", 1))
        emp.start(**ModuleConfiguration(proxy, lock, segment).__dict__)
        pid = emp.queue_cust_dict_std["up"].get()
        for turn in range(3):
            emp.queue_cust_dict_std["turns"].put(turn)
            # it says so again when it is called again: the turn is done
            assert emp.queue_cust_dict_std["up"].get() == pid
            os.kill(pid, signal.SIGKILL)
            pid = emp.queue_cust_dict_std["up"].get()
        emp.queue_cust_dict_std["turns"].put(None)
        while not emp.begin_proc_shutdown:
            pass
        emp.join()
        # the segment is still there: no worker that ended has taken it along
        again = shared_memory.SharedMemory(segment.name)
        result = sorted(proxy.items()), bytes(again.buf[:3])
        again.close()
    segment.close()
    segment.unlink()
    return result


if __name__ == "__main__":
    print("RETURNED", main())
