"""The worker's end of the simulated wire: the real channel, with waits that a schedule can take over."""

from __future__ import annotations

from ..child.channel import TICK, Channel, Item
from ..core import messages as m
from ..core.messages import Message
from ..errors import Stopped
from ..wire import batch
from .pump import WorkerPump

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Generator
    from typing import Any

    from ..child.channel import Inbox
    from ..core.queues import QueueName
    from ..wire.pump import Pump
    from .process import Process
    from .schedule import Wait

    Waits = Generator[Wait, None, Any]


class SimChannel(Channel):
    """Inboxes, cycle, recalls and all that is said are those of the real channel.

    What blocks there is a generator of waits here: `take`, `put_object`, `question`.
    """

    def __init__(self, process: Process, names: tuple[QueueName, ...]) -> None:
        self._process = process
        self._flush_planned = False
        self.clock = process.schedule.clock
        no_link: Any = None
        super().__init__(no_link, names, on_eof=lambda: None)

    def _make_pump(self) -> Pump:
        return WorkerPump(self._process)

    # sending

    def post(self, message: Message) -> None:
        super().post(message)
        if self._out and not self._flush_planned:
            # where the main thread does not send it, the one in the background does after a tick
            self._flush_planned = True
            process = self._process
            process.schedule.after(TICK * (1 + process.simulation.draws.random()), self._flush_late)

    def _flush_late(self) -> None:
        process = self._process
        if process.is_stopped:
            process.missed.append((self._flush_late, ()))
            return
        self._flush_planned = False
        self.flush()

    def flush(self) -> None:
        if self._out:
            going = list(self._out)
            self._out.clear()
            self._process.say(batch.results(going))

    def hear(self, messages: list[Message]) -> None:
        """What the manager has sent arrives."""
        for message in messages:
            self._handle(message)

    # what blocks

    def take(self, queue: int, timeout: float | None = None, *, mate: bool = False) -> Waits:
        """`get`: the next item of the queue; None when `timeout` seconds passed. Raises Stopped."""
        while True:
            item = yield from self._take(queue, timeout, mate=mate)
            if item is None or item.lease not in self.cancelled:
                return item
            self._process.simulation.rules.passed_over(item)
            self._pass_over(item)

    def _take(self, queue: int, timeout: float | None, *, mate: bool) -> Waits:
        inbox = self.inbox(queue)
        if inbox.items:
            item = inbox.items.popleft()
            inbox.taken += 1
            if inbox.waiting:
                self._want(queue, inbox, inbox.taken + inbox.waiting)
        else:
            waited = yield from self._await_item(queue, inbox, timeout)
            if waited is None:
                return None
            item = waited
        if mate:
            if item.lease:
                self._process.took(item, mate=True)
                self.post(Message(m.DONE, body=item.lease.to_bytes(8, "little")))
        elif item.kind != m.TOKEN:
            if item.flags & m.CAREFUL:
                self.flush()
            if not self._cycle:
                self._cycle_start = self.clock()
            self._cycle.append(item)
            self._process.took(item)
        return item

    def _await_item(self, queue: int, inbox: Inbox, timeout: float | None) -> Waits:
        deadline = None if timeout is None else self.clock() + timeout

        def ready() -> bool:
            return bool(inbox.items) or self.stopping

        inbox.waiting += 1
        try:
            while True:
                self._want(queue, inbox, inbox.taken + inbox.waiting)
                self.flush()
                yield ready if deadline is None else (ready, max(0.0, deadline - self.clock()))
                if inbox.items:
                    inbox.taken += 1
                    return inbox.items.popleft()
                if self.stopping:
                    raise Stopped("the worker is told to stop")
                if deadline is not None and self.clock() >= deadline:
                    return None
        finally:
            inbox.waiting -= 1
            if self._process.alive and inbox.wanted > inbox.taken + inbox.waiting + len(inbox.items):
                inbox.wanted = inbox.taken + inbox.waiting + len(inbox.items)
                self.post(Message(m.WANT, queue, b=inbox.wanted))

    def poll(self, queue: int) -> None:
        """`empty()` of a queue that feeders fill: asks for one item and does not wait long."""
        inbox = self.inbox(queue)
        if not inbox.items and inbox.wanted <= inbox.taken:
            self._want(queue, inbox, inbox.taken + 1)
            self.flush()

    def put_object(self, queue: int, body: bytes, *, timeout: float | None = None) -> Waits:
        """`put`: False when the queue stayed full. Raises Stopped."""
        self._request += 1
        request = self._request
        self.post(Message(m.PUT, queue, request, body=body))
        answer = yield from self._await_answer(request, timeout, until_stop=True)
        if answer is None:
            self.post(Message(m.ASK, queue, request, m.ASK_WITHDRAW))
            answer = yield from self._await_answer(request, None)
        if self.stopping and not answer:
            raise Stopped("the worker is told to stop")
        return answer

    def take_now(self, queue: int) -> Waits:
        """`get_now`: an item if there is one here or in the manager at this moment."""
        if not self.inbox(queue).items:
            self._request += 1
            self.post(Message(m.ASK, queue, self._request, m.ASK_NOW))
            if not (yield from self._await_answer(self._request, None)):
                return None
        return (yield from self.take(queue, 0.0))

    def _await_answer(self, request: int, timeout: float | None, *, until_stop: bool = False) -> Waits:
        self.flush()
        yield from self._process.point("asked")
        answers = self._answers

        def ready() -> bool:
            return request in answers or (until_stop and self.stopping)

        yield ready if timeout is None else (ready, timeout)
        return answers.pop(request, None)


__all__ = ["Item", "SimChannel"]
