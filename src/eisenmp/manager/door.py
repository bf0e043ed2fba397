"""The door of eisenmp 1.0: every name of a manager that its programs use, as a thin view of the new parts."""

from __future__ import annotations

import threading

from ..core import queues as queue_names
from .dispatcher import LAST_PULL
from .legacy import result_ended, result_started

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

    from ..core.queues import QueueName
    from ..core.settings import Settings
    from .collector import Collector
    from .crew import Crew, Slot
    from .dispatcher import Dispatcher
    from .feed import Feed
    from .legacy import Boxes, Result
    from .queue import Queue

MOMENT = 0.01  #: seconds that a false begin_proc_shutdown takes
LEAVING = 1.0  #: seconds that processes of workers that have confirmed their stop are waited for
FOR_FEEDER = ("generator", "input_q", "feeder_input_q", "ROWS_MAX", "header_msg", "stop_msg_disable")


class SlotProcess:
    """An entry of `emp.proc_list`: the process in a slot, like a multiprocessing.Process."""

    daemon = False

    def __init__(self, door: Door, number: int) -> None:
        self._door = door
        self._number = number

    @property
    def _slot(self) -> Slot:
        return self._door._crew.slots[self._number]

    @property
    def name(self) -> str:
        return self._slot.name

    @property
    def pid(self) -> int:
        """Of the process that is in the slot, once it is there; 0 for a subscriber who asks before."""
        slot, pump = self._slot, self._door.dispatcher.pump
        if slot.alive and not slot.pid and not pump.leads_here:
            pump.wait_until(lambda: slot.pid != 0 or not slot.alive)
        return slot.pid

    @property
    def exitcode(self) -> int | None:
        """None while it runs; negative for a signal."""
        return None if self._slot.alive else self._slot.exitcode

    def is_alive(self) -> bool:
        return self._slot.alive

    def join(self, timeout: float | None = None) -> None:
        """Wait until no process is in the slot."""
        self._door.dispatcher.wait(lambda: not self._slot.alive, timeout)

    def terminate(self) -> None:
        """SIGTERM, for good: the slot stays empty, its chunks go to other workers."""
        self._end(self._door.engine.terminate)

    def kill(self) -> None:
        """SIGKILL, for good: the slot stays empty, its chunks go to other workers."""
        self._end(self._door.engine.kill)

    def _end(self, end: Any) -> None:
        with self._door.dispatcher.lock:
            self._slot.dismissed = True
            if self._slot.alive:
                end(self._slot.wid)

    def __repr__(self) -> str:
        return f"<{self.name} pid={self._slot.pid} {'started' if self.is_alive() else 'stopped'}>"


