"""The slots of a manager and the processes in them. A slot keeps its number, id and name over restarts."""

from __future__ import annotations

import sys
from collections import deque
from itertools import count
from os import close, environ

from ..child.spec import Spec, Warm
from ..core import messages as m
from ..core.messages import ORDER_STOP, Message
from ..core.stack import Stack
from ..engine.base import Launch
from ..errors import SettingsError
from ..wire.pickles import dumps

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ..child.loader import Source
    from ..core.queues import QueueNames
    from ..core.settings import Settings
    from ..engine.base import Engine, Exit
    from .fleet import Fleet
    from .server_slot import ServerSlot

TAIL_LINES = 20
THREAD_VARIABLES = (
    "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS",
    "NUMEXPR_NUM_THREADS", "BLIS_NUM_THREADS",
)  # fmt: skip

_worker_ids = count(1)  # goes on rising over all managers of the program, as in 1.0


class Slot:
    """One place for a worker."""

    def __init__(self, number: int, before: Slot | None = None) -> None:
        self.number = number
        self.worker_id: int = next(_worker_ids) if before is None else before.worker_id
        self.name = f"Process-{self.worker_id}"
        self.wid = 0  #: of the process in it now; 0 when there is none
        self.pid = 0
        self.exitcode: int | None = None
        self.ready = False  #: the worker has loaded
        self.is_chunk_worker = False
        self.left = False  #: the worker will not be called again
        self.retired = False  #: no replacement is wanted
        self.dismissed = False  #: ended by the program: for good, and a death all the same
        self.renewed = False  #: the process leaves and another one follows it
        self.handed_over = False  #: it will say no more: an end is no death any more
        self.dumps_quietly = (
            False  #: the stacks that the process writes are for its failure, not for the console
        )
        self.chunks = 0  #: that were sent to the process
        self.restart_reason = ""
        self.start_failures = 0
        self.server: ServerSlot | None = None  #: the worker is a server: another machine decides
        self.group = ""  #: of a spare
        self.process = 0  #: which of its processes this is
        self.wrong = ""  #: how a server has said that it failed
        self.tail: deque[str] = deque(maxlen=TAIL_LINES)
        self.dump = Stack()  #: what the process wrote of its stacks, apart from the tail

    @property
    def alive(self) -> bool:
        return self.wid != 0

    @property
    def stack(self) -> str:
        """The stacks that the process wrote last, when a fault ended it or SIGQUIT asked for them."""
        return self.dump.text

    @property
    def over(self) -> bool:
        """No process is in it and none will be."""
        return not self.wid and (self.left or self.retired)


