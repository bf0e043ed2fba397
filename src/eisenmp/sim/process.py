"""A simulated worker process: the life of `child.host` and the cycles of workers, as tasks."""

from __future__ import annotations

from ..child.channel import Item
from ..core import messages as m
from ..core.messages import Message
from ..engine.base import Exit
from ..errors import Stopped
from ..wire.pickles import dumps, loads
from ..wire.platform import SIGKILL, SIGTERM
from .channel import SimChannel
from .faults import FAULTS, UserError
from .schedule import Place

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any

    from ..child.spec import Spec
    from .channel import Waits
    from .simulation import Simulation

INPUT = 0  # the wire number of mp_input_q
FIRST_PID = 10_000_000  #: more than any real one: whoever took it for real would hit nobody


class Process(Place):
    """One worker with its main thread and, where it has one, a mate."""

    def __init__(self, simulation: Simulation, spec: Spec) -> None:
        super().__init__(simulation.schedule, simulation.latency)
        self.simulation = simulation
        self.wid = spec.wid
        self.pid = FIRST_PID + spec.wid
        self.slot = spec.slot
        self.name = f"worker {spec.wid}"
        self.alive = True
        self.is_up = False  #: its modules are loaded
        self.is_stopped = False  #: by SIGSTOP
        self.missed: list[tuple[Callable[..., None], tuple[Any, ...]]] = []  #: what happened meanwhile
        self.cut_at: float | None = None  #: what arrives later than this was lost with it
        self.told = False  #: to leave, by an order or a token
        self._up_at = self._down_at = 0.0
        self.channel = SimChannel(self, spec.queues)
        self.channel.chunks_max, self.channel.reports_rows = spec.chunks_max, spec.reports_rows
        self.sent: dict[int, int] = {}  #: outputs by lease of the running cycle
        self._main = self.start(self.name, self._run(), simulation.plan.load_time(simulation.draws))
        if simulation.plan.has_mates:
            self.start(f"{self.name} mate", self._mate(), simulation.latency())

    # the wire

    def say(self, messages: list[Message]) -> None:
        """What it sends arrives in order, some time later."""
        if not self.alive:
            return
        simulation = self.simulation
        if simulation.trace is not None:
            for message in messages:
                simulation.log(self.name, "says " + simulation.trace.message(message))
        self._up_at = max(self._up_at, self.schedule.now + simulation.latency())
        self.schedule.at(self._up_at, simulation.engine.arrive, self, messages)

    def send(self, messages: list[Message]) -> None:
        """What it is sent arrives in order, some time later."""
        self._down_at = max(self._down_at, self.schedule.now + self.simulation.latency())
        self.schedule.at(self._down_at, self._hear, messages)

    def _hear(self, messages: list[Message]) -> None:
        if self.lets_run(self._hear, messages):
            for message in messages:
                if message.kind == m.TOKEN or (message.kind == m.CONTROL and message.a == m.ORDER_STOP):
                    self.told = True
            self.channel.hear(messages)
            self.look()

    def lets_run(self, call: Callable[..., None], *arguments: Any) -> bool:
        """Nothing runs in a process that is gone; in a stopped one it runs later."""
        if self.alive and self.is_stopped:
            self.missed.append((call, arguments))
        return self.alive and not self.is_stopped

    # life and death

    def die(self, code: int, reason: str = "") -> None:
        """It is gone at once; the news come behind all that it has sent, unless the wire breaks with it."""
        if not self.alive:
            return
        simulation, now = self.simulation, self.schedule.now
        self.alive = False
        simulation.log(self.name, f"is gone, exit code {code}{': ' + reason if reason else ''}")
        news_at = max(self._up_at, now + simulation.latency())
        if code and simulation.plan.wire_breaks:
            # an engine over a network may lose the end of what was sent, or bring it behind the news
            if simulation.draws.chance(0.5):
                self.cut_at = now + simulation.draws.random() * (news_at - now)
            else:
                news_at = now + simulation.latency()
        self.schedule.at(news_at, simulation.engine.gone, self, Exit(code, self.pid, reason))
        simulation.rules.died(self)

    def signal(self, number: int) -> None:
        """SIGKILL ends it; SIGTERM too, but a stopped one only when it goes on."""
        if self.alive and (number == SIGKILL or self.lets_run(self.signal, number)):
            self.die(-number)

    def stop(self) -> None:
        """SIGSTOP."""
        if self.alive:
            self.is_stopped = True
            self.simulation.log(self.name, "is stopped")

    def go_on(self) -> None:
        """SIGCONT."""
        if self.alive and self.is_stopped:
            self.is_stopped = False
            self.simulation.log(self.name, "goes on")
            missed, self.missed = self.missed, []
            for call, arguments in missed:
                self.schedule.at(self.schedule.now, call, *arguments)

    # the main thread

    def _run(self) -> Waits:
        channel = self.channel
        yield from self.point("load")
        if self.simulation.plan.load_fails(self.simulation.draws):
            channel.post(Message(m.FAILED_START, body=dumps(("cannot be loaded", "", None, None))))
            channel.flush()
            self.die(3)
            return
        channel.post(Message(m.UP, a=self.pid, flags=int(self.simulation.plan.kind == "chunks")))
        channel.flush()
        self.is_up = True
        yield from self._loop()
        channel.leaving = True
        channel.give_back()
        why = m.LEFT_BY_ORDER if channel.stopping else m.LEFT_AT_LIMIT if channel.is_full else 0
        channel.post(Message(m.LEFT, a=why))
        channel.flush()
        self.simulation.log(self.name, "leaves")
        yield from self.point("leave")
        if self.simulation.plan.has_mates:
            yield lambda: channel.stopping  # its thread keeps it up
        yield self.simulation.latency()
        channel.flush()
        self.die(0)

    def _loop(self) -> Waits:
        channel = self.channel
        while not (channel.stopping or channel.is_full):
            if channel.paused:
                channel.flush()
                yield lambda: not channel.paused or channel.stopping
                continue
            self.sent = {}
            try:
                busy = yield from self._cycle()
            except Stopped:
                break
            except UserError as error:
                leases = self.leases
                self.simulation.rules.raised(self, leases)
                channel.fail_cycle(None, str(error), "")
                if not leases:
                    break
                continue
            self.simulation.rules.cycle_ended(self, self.leases, self.sent)
            channel.end_cycle(not busy or channel.is_full)
            yield from self.point("ended")
            if not busy:
                break

    @property
    def leases(self) -> list[int]:
        """Of all that was taken in the running cycle."""
        return [item.lease for item in self.channel._cycle]

    def _cycle(self) -> Waits:
        plan = self.simulation.plan
        return (yield from (self._chunk_cycle() if plan.kind == "chunks" else self._free_cycle()))

    def _chunk_cycle(self) -> Waits:
        """What `ChunkWorker.cycle` does."""
        try:
            item = yield from self.channel.take(INPUT)
        except Stopped:
            return False
        if item is None or item.kind == m.TOKEN:
            return False
        yield from self._work(item)
        if self.simulation.draws.chance(0.9):
            self._output(item)
        yield from self.point("sent", item)
        return True

    def _free_cycle(self) -> Waits:
        """A worker of the 1.0 contract: any number of chunks and objects, outputs and questions."""
        simulation, channel = self.simulation, self.channel
        plan, draws = simulation.plan, simulation.draws
        goes_on = True
        for _ in range(draws.between(1, plan.takes_max)):
            how = draws.random()
            if plan.objects and how < 0.3:
                queue = plan.object_queue
                seconds = draws.about(plan.chunk_seconds)
                item = yield from channel.take_now(queue) if how < 0.1 else channel.take(queue, seconds)
            elif channel._cycle and how < 0.6:
                item = yield from channel.take(INPUT, draws.about(plan.chunk_seconds))
            else:
                item = yield from channel.take(INPUT)
            if item is None:
                continue
            if item.kind == m.TOKEN:
                goes_on = False
                break
            yield from self._work(item)
            for _ in range(draws.between(0, 2) if item.kind == m.CHUNK else 0):
                self._output(item, m.HEADED)
            if item.flags & m.LAST:
                goes_on = False
                break
        if plan.objects and simulation.objects_left > 0 and draws.chance(0.2):
            simulation.objects_left -= 1
            seconds = draws.about(plan.chunk_seconds)
            queue = draws.pick((INPUT, plan.object_queue))
            yield from channel.put_object(queue, dumps([]), timeout=seconds)
        if draws.chance(0.1):
            channel.poll(INPUT)
        for item in list(channel._cycle) if goes_on else ():
            # who has been told that it is the end, and raises, would not be told again
            yield from self.point("sent", item)
        return goes_on

    def _work(self, item: Item) -> Waits:
        simulation = self.simulation
        rows = loads(item.body)
        if simulation.trace is not None:
            simulation.log(self.name, f"works on {simulation.rules.name(item)}")
        yield from self.point("taken", item, rows if item.feed else ())
        simulation.rules.check_rows(item, rows)
        seconds = simulation.plan.work_time(simulation.draws)
        if simulation.draws.chance(0.5):
            yield seconds
        else:
            # it looks whether its work is still wanted
            cancelled = self.channel.cancelled
            yield (lambda: item.lease in cancelled), seconds
        if simulation.draws.chance(0.1):
            self.channel.report_rows(1)

    def _output(self, item: Item, flags: int = 0) -> None:
        count = self.sent.get(item.lease, 0)
        self.sent[item.lease] = count + 1
        content = (item.number, item.lease, count)
        self.channel.output(item.lease, ["header", content] if flags else content, flags)

    def point(self, where: str, item: Item | None = None, rows: Iterable[int] = ()) -> Waits:
        """Here a fault may strike."""
        fault = self.simulation.fault_at(where, item, rows)
        if fault is not None:
            self.simulation.strikes(fault, self, item)
            yield from FAULTS[fault].strike(self)

    def took(self, item: Item, *, mate: bool = False) -> None:
        self.simulation.rules.took(self, item, mate=mate)

    # a thread beside it

    def _mate(self) -> Waits:
        """Takes objects, and puts some; in the end it waits for more as long as the process lives."""
        simulation, channel = self.simulation, self.channel
        plan, draws = simulation.plan, simulation.draws
        queue, rounds = plan.object_queue, draws.between(2, 8)
        try:
            while not channel.stopping:
                rounds -= 1
                seconds = draws.about(2 * plan.chunk_seconds)
                if rounds >= 0 and draws.chance(0.2):
                    yield from channel.take_now(queue)
                elif rounds < 0 or draws.chance(0.5):
                    yield from channel.take(queue, seconds if rounds >= 0 else None, mate=True)
                else:
                    yield seconds
                if simulation.objects_left > 0 and simulation.draws.chance(0.3):
                    simulation.objects_left -= 1
                    yield from channel.put_object(queue, dumps([]), timeout=None)
        except Stopped:
            return


__all__ = ["SIGTERM", "Process"]