class Door:
    """What programs written for 1.0 call and read. `Mp` is one; the parts come from there."""

    settings: Settings
    engine: Any
    dispatcher: Dispatcher
    collector: Collector
    boxes: Boxes
    _crew: Crew
    _names: queue_names.QueueNames
    _feed: Any
    _queue_of: Any
    _find_queue: Any
    _entry: Any
    queue: Any
    stop: Any
    pump_running: Any
    procs: Any
    _listed: bool
    _started: bool
    _ended: bool
    _variables: dict[str, Any]

    def _door_init(self) -> None:
        self.kwargs: dict[str, Any] | None = None
        self.kwargs_env: dict[str, Any] = {}
        self.queue_cust_dict_std: dict[str, Queue] = {}
        self.queue_cust_dict_cat: dict[str, dict[str, Queue]] = {}
        self.queue_std_dict: dict[str, Queue] = {}
        self.q_name_id_lst: list[tuple[str, int, Queue]] = []
        self.q_max_size = 1
        self.pipe_default_dict: dict[str, Any] = {}
        self.thread_list: list[threading.Thread] = []
        self.all_threads_stop = False
        self.pi: Any = None
        self.e_utilsResult: Result = self.boxes.result
        self._processes: dict[int, SlotProcess] = {}
        self._shutdown_said = False
        self._findings_printed = self._end_printed = False
        for name in self._names:
            queue = self._queue_of(name)
            setattr(self, name.attribute, queue)
            if name.name == queue_names.INPUT:
                self.q_name_id_lst.append((name.name, id(queue), queue))
            if name.name != queue_names.PROCESS:
                self.queue_std_dict[name.attribute] = queue

    mp_input_q: Queue
    mp_output_q: Queue
    mp_process_q: Queue
    mp_tools_q: Queue
    mp_print_q: Queue
    mp_info_q: Queue

    # queues

    def queue_cust_dict_std_create(self, *queue_name_maxsize: tuple[str, int]) -> None:
        """Queues (name, maxsize): `emp.queue_cust_dict_std[name]`, `toolbox.<name>`. Raises QueueExists."""
        for name, maxsize in queue_name_maxsize:
            self.queue(name, maxsize=maxsize)

    def queue_cust_dict_category_create(self, *queue_cat_name_maxsize: tuple[str, str, int]) -> None:
        """Queues (category, name, maxsize): `emp.queue_cust_dict_cat[category][name]`. Raises QueueExists."""
        for category, name, maxsize in queue_cat_name_maxsize:
            self.queue(name, category=category, maxsize=maxsize)

    def _door_queue(self, entry: QueueName, queue: Queue) -> None:
        if entry.category is None:
            self.queue_cust_dict_std[entry.short] = queue
        else:
            self.queue_cust_dict_cat.setdefault(entry.category, {})[entry.short] = queue
        self.q_name_id_lst.append((entry.name, id(queue), queue))

    def queue_lst_get(self) -> list[Queue]:
        """The input queue and all custom queues."""
        return [queue for _, _, queue in self.q_name_id_lst]

    @staticmethod
    def core_count_get() -> int:
        """How many processes run when PROCS_MAX is not given: the CPUs that this process may use."""
        from ..engine.cpus import usable_cpus

        return usable_cpus()

    # feeding

    def run_q_feeder(
        self, *, generator: Iterable[Any], input_q: Any = None, ROWS_MAX: int | None = None, **more: Any
    ) -> Feed:
        """Feed a generator into a queue (default `mp_input_q`) from a thread; several may run at once.

        Chunks are lists behind a header, by default the queue's name and the ticket; `header_msg` is a text
        in place of the name. The last list ends with STOP. `feeder_input_q` is another name of `input_q`;
        with `stop_msg_disable` no worker is told when the feeders have ended. Other keywords are accepted
        and ignored.
        """
        wanted = input_q if input_q is not None else more.get("feeder_input_q")
        settings = self.settings if not ROWS_MAX else self.settings.replace(rows_max=ROWS_MAX)
        size = settings.rows_max if isinstance(settings.rows_max, int) else 1000
        title = more.get("header_msg")
        if more.get("stop_msg_disable"):
            self.dispatcher.ledger.tokens = False
        feed: Feed = self._feed(
            generator, self._entry(wanted), size, None, listed=True, title="" if title is None else str(title)
        )
        return feed

    def q_feeder(self) -> None:
        """Feed `emp.kwargs['generator']` from the calling thread; returns when the generator is empty."""
        kwargs = self.kwargs or {}
        feed = self.run_q_feeder(**{key: kwargs[key] for key in FOR_FEEDER if key in kwargs})
        self.pump_running()
        self.dispatcher.wait(lambda: feed.source_is_over)

    # state

    def reset(self) -> None:
        """Take back what a program has written into the two flags."""
        self.all_threads_stop = self._shutdown_said = False

    @property
    def begin_proc_shutdown(self) -> bool:
        """Whether all workers have confirmed their stop and every earlier result is stored.

        It does not wait for the threads of a worker, such as servers: their process stays up, and so does the
        manager. A false answer takes up to 10 ms, so that loops that poll it do not burn a core.
        """
        if self._shutdown_said:
            return True
        if not self._started:
            return False
        if self._ended:
            return True
        crew, collector, wait = self._crew, self.collector, self.dispatcher.wait
        if not wait(lambda: bool(crew.slots) and crew.finished and collector.idle, MOMENT):
            return False
        if wait(lambda: crew.over and collector.idle, LEAVING):
            # a feeder whose lists are all done may still find out whether there is more
            feeds = self.dispatcher.feeds
            wait(lambda: not feeds and collector.idle, 2 * LAST_PULL)
            self.stop()
        return True

    @begin_proc_shutdown.setter
    def begin_proc_shutdown(self, value: bool) -> None:
        """1.0's programs write it too: what they say holds until `reset()` or the next start."""
        self._shutdown_said = bool(value)

    @property
    def proc_list(self) -> list[SlotProcess]:
        """One entry per slot; PROCS_MAX of them right after start()."""
        known = self._processes
        return [
            known.get(number) or known.setdefault(number, SlotProcess(self, number))
            for number in range(len(self._crew.slots))
        ]

    @property
    def PROCS_MAX(self) -> int:
        return len(self._crew.slots) or self.procs

    @property
    def print_q_box(self) -> Any:
        return self.boxes.print_q_box

    @property
    def output_q_box(self) -> dict[int, Any]:
        return self.boxes.output_q_box

    @property
    def info_q_box(self) -> dict[int, Any]:
        return self.boxes.info_q_box

    @property
    def result_lst(self) -> list[str]:
        return self.boxes.result_lst

    @property
    def stop_list(self) -> list[str]:
        return self.boxes.stop_list

    def print_findings(self) -> None:
        """Print what was found, between '--- Result for [label]---' and '--- END ---'."""
        print(self.boxes.findings(self.settings.result_label))
        if self.settings.results_dict_print:
            print(self.e_utilsResult.result_dict)

    def enable_q_box_threads(self) -> None:
        """The collector takes in what workers print and send; it starts by itself."""

    enable_print_q = enable_output_q = enable_info_q = enable_info_thread = enable_q_box_threads
    stop_thread = end_thread = enable_q_box_threads

    def end_proc(self) -> None:
        """Wait for all workers."""
        for process in self.proc_list:
            process.join()

    # called by Mp

    def _announce(self, procs: int) -> None:
        numbers = "".join(f"{number} " for number in range(procs))
        print(f"\nCreate {procs} processes.\n{numbers}\n", flush=True)

    def _door_started(self, attributes: dict[str, Any]) -> None:
        self.kwargs = attributes
        self.kwargs_env = {**attributes, **self.queue_std_dict, **self.queue_cust_dict_std}
        self.kwargs_env.update(self.queue_cust_dict_cat)
        self.kwargs_env["ALL_QUEUES_LIST"] = self.queue_lst_get()
        self.kwargs_env["Q_NAME_ID_LST"] = self.q_name_id_lst
        self.boxes.result = self.e_utilsResult = result_started()
        self.collector.legacy = True
        self.collector.on_left = self._print_findings
        self._processes = {}
        self._shutdown_said = self._findings_printed = self._end_printed = False

    def _door_crew_started(self) -> None:
        if self._crew.slots:
            self.kwargs_env["START_SEQUENCE_NUM"] = self._crew.slots[-1].number
        elif self._listed:
            print("\teisenmp: No Worker Module to start", flush=True)

    def _print_findings(self) -> None:
        """In the collector's thread: what was found, once, when all workers have confirmed their stop."""
        crew, confirmed = self._crew, self.boxes.stop_list
        if crew.finished and all(slot.name in confirmed for slot in crew.slots if slot.left):
            self._print_findings_now()

    def _print_findings_now(self) -> None:
        if not self._findings_printed:
            self._findings_printed = True
            self.print_findings()

    def _print_end(self) -> None:
        """The console text of 1.0 at the end, once."""
        if self.collector.legacy and not self._end_printed:
            self._end_printed = True
            self.collector.call(self._print_down)

    def _print_down(self) -> None:
        self._print_findings_now()
        print("\tProcesses are down.", flush=True)

    def _door_ended(self) -> None:
        self.all_threads_stop = True
        result_ended(self.e_utilsResult)


__all__ = ["Door", "SlotProcess"]
