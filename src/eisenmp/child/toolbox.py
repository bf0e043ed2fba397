"""What a worker is handed: its queues, its identity, every variable of the configuration, and verbs.

UPPER-CASE names are ours, as in eisenmp 1.0; lower-case ones are the user's; verbs act.
"""

from __future__ import annotations

from os import getpid
from threading import Lock

from ..core import messages as m
from ..core.chunk import STOP_MSG, Chunk
from ..core.ticket import Ticket
from .queue import OUTPUT_HEADER, WorkerQueue, worker_queue

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from random import Random
    from typing import Any

    from ..core.queues import QueueName
    from .channel import Channel
    from .spec import Spec

INPUT = 0  # the wire number of mp_input_q
STOP_CONFIRM = "WORKER_STOPS"
PERF_HEADER_ETA = "PERF_HEADER_ETA"


class _Live:
    """A property that a user's variable of the same name replaces."""

    def __init__(self, read: Callable[[ToolBox], Any]) -> None:
        self._read = read
        self.__doc__ = read.__doc__

    def __get__(self, toolbox: ToolBox | None, owner: type) -> Any:
        return self if toolbox is None else self._read(toolbox)


class WorkerControl:
    """`toolbox.worker`: how a mate, or the worker, controls the worker of this process."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel

    def pause(self) -> None:
        """Do not call the worker again before `resume`; what was sent ahead goes to others."""
        self._channel.request(m.ORDER_PAUSE)

    def resume(self) -> None:
        self._channel.request(m.ORDER_RESUME)

    def stop(self) -> None:
        """Leave for good after the running cycle."""
        self._channel.request(m.ORDER_STOP)

    def restart(self, reason: str = "") -> None:
        """End this process now, whatever the worker is doing; a new one takes its slot and its chunks."""
        self._channel.request(m.ORDER_RESTART, reason)


class ToolBox:
    """One per worker process; the same object in every call, so that a worker may keep things on it."""

    def __init__(self, spec: Spec, channel: Channel, variables: dict[str, Any]) -> None:
        self.instances: dict[str, Any] = {}
        self.worker = WorkerControl(channel)
        self.tools = channel.tools
        self.worker_id = spec.worker_id
        self.NEXT_LIST: Any = None
        self.MULTI_TOOL: Any = None
        self.INPUT_HEADER = ""
        vars(self).update(variables)
        # from here on names are ours, whatever the variables say
        self._channel = channel
        self._manager = spec.manager
        self._categories: dict[str, dict[str, WorkerQueue]] = {}
        self.OUTPUT_HEADER = OUTPUT_HEADER
        self.PERF_HEADER_ETA = PERF_HEADER_ETA
        self.PERF_CURRENT_ETA: Any = None
        self.STOP_MSG = STOP_MSG
        self.WORKER_ID = spec.worker_id
        self.WORKER_PID = getpid()
        self.WORKER_NAME = spec.name
        self.STOP_CONFIRM_AND_PROCNAME = STOP_CONFIRM + spec.name
        self.START_SEQUENCE_NUM = spec.slot
        self.ALL_QUEUES_LIST: list[WorkerQueue] = []
        self.Q_NAME_ID_LST: list[tuple[str, int, WorkerQueue]] = []
        self.kwargs: dict[str, Any] = {
            **variables,
            "START_SEQUENCE_NUM": spec.slot,
            "ALL_QUEUES_LIST": self.ALL_QUEUES_LIST,
            "Q_NAME_ID_LST": self.Q_NAME_ID_LST,
        }
        self._queues: dict[int, WorkerQueue] = {}
        self._adding = Lock()
        # in this order: a queue that is made at this moment comes by one way or both, and is added once
        channel.on_queue = self._add_queue
        for name in list(channel.names):
            self._add_queue(name)

    def _add_queue(self, name: QueueName) -> None:
        """Also by the channel's thread: a dictionary that the worker may be iterating over is replaced."""
        queue = worker_queue(self._channel, name, self._manager)
        with self._adding:
            if self._queues.setdefault(name.number, queue) is not queue:
                return
            key: str = name.attribute
            value: Any = queue
            if name.category is not None:
                key = name.category
                value = self._categories[key] = {**self._categories.get(key, {}), name.short: queue}
            setattr(self, key, value)
            self.kwargs = {**self.kwargs, key: value}
            if name.number == INPUT or name.number > 5:
                self.ALL_QUEUES_LIST.append(queue)
                self.Q_NAME_ID_LST.append((name.name, id(queue), queue))

    def queue(self, name: str) -> WorkerQueue:
        """A queue by its full name, such as 'batch_1|audio_lg'. Raises QueueUnknown."""
        from ..errors import QueueUnknown

        for known in self._channel.names:
            if name in (known.name, known.attribute if known.category is None else None):
                return worker_queue(self._channel, known, self._manager)
        raise QueueUnknown(f"there is no queue {name!r}")

    def next_chunk(
        self, queue: WorkerQueue | str | None = None, timeout: float | None = None
    ) -> Chunk | None:
        """The next chunk, as `Chunk(ticket, rows)`; None once the manager is ending.

        `queue`: by default `mp_input_q`. Raises TimeoutError after `timeout` seconds.
        """
        from ..errors import Stopped

        if isinstance(queue, str):
            queue = ToolBox.queue(self, queue)
        channel = self._channel
        while True:
            try:
                item = channel.get(INPUT if queue is None else queue._name.number, timeout)
            except Stopped:
                return None
            if item is None:
                raise TimeoutError(f"no chunk came within {timeout} s")
            if item.kind == m.TOKEN:
                return None
            rows = channel.rows(item, lazily=channel.is_main)
            if rows is not None:
                break
            channel.pass_over(item)
        return Chunk(channel.ticket(item), rows[1:] if item.flags & m.TITLED else rows)

    def send(self, value: Any, ticket: Ticket | None = None) -> None:
        """Send an output of the chunk `ticket`; by default of the one that was taken last in this cycle."""
        channel = self._channel
        current = channel.current
        if ticket is not None:
            lease = channel.lease_of(ticket)
        else:
            lease = current.lease if current is not None else 0
        if not lease:
            raise ValueError(
                f"no chunk {'' if ticket is None else ticket.header + ' '}was taken in this cycle"
            )
        channel.output(lease, value)

    def progress(self, rows: int) -> None:
        """Say that `rows` more rows of the running chunk are done."""
        self._channel.report_rows(rows)

    def print(self, *values: Any, sep: str = " ", end: str = "\n") -> None:
        """Print in the manager, with this worker's name, whole."""
        self._channel.log(1, sep.join(map(str, values)) + end)

    @_Live
    def ticket(self) -> Ticket | None:
        """The ticket of the chunk that was taken last in the running cycle."""
        current = self._channel.current
        return None if current is None else self._channel.ticket(current)

    @_Live
    def cancelled(self) -> bool:
        """Whether the running chunk is not wanted any more, or the worker is to stop."""
        return self._channel.check_cancelled()

    @_Live
    def rng(self) -> Random:
        """Random numbers that depend on the ticket alone: the same for any number of workers and tries."""
        from random import Random

        current = self._channel.current
        seed = "" if current is None else repr(tuple(self._channel.ticket(current)))
        known: tuple[str, Random] | None = vars(self).get("_rng")
        if known is None or known[0] != seed:
            known = vars(self)["_rng"] = (seed, Random(seed))
        return known[1]
