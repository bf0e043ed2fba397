"""What workers say, and what follows from it. Called from the loop, under its lock."""

from __future__ import annotations

from ..core import messages as m
from ..core.ledger import Parcel
from ..core.messages import Message
from ..errors import LoadError
from ..wire.pickles import dumps, loads
from .cause import Blame
from .puts import NO, NOTHING, YES, WorkerPut

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from ..core.stack import Stack
    from .crew import Slot
    from .dispatcher import Dispatcher
    from .supervisor import Supervisor


class Reception:
    """One handler per kind of message."""

    def __init__(self, dispatcher: Dispatcher, supervisor: Supervisor) -> None:
        self._dispatcher = dispatcher
        self._supervisor = supervisor
        self._puts: dict[tuple[int, int], WorkerPut] = {}
        self._raw: dict[int, bytes] = {}  # output past Python that is no whole line yet
        self.handlers: dict[int, Callable[[int, Message], None]] = {
            m.UP: self._on_up,
            m.WANT: self._on_want,
            m.OUTPUT: self._on_output,
            m.DONE: self._on_done,
            m.RAISED: self._on_raised,
            m.PUT: self._on_put,
            m.ASK: self._on_ask,
            m.LOG: self._on_log,
            m.NOTE: self._on_note,
            m.BACK: self._on_back,
            m.LEFT: self._on_left,
            m.FAILED_START: self._on_failed_start,
            m.REQUEST: self._on_request,
            m.PROGRESS: self._on_progress,
            m.CHECKED: self._on_checked,
            m.LOADED: self._on_loaded,
            m.ARENA: lambda wid, message: None,
            m.MARKS: dispatcher.stocks.on_marks,
            m.SOURCE_END: dispatcher.stocks.on_end,
        }
        if dispatcher.shares_memory:
            self.handlers |= dict.fromkeys((m.LENT, m.KEPT, m.ARENA, m.MAPPED), self._on_memory)

    def gone(self, wid: int) -> None:
        """The worker will say no more: show its last words, forget its puts that wait."""
        slot = self._dispatcher.crew.find(wid)
        rest = self._raw.pop(wid, b"")
        if slot is not None and rest:
            self._printed(slot, 2, rest.decode("utf-8", "replace") + "\n", slot.dump)
        self._dispatcher.worker_gone(wid)
        for key in [key for key in self._puts if key[0] == wid]:
            self._puts.pop(key).waiting = False

    def _answer(self, wid: int, request: int, body: bytes) -> None:
        self._dispatcher.send_now(wid, Message(m.ANSWER, a=request, body=body))

    def _on_memory(self, wid: int, message: Message) -> None:
        lender = self._dispatcher.lender
        if lender is not None:
            lender.handlers[message.kind](wid, message)

    def _on_up(self, wid: int, message: Message) -> None:
        slot = self._dispatcher.crew.find(wid)
        if slot is None:
            return
        slot.ready = True
        slot.start_failures = 0
        slot.is_chunk_worker = bool(message.flags)
        # rows are only known to be rows where the framework calls the worker with them
        self._dispatcher.ledger.budget.cuts = slot.is_chunk_worker
        self._supervisor.heir_ready(slot)
        ends = self._dispatcher.closing and slot.is_chunk_worker
        if ends or self._dispatcher.ends_servers or self._supervisor.stopping:
            self._dispatcher.crew.order_stop(slot)
        if self._dispatcher.emit is not None:
            self._dispatcher.emit("WorkerReady", (slot.number, slot.name, slot.pid))
        if self._supervisor.fleet is not None:
            self._supervisor.fleet.up(slot)

    def _on_want(self, wid: int, message: Message) -> None:
        self._dispatcher.execute(self._dispatcher.ledger.wanted(wid, message.queue, message.b))

    def _on_output(self, wid: int, message: Message) -> None:
        if (
            not self._dispatcher.ledger.output(wid, message.a, message)
            and message.flags & m.HEADED
            and not message.a
        ):
            self._dispatcher.collector.output(message.body)

    def _on_done(self, wid: int, message: Message) -> None:
        if message.flags & m.LEAVING:
            self._dispatcher.ledger.leaving(wid)
        self._dispatcher.execute(self._dispatcher.ledger.done(wid, _leases(message.body), message.c * 1e-6))

    def _on_raised(self, wid: int, message: Message) -> None:
        leases, error, text, traceback_text = loads(message.body)
        slot = self._dispatcher.crew.find(wid)
        tail = "\n".join(slot.tail) if slot is not None else ""
        blame = Blame("raised", text, error, traceback_text, tail)
        if slot is not None and slot.server is not None:
            slot.wrong = text
        elif leases:
            self._dispatcher.execute(self._dispatcher.ledger.raised(wid, leases, blame))
        else:
            # it raised before it took anything: there is no ticket to blame, and it will not be called again
            self._supervisor.fail(blame.failed(None, f"worker {slot.name if slot else wid} raised {text}"))

    def _on_put(self, wid: int, message: Message) -> None:
        queue = self._dispatcher.ledger.queues.get(message.queue)
        if queue is None:
            self._dispatcher.engine.kill(wid)
            return
        if message.flags & m.NOWAIT and queue.full:
            self._answer(wid, message.a, NO)
            return
        put = WorkerPut(wid, message.a)
        self._puts[(wid, message.a)] = put
        self._dispatcher.execute(self._dispatcher.ledger.put(put, Parcel(message.queue, message.body)))
        if not put.waiting:
            del self._puts[(wid, message.a)]

    def _on_ask(self, wid: int, message: Message) -> None:
        index, request = message.queue, message.a
        queue = self._dispatcher.ledger.queues.get(index)
        if queue is None:
            self._dispatcher.engine.kill(wid)
            return
        question = message.b
        if question == m.ASK_EMPTY:
            answer = NOTHING if queue.fed else NO if self._dispatcher.ledger.available(wid, index) else YES
        elif question == m.ASK_FULL:
            answer = YES if queue.full else NO
        elif question == m.ASK_SIZE:
            answer = dumps(len(queue.waiting))
        elif question == m.ASK_NOW:
            answer = NO
            if self._dispatcher.ledger.available(wid, index):
                line = self._dispatcher.ledger.workers[wid].lines.get(index)
                self._dispatcher.execute(
                    self._dispatcher.ledger.wanted(wid, index, (line.sent if line else 0) + 1)
                )
                answer = YES
        elif question == m.ASK_NOTHING:
            answer = NOTHING
        else:
            put = self._puts.pop((wid, request), None)
            withdrawn = put is not None and self._dispatcher.ledger.put_withdrawn(index, put)
            answer = NO if withdrawn else YES
        self._answer(wid, request, answer)

    def _on_log(self, wid: int, message: Message) -> None:
        slot = self._dispatcher.crew.find(wid)
        if slot is not None:
            self._printed(slot, message.a, message.body.decode("utf-8", "replace"))

    def wrote(self, wid: int, data: bytes) -> None:
        """A worker wrote to its standard output or error past Python: shown when lines are whole."""
        slot = self._dispatcher.crew.find(wid)
        if slot is None:
            return
        whole, newline, rest = (self._raw.pop(wid, b"") + data).rpartition(b"\n")
        if rest:
            self._raw[wid] = rest
        if newline:
            self._printed(slot, 2, whole.decode("utf-8", "replace") + "\n", slot.dump)

    def _printed(self, slot: Slot, stream: int, text: str, dump: Stack | None = None) -> None:
        lines = text.splitlines()
        said = lines if dump is None else [line for line in lines if not dump.take(line)]
        slot.tail.extend(said)
        if slot.dumps_quietly and len(said) < len(lines):
            text = "".join(f"{line}\n" for line in said)
        name = slot.name if slot.server is None else slot.server.name
        if text:
            self._dispatcher.collector.printed(name, stream, text, slot.pid)
        if self._dispatcher.emit is not None:
            self._dispatcher.emit("OutputLine", (slot.number, name, stream, text))

    def _on_note(self, wid: int, message: Message) -> None:
        self._dispatcher.collector.note(message.queue, message.body)

    def _on_back(self, wid: int, message: Message) -> None:
        self._dispatcher.execute(self._dispatcher.ledger.returned(wid, message.queue, _leases(message.body)))

    def _on_left(self, wid: int, message: Message) -> None:
        slot = self._dispatcher.crew.find(wid)
        if slot is None:
            return
        self._dispatcher.ledger.leaving(wid)
        if slot.server is not None and self._supervisor.fleet is not None:
            self._supervisor.fleet.left(slot)
            return
        replaced = message.a == m.LEFT_AT_LIMIT or (message.a == m.LEFT_BY_ORDER and slot.renewed)
        if replaced and self._supervisor.hand_over(slot):
            return
        slot.left = True
        self._dispatcher.collector.left(slot.name, slot.worker_id)
        if self._dispatcher.emit is not None:
            self._dispatcher.emit("WorkerLeft", (slot.number, slot.name))

    def _on_failed_start(self, wid: int, message: Message) -> None:
        text, traceback_text, path, line = loads(message.body)
        slot = self._dispatcher.crew.find(wid)
        if slot is not None and (slot.server is not None or slot.group):
            slot.wrong = text
            return
        if slot is not None:
            slot.left = True
        error = LoadError(text, path=path)
        error.line, error.traceback_text = line, traceback_text
        if traceback_text:
            from ..errors import RemoteTraceback

            error.__cause__ = RemoteTraceback(traceback_text)
        self._supervisor.fail(error)

    def _on_request(self, wid: int, message: Message) -> None:
        slot = self._dispatcher.crew.find(wid)
        if slot is None:
            return
        if message.a == m.ORDER_RESTART:
            reason = message.body.decode("utf-8", "replace") or "asked for by the worker"
            slot.restart_reason = f"restarted: {reason}"
            self._dispatcher.engine.kill(wid)
        elif message.a == m.ORDER_DRAIN and slot.server is not None and self._supervisor.fleet is not None:
            self._supervisor.fleet.replace(slot, message.body.decode("utf-8", "replace"))
        elif message.a in (m.ORDER_PAUSE, m.ORDER_RESUME):
            self._dispatcher.execute(self._dispatcher.ledger.paused(wid, message.a == m.ORDER_PAUSE))

    def _on_progress(self, wid: int, message: Message) -> None:
        self._dispatcher.enforcer.progressed(wid, message.b)
        if self._dispatcher.emit is not None:
            self._dispatcher.emit("RowsDone", (self._dispatcher.slot_number(wid), message.b))

    def _on_checked(self, wid: int, message: Message) -> None:
        slot, fleet = self._dispatcher.crew.find(wid), self._supervisor.fleet
        if slot is not None and fleet is not None:
            fleet.health.answered(slot, message.a, bool(message.flags))

    def _on_loaded(self, wid: int, message: Message) -> None:
        slot, fleet = self._dispatcher.crew.find(wid), self._supervisor.fleet
        if slot is not None and fleet is not None:
            fleet.spares.loaded(slot)


def _leases(body: bytes) -> list[int]:
    return [int.from_bytes(body[start : start + 8], "little") for start in range(0, len(body), 8)]
