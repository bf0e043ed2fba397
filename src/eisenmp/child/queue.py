"""A queue as a worker sees it: the methods of `multiprocessing.Queue`, served by the manager."""

from __future__ import annotations

from ..core import messages as m
from ..core import queues as names
from ..core.chunk import STOP_ROW
from ..wire.pickles import loads

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from ..core.queues import QueueName
    from .channel import Channel, Item

OUTPUT_HEADER = "OUTPUT_HEADER"
MOMENT = 0.01  #: seconds that a true empty() takes


def opened(channel: Channel, item: Item) -> Any:
    """What `get` returns: the object; or 1.0's list of header, rows and, at the end of a feeder, STOP.

    None for a chunk that has no rows, behind the end of a source that the workers read.
    """
    if item.kind == m.ITEM:
        return loads(item.body)
    if item.kind == m.TOKEN:
        return [OUTPUT_HEADER, STOP_ROW]
    found = channel.rows(item)
    if found is None:
        return None
    rows = list(found)
    if not item.flags & m.TITLED:
        rows.insert(0, channel.ticket(item).header)
    if item.flags & m.LAST:
        rows.append(STOP_ROW)
    return rows


class WorkerQueue:
    """`get`, `put`, `empty`, `full`, `qsize` and the `_nowait` forms, from any thread of the worker.

    Raises queue.Empty and queue.Full on a timeout, eisenmp.Stopped when the manager stops.
    """

    def __init__(self, channel: Channel, name: QueueName, manager: str) -> None:
        self._channel = channel
        self._name = name
        self._manager = manager

    @property
    def name(self) -> str:
        return self._name.name

    def get(self, block: bool = True, timeout: float | None = None) -> Any:
        """The next object; of a queue that a feeder fills, the list [header, row, …]."""
        channel, index = self._channel, self._name.number
        while True:
            item = channel.get(index, timeout) if block else channel.get_now(index)
            if item is None:
                from queue import Empty

                raise Empty
            content = opened(channel, item)
            if content is not None or item.kind != m.CHUNK:
                return content
            channel.pass_over(item)

    def get_nowait(self) -> Any:
        return self.get(block=False)

    def put(self, obj: Any, block: bool = True, timeout: float | None = None) -> None:
        """Put an object; waits while the queue holds `maxsize` objects."""
        if not self._put(obj, block, timeout):
            from queue import Full

            raise Full

    def _put(self, obj: Any, block: bool, timeout: float | None) -> bool:
        return self._channel.put(self._name.number, obj, block=block, timeout=timeout)

    def put_nowait(self, obj: Any) -> None:
        self.put(obj, block=False)

    def empty(self) -> bool:
        """Whether a get would wait. True comes after 10 ms, so that polling loops do not burn a core."""
        return self._channel.empty(self._name.number, MOMENT)

    def full(self) -> bool:
        return bool(self._channel.ask(m.ASK_FULL, self._name.number))

    def qsize(self) -> int:
        """How many objects wait, here and in the manager."""
        here = len(self._channel.inbox(self._name.number).items)
        return here + int(self._channel.ask(m.ASK_SIZE, self._name.number))

    def __reduce__(self) -> tuple[Any, ...]:
        return names.resolve_queue, (self._manager, self._name.name)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self._name.name!r}>"


class OutputQueue(WorkerQueue):
    """`mp_output_q`: what is put under the header of a running chunk becomes an output of that chunk."""

    def _put(self, obj: Any, block: bool, timeout: float | None) -> bool:
        lease = 0
        if isinstance(obj, list) and obj and isinstance(obj[0], str):
            lease = self._channel.lease_of_header(obj[0])
        self._channel.output(lease, obj, m.HEADED)
        return True


class NoteQueue(WorkerQueue):
    """`mp_print_q`, `mp_info_q`, `mp_process_q`: the manager itself reads them, at once."""

    def _put(self, obj: Any, block: bool, timeout: float | None) -> bool:
        self._channel.note(self._name.number, obj)
        return True


def worker_queue(channel: Channel, name: QueueName, manager: str) -> WorkerQueue:
    kind = WorkerQueue
    if name.name == names.OUTPUT:
        kind = OutputQueue
    elif name.name in (names.PRINT, names.INFO, names.PROCESS):
        kind = NoteQueue
    return kind(channel, name, manager)