class Crew:
    """All slots: starts processes, finds slots by process."""

    def __init__(self, engine: Engine, manager: str, settings: Settings, names: QueueNames) -> None:
        self.slots: list[Slot] = []
        self.sources: tuple[Source, ...] = ()
        self.compute: tuple[Source, ...] = ()  #: of the workers beside the servers
        self.variables = b""
        self.tools: list[bytes] = []
        self.contract = ""
        self.descriptors: tuple[int, ...] = ()
        self.forked = False  #: processes are copies of one that has loaded the sources and the tools
        self.fleet: Fleet | None = None
        self._engine = engine
        self.on_spawn: Callable[[int], None] = lambda wid: None  #: its process was asked for
        self._manager = manager
        self.settings = settings
        self._names = names
        self._by_wid: dict[int, Slot] = {}
        self._heirs: dict[int, Slot] = {}  # by slot: the process that will follow the one that is there
        self._leavers: set[Slot] = set()  # that have no place in the crew any more and are not gone yet
        self.reserves: set[Slot] = set()  #: processes that wait for a slot
        self._wids = count(1)
        self._environment: dict[str, str] | None = None
        self._cpus: int | None = None  # of the manager
        self._warm: tuple[tuple[Source, ...], bytes] | None = None

    def add_slot(self) -> Slot:
        slot = Slot(len(self.slots))
        self.slots.append(slot)
        return slot

    def find(self, wid: int) -> Slot | None:
        """The slot of a process; None when the process has been replaced or is gone."""
        return self._by_wid.get(wid)

    def everyone(self) -> list[Slot]:
        """The slots, and those who are to take one or have handed it over."""
        return [*self.slots, *self._heirs.values(), *self._leavers, *self.reserves]

    def alive(self) -> Iterator[Slot]:
        return (slot for slot in self.everyone() if slot.alive)

    def make_heir(self, slot: Slot) -> Slot | None:
        """Room for the process that will follow the one in the slot; None if there is one already."""
        if slot.number in self._heirs:
            return None
        heir = self._heirs[slot.number] = Slot(slot.number, slot)
        return heir

    def promote(self, slot: Slot) -> Slot | None:
        """The heir, which is in the slot from now on; None if there is none."""
        heir = self._heirs.pop(slot.number, None)
        if heir is not None:
            self.slots[slot.number] = heir
            if slot.alive:
                self._leavers.add(slot)
        return heir

    def is_heir(self, slot: Slot) -> bool:
        return self._heirs.get(slot.number) is slot

    def is_spare(self, slot: Slot) -> bool:
        """Whether it is an heir, or was one in vain, or has handed over its place."""
        return self.is_heir(slot) or slot in self._leavers or slot in self.reserves

    def drop_spare(self, slot: Slot) -> None:
        if self.is_heir(slot):
            del self._heirs[slot.number]
        self._leavers.discard(slot)

    def dismiss_heir(self, slot: Slot) -> None:
        """Nobody will follow in the slot after all."""
        heir = self._heirs.pop(slot.number, None)
        if heir is not None:
            heir.retired = True
            self._leavers.add(heir)
            self.order_stop(heir)

    def dismiss_heirs(self) -> None:
        for heir in list(self._heirs.values()):
            self.dismiss_heir(heir)

    def heir_is_ready(self, slot: Slot) -> bool:
        heir = self._heirs.get(slot.number)
        return heir is not None and heir.ready

    def add_reserve(self, name: str, group: str) -> Slot:
        """Room for a process that waits for a slot."""
        reserve = Slot(-1, self.slots[0])
        reserve.name, reserve.group = name, group
        self.reserves.add(reserve)
        return reserve

    def place_reserve(self, reserve: Slot, number: int) -> None:
        """It is in the slot from now on, under the slot's names."""
        before = self.slots[number]
        reserve.number, reserve.name, reserve.worker_id = number, before.name, before.worker_id
        self.reserves.discard(reserve)
        self.slots[number] = reserve

    def dismiss_reserve(self, reserve: Slot) -> None:
        reserve.retired = True
        self.order_stop(reserve)

    def forget_reserve(self, reserve: Slot) -> None:
        reserve.retired = True
        self.reserves.discard(reserve)

    def queue_name(self, index: int) -> str:
        return self._names[index].name

    @property
    def over(self) -> bool:
        """No process is there and none will be."""
        return all(slot.over for slot in self.everyone())

    @property
    def finished(self) -> bool:
        """No worker will be called again; processes may live on, for the threads that they started."""
        return all(slot.left or slot.over for slot in self.slots)

    def reserve(self, slot: Slot) -> int:
        """A number for the next process of the slot; never used twice."""
        slot.wid = next(self._wids)
        self._by_wid[slot.wid] = slot
        return slot.wid

    def spawn(self, slot: Slot, sys_path: tuple[str, ...], procs: int) -> None:
        """Start the process that was reserved for the slot."""
        slot.ready = slot.left = False
        slot.exitcode = None
        slot.restart_reason = ""
        slot.dump = Stack()
        cores = cores_of(self.settings.pin, slot.number)
        serving, descriptors = None, self.descriptors
        beside = self.fleet is not None and slot.server is None and not slot.group
        forked = self.forked and not beside  # the zygote has loaded the servers
        if self.fleet is not None and not beside:
            serving, seat_cores = self.fleet.launched(slot)
            cores = seat_cores or cores
            descriptors = (*descriptors, *(descriptor for descriptor, _ in serving.sockets))
        spec = Spec(
            manager=self._manager,
            wid=slot.wid,
            slot=slot.number,
            name=slot.name,
            worker_id=slot.worker_id,
            sources=self.compute if beside else () if forked else self.sources,
            queues=tuple(self._names),
            variables=self.variables,
            sys_path=sys_path,
            tools=() if forked else tuple(self.tools),
            cores=cores,
            contract=self.contract,
            argv=tuple(sys.argv),
            chunks_max=self.settings.chunks_max or 0,
            reports_rows=self.settings.timeout_row is not None,
            serving=serving,
        )
        launch = Launch(
            spec=dumps(spec, "the settings of the worker"),
            name=slot.name,
            environment=self._environment_of(procs),
            cores=cores,
            descriptors=descriptors,
        )
        if forked:
            launch = launch._replace(warm=self._warm_of(sys_path), tools=tuple(self.tools))
        slot.pid = self._engine.spawn(slot.wid, launch)
        self.on_spawn(slot.wid)

    def _warm_of(self, sys_path: tuple[str, ...]) -> bytes:
        if self._warm is None or self._warm[0] is not self.sources:
            # made once: the program may change sys.argv, and a zygote that differs is of no use
            warm = Warm(self.sources, sys_path, tuple(sys.argv))
            self._warm = (self.sources, dumps(warm, "the worker modules"))
        return self._warm[1]

    @property
    def cpus(self) -> int:
        """That the manager may use."""
        if self._cpus is None:
            from ..engine.cpus import usable_cpus

            self._cpus = usable_cpus()  # once: it reads a dozen files
        return self._cpus

    def _environment_of(self, procs: int) -> dict[str, str]:
        if not self.forked:
            return environment(self.settings.threads_max, procs, self.cpus)
        if self._environment is None:
            # copies of one process have one environment, also after a resize
            self._environment = environment(self.settings.threads_max, procs, self.cpus)
        return self._environment

    def gone(self, wid: int, exit: Exit) -> Slot | None:
        """A process has ended; returns its slot, which is empty now."""
        slot = self._by_wid.pop(wid, None)
        if slot is not None:
            slot.wid = 0
            slot.exitcode = exit.code
        return slot

    def close(self) -> None:
        """No process will be started any more."""
        for descriptor in self.descriptors:
            close(descriptor)
        self.descriptors = ()

    def order_stop(self, slot: Slot) -> None:
        """Tell the worker to leave after its running cycle."""
        if slot.wid:
            self._engine.send(slot.wid, [Message(m.CONTROL, a=ORDER_STOP)])


