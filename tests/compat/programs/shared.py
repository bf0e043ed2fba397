"""The program's own multiprocessing objects among the variables, anywhere in them. Argument: a context. Unguarded."""

import multiprocessing
import os
import sys
import time

import eisenmp

dir_name = os.path.dirname(os.path.abspath(__file__))
context = multiprocessing.get_context(sys.argv[1]) if len(sys.argv) > 1 else multiprocessing


class Bundle:
    """Defined in the program, which workers do not import."""

    def __init__(self):
        self.barrier = context.Barrier(2)
        self.condition = context.Condition()


class ModuleConfiguration:
    first_module = {
        "WORKER_PATH": os.path.join(dir_name, "shared_worker.py"),
        "WORKER_REF": "worker",
    }

    def __init__(self):
        self.worker_modules = [self.first_module]
        self.PROCS_MAX = 2
        self.RESULTS_STORE = True
        self.orders = context.Queue()
        self.nested = {"answers": [context.SimpleQueue()], "lock": context.Lock()}
        self.event = context.Event()
        self.counter = context.Value("i", 0)
        self.numbers = context.Array("d", 4)
        self.receiver, self.sender = context.Pipe(duplex=False)
        self.bundle = Bundle()


modConf = ModuleConfiguration()
emp = eisenmp.Mp()
emp.start(**modConf.__dict__)
modConf.sender.close()
for order in range(20):
    modConf.orders.put(order)
modConf.orders.put(None)
modConf.orders.put(None)
emp.run_q_feeder(generator=iter([]))
answers = sorted(modConf.nested["answers"][0].get() for _ in range(20))
modConf.event.set()
while not emp.begin_proc_shutdown:
    time.sleep(0.05)
emp.join()
said = sorted(modConf.receiver.recv() for _ in range(2))
with modConf.counter.get_lock():
    print("RETURNED", (answers, modConf.counter.value, list(modConf.numbers), said))
