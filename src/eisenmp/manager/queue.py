"""A named queue as the manager's program sees it."""

from __future__ import annotations

from time import monotonic

from ..core import messages as m
from ..core import queues
from ..core.chunk import STOP_ROW
from ..core.ledger import Parcel
from ..core.ticket import header
from ..wire.pickles import dumps, loads
from .puts import LocalPut

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from ..core.queues import QueueName
    from .mp import Mp

MOMENT = 0.01  #: seconds that a true empty() takes


class Queue:
    """`get`, `put`, `empty`, `full`, `qsize` as of multiprocessing.Queue, from any thread.

    Raises queue.Empty and queue.Full on a timeout, eisenmp.Stopped once the manager is stopped.
    """

    def __init__(self, manager: Mp, name: QueueName) -> None:
        self._mp = manager
        self._entry = name

    @property
    def name(self) -> str:
        """The name in headers: 'batch_1|audio_lg'."""
        return self._entry.name

    @property
    def maxsize(self) -> int:
        return self._entry.maxsize

    def put(self, obj: Any, block: bool = True, timeout: float | None = None) -> None:
        """Put an object; waits while the queue holds `maxsize` objects that no worker has asked for."""
        manager, index = self._mp, self._entry.number
        if self._entry.name == queues.TOOLS:
            body = manager.toolset.put(obj, manager.dispatcher)
        else:
            body = dumps(obj, "the object")
        manager.check_open()
        if index in manager.own_queues:
            manager.noted(index, body)
            return
        dispatcher = manager.dispatcher
        put = LocalPut()
        with dispatcher.lock:
            if not block and dispatcher.ledger.queues[index].full:
                accepted = False
            else:
                dispatcher.execute(dispatcher.ledger.put(put, Parcel(index, body)))
                accepted = put.accepted
        if block and not accepted:
            manager.pump_running()
            dispatcher.wait_here(lambda: put.accepted or manager.ended, timeout)
            with dispatcher.lock:
                accepted = put.accepted
                if not accepted:
                    dispatcher.ledger.put_withdrawn(index, put)
            manager.check_open()
        dispatcher.changed_here()
        if not accepted:
            from queue import Full

            raise Full

    def put_nowait(self, obj: Any) -> None:
        self.put(obj, block=False)

    def get(self, block: bool = True, timeout: float | None = None) -> Any:
        """The next object; of a queue that a feeder fills, the list [header, row, …]."""
        manager, index = self._mp, self._entry.number
        dispatcher = manager.dispatcher
        waiting = dispatcher.ledger.queues[index]
        deadline = None if timeout is None else monotonic() + timeout
        while True:
            with dispatcher.lock:
                parcel, commands = dispatcher.ledger.take(index)
                dispatcher.execute(commands)
            if parcel is not None:
                dispatcher.changed_here()
                return self._opened(parcel)
            manager.check_open()
            manager.pump_running()
            remaining = None if deadline is None else max(0.0, deadline - monotonic())
            if not block or not dispatcher.wait_here(
                lambda: bool(waiting.waiting) or manager.ended, remaining
            ):
                from queue import Empty

                raise Empty

    def get_nowait(self) -> Any:
        return self.get(block=False)

    def _opened(self, parcel: Parcel) -> Any:
        if not parcel.feed:
            return loads(parcel.body)
        rows = list(loads(parcel.body))
        if not parcel.flags & m.TITLED:
            rows.insert(0, header(self._entry.name, parcel.number))
        if parcel.flags & m.LAST:
            rows.append(STOP_ROW)
        return rows

    def empty(self) -> bool:
        """Whether a get would wait. True comes after 10 ms, so that polling loops do not burn a core."""
        manager = self._mp
        queue = manager.dispatcher.ledger.queues[self._entry.number]
        if queue.waiting:
            return False
        if not manager.ended:
            manager.pump_running()
            manager.dispatcher.pump.wait_until(lambda: bool(queue.waiting) or manager.ended, MOMENT)
        return not queue.waiting

    def full(self) -> bool:
        """Whether a put would wait."""
        return self._mp.dispatcher.ledger.queues[self._entry.number].full

    def qsize(self) -> int:
        """How many objects wait in the manager."""
        return len(self._mp.dispatcher.ledger.queues[self._entry.number].waiting)

    def close(self) -> None:
        """Nothing to do; for programs that call it on a multiprocessing.Queue."""

    join_thread = cancel_join_thread = close

    def __reduce__(self) -> tuple[Any, ...]:
        return queues.resolve_queue, (self._mp.uid, self._entry.name)

    def __repr__(self) -> str:
        return f"<eisenmp.Queue {self._entry.name!r}>"