def cores_of(pin: object, number: int) -> tuple[int, ...]:
    """The cores that a slot is bound to; none for all."""
    if pin == "none" or pin is None:
        return ()
    if pin == "core":
        from ..engine.cpus import usable_cores

        cores = usable_cores()
    else:
        cores = tuple(pin)  # type: ignore[arg-type]
    return (cores[number % len(cores)],) if cores else ()


def check_pin(pin: object) -> None:
    """Raise SettingsError for a core that the workers cannot be bound to."""
    if isinstance(pin, tuple):
        from ..engine.cpus import usable_cores

        usable = usable_cores()
        missing = [core for core in pin if usable and core not in usable]
        if missing:
            raise SettingsError(
                f"pin names core {missing[0]}; this process may use {', '.join(map(str, usable))}"
            )


def environment(threads_max: int | None, procs: int, cpus: int) -> dict[str, str]:
    """The environment of a worker: the manager's, with CPUs and the threads of BLAS and OpenMP shared out.

    A variable that the user has set stays as it is, unless `threads_max` was given. With OMP_NUM_THREADS all
    do: the libraries that have a variable of their own follow this one.
    """
    from ..engine.cpus import SHARE

    share = str(max(1, cpus // max(1, procs)))
    variables = {**environ, SHARE: share}
    if threads_max is None:
        if "OMP_NUM_THREADS" in variables:
            return variables
        for name in THREAD_VARIABLES:
            variables.setdefault(name, share)
    else:
        variables.update(dict.fromkeys(THREAD_VARIABLES, str(threads_max)))
    return variables
