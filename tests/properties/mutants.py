"""Ledgers with one defect each. The state machine has to find every one, by the rule that it breaks."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from eisenmp.core.ledger import Command, Cut, Finish, Ledger, Line, Parcel, Queue, Remind, Worker
from eisenmp.core.parcel import Trials
from eisenmp.core.placement import SOON, Placement


class Mutant(Ledger):
    """`breaks`: the rules of which one must be found broken."""

    breaks: frozenset[str] = frozenset()
    placement: type[Placement] = Placement
    crowd = False  #: whether it takes tiny chunks

    def __init__(self, *, deaths: int = 2, raises: int = 0) -> None:
        super().__init__(deaths=deaths, raises=raises)
        self._placement = self.placement()
        self._place = self._placement.place


class MuteLine(Line):
    """Stands in no row while it is mute."""

    __slots__ = ("mute",)

    def __init__(self, worker: Worker, queue: Queue) -> None:
        super().__init__(worker, queue)
        self.mute = False

    def want(self) -> None:
        if not self.mute:
            super().want()

    def make_room(self) -> None:
        if not self.mute:
            super().make_room()


class MuteMutant(Mutant):
    def _line(self, worker: Worker, index: int) -> Line:
        if index not in worker.lines:
            queue = self.queues[index]
            worker.lines[index] = queue.lines[worker.wid] = MuteLine(worker, queue)
        return worker.lines[index]

    def mute(self, wid: int, mute: bool) -> None:
        for line in self.workers[wid].lines.values() if wid in self.workers else ():
            assert isinstance(line, MuteLine)
            line.mute = mute


class NoRequeue(Mutant):
    """What a dead worker held is gone."""

    breaks = frozenset(
        {"no parcel is lost", "given up when its tries are used up", "cut when it cannot be tried whole"}
    )

    def lost(self, wid: int, error: Any) -> list[Command]:
        worker = self.workers.get(wid)
        for lease, parcel in list(worker.leases.items()) if worker is not None else ():
            assert worker is not None
            if parcel.feed:
                del worker.leases[lease]
                worker.lines[parcel.queue].close(lease)
        return super().lost(wid, error)


class DoneTwice(Mutant):
    """A death brings back what the worker had finished last."""

    breaks = frozenset({"nothing is sent that is over", "in its place"})

    def __init__(self, *, deaths: int = 2, raises: int = 0) -> None:
        super().__init__(deaths=deaths, raises=raises)
        self.last: dict[int, Parcel] = {}

    def done(self, wid: int, leases: Iterable[int], seconds: float) -> list[Command]:
        commands = super().done(wid, leases, seconds)
        for command in commands:
            if isinstance(command, Finish):
                self.last[wid] = command.parcel
        return commands

    def lost(self, wid: int, error: Any) -> list[Command]:
        parcel = self.last.get(wid)
        if parcel is not None and wid in self.workers:
            self.queues[parcel.queue].waiting.appendleft(parcel)
        return super().lost(wid, error)


class LostStop(Mutant):
    """Only who waits when the last feeder ends is told."""

    breaks = frozenset({"every worker is told to stop"})

    def feed_ended(self, index: int, feed: int) -> list[Command]:
        commands = super().feed_ended(index, feed)
        for line in self.queues[index].lines.values():
            line.token_due = False
        return commands


class StopAgain(Mutant):
    """Whoever waits at the end is told again and again."""

    breaks = frozenset({"one token for each worker"})

    def wanted(self, wid: int, index: int, count: int) -> list[Command]:
        for line in self.queues[index].lines.values():
            line.token_due = True
        return super().wanted(wid, index, count)


class EarlyStop(Mutant):
    """Tokens are given while a recall is not answered."""

    breaks = frozenset({"no token while something may come back"})

    class placement(Placement):
        def _starving(self, queue: Queue, commands: list[Command]) -> None:
            unanswered = {line: line.recalls for line in queue.lines.values()}
            for line in unanswered:
                line.recalls = 0
            super()._starving(queue, commands)
            for line, count in unanswered.items():
                line.recalls += count


class EarlyReuse(Mutant):
    """The number of a lease is given again as soon as the worker is done with it."""

    breaks = frozenset({"a lease has a number of its own"})

    class placement(Placement):
        def send(self, line: Line, parcel: Parcel) -> Any:
            self._lease = max(line.worker.leases, default=0)
            return super().send(line, parcel)


class WrongSlot(Mutant):
    """Objects of a dead worker are kept for the neighbour of its slot."""

    breaks = frozenset({"kept for its slot", "to the next of the slot again, in order, and first"})

    class placement(Placement):
        def keep(self, slot: int, index: int, objects: list[Parcel]) -> None:
            super().keep(slot + 1, index, objects)


class WrongOrder(Mutant):
    """Objects of a dead worker are kept, the last one first."""

    breaks = frozenset({"kept for its slot"})

    class placement(Placement):
        def keep(self, slot: int, index: int, objects: list[Parcel]) -> None:
            super().keep(slot, index, objects[::-1])


class SlotForgotten(Mutant):
    """What is kept for a slot that is closed stays there."""

    breaks = frozenset({"in its place"})

    def slot_closed(self, slot: int) -> list[Command]:
        return []


class RecallForgets(Mutant):
    """The last parcel that is given back is not put anywhere."""

    breaks = frozenset(
        {
            "ahead only where chunks were taken before",
            "no parcel is lost",
            "no token while something waits",
            "objects are never ahead of a get",
            "sent and wanted",
        }
    )

    def returned(self, wid: int, index: int, leases: Iterable[int]) -> list[Command]:
        leases = list(leases)
        worker = self.workers.get(wid)
        if leases and worker is not None and worker.leases.pop(leases[-1], None) is not None:
            worker.lines[index].close(leases[-1])
            worker.lines[index].sent -= 1
        return super().returned(wid, index, leases)


class ThereAndBack(Mutant):
    """A worker that leaves gets again what it gave back."""

    breaks = frozenset(
        {
            "ahead only where chunks were taken before",
            "messages come to an end",
            "objects are never ahead of a get",
            "sent and wanted",
        }
    )

    def returned(self, wid: int, index: int, leases: Iterable[int]) -> list[Command]:
        worker = self.workers.get(wid)
        if worker is None:
            return super().returned(wid, index, leases)
        leaving, worker.leaving = worker.leaving, False
        commands = super().returned(wid, index, leases)
        worker.leaving = leaving
        return commands


class OutputSurvives(Mutant):
    """Output of an attempt that died is given out with that of the next one."""

    breaks = frozenset({"all outputs of the last attempt, no other"})

    def __init__(self, *, deaths: int = 2, raises: int = 0) -> None:
        super().__init__(deaths=deaths, raises=raises)
        self.before: dict[Parcel, list[Any]] = {}

    def lost(self, wid: int, error: Any) -> list[Command]:
        worker = self.workers.get(wid)
        for lease, outputs in worker.outputs.items() if worker is not None else ():
            assert worker is not None
            self.before.setdefault(worker.leases[lease], []).extend(outputs)
        return super().lost(wid, error)

    def done(self, wid: int, leases: Iterable[int], seconds: float) -> list[Command]:
        return self._add(super().done(wid, leases, seconds))

    def finished(self, wid: int, lease: int, output: Any, seconds: float) -> list[Command]:
        return self._add(super().finished(wid, lease, output, seconds))

    def _add(self, commands: list[Command]) -> list[Command]:
        for place, command in enumerate(commands):
            if isinstance(command, Finish):
                outputs = self.before.pop(command.parcel, []) + command.outputs
                commands[place] = command._replace(outputs=outputs)
        return commands


class CreditLeak(Mutant):
    """The credit of a dead worker stays with its queues."""

    breaks = frozenset({"count of credit"})

    def lost(self, wid: int, error: Any) -> list[Command]:
        for line in self.workers[wid].lines.values() if wid in self.workers else ():
            line.queue.credit += line.credit.ahead if line.known else 0
        return super().lost(wid, error)


class GetForgotten(MuteMutant):
    """Who gives back what it had asked for is not among those who wait."""

    breaks = frozenset({"no get is forgotten", "nobody waits while parcels do"})

    def returned(self, wid: int, index: int, leases: Iterable[int]) -> list[Command]:
        self.mute(wid, True)
        commands = super().returned(wid, index, leases)
        self.mute(wid, False)
        return commands


class ResumeForgets(MuteMutant):
    """Who waited while it was paused is not among those who wait after it."""

    breaks = frozenset({"no get is forgotten", "nobody waits while parcels do"})

    def paused(self, wid: int, paused: bool) -> list[Command]:
        self.mute(wid, not paused)
        commands = super().paused(wid, paused)
        self.mute(wid, False)
        return commands


class PauseIgnored(Mutant):
    """A paused worker gets what it waits for."""

    breaks = frozenset(
        {
            "nothing is sent to who pauses",
            "a token answers an open get",
            "reminders are for those who wait",
            "recalled for those who wait",
        }
    )

    def paused(self, wid: int, paused: bool) -> list[Command]:
        return []


class PastTheGet(Mutant):
    """Room goes before need."""

    breaks = frozenset({"never past another worker's open get"})

    class placement(Placement):
        @staticmethod
        def _next(queue: Queue, chunk: bool) -> Line | None:
            if chunk and queue.roomy:
                line = queue.roomy[0]
                if len(line.open) <= line.credit.ahead and not line.worker.paused:
                    return line
            return Placement._next(queue, chunk)


class ObjectAhead(Mutant):
    """Objects are sent ahead like chunks."""

    breaks = frozenset({"objects are never ahead of a get"})

    class placement(Placement):
        @staticmethod
        def _next(queue: Queue, chunk: bool) -> Line | None:
            return Placement._next(queue, True)


class WideLine(Line):
    """Says that there is room for one more than there is."""

    __slots__ = ()

    def make_room(self) -> None:
        if self.known and not self.in_roomy and len(self.open) <= self.credit.ahead + 1:
            self.in_roomy = True
            self.queue.roomy.append(self)


class BeyondCredit(Mutant):
    """One more than the credit is sent ahead."""

    breaks = frozenset({"ahead within the credit"})

    class placement(Placement):
        @staticmethod
        def _next(queue: Queue, chunk: bool) -> Line | None:
            if chunk and queue.roomy and not queue.demand and not queue.roomy[0].worker.paused:
                return queue.roomy[0]
            return Placement._next(queue, chunk)

    def _line(self, worker: Worker, index: int) -> Line:
        if index not in worker.lines:
            queue = self.queues[index]
            worker.lines[index] = queue.lines[worker.wid] = WideLine(worker, queue)
        return worker.lines[index]


class DroppedFeedRuns(Mutant):
    """Chunks of a dropped feed that come back are tried again."""

    breaks = frozenset(
        {"nothing is sent that is over", "in its place", "given up when its tries are used up"}
    )

    def feed_dropped(self, index: int, feed: int) -> list[Parcel]:
        dropped = super().feed_dropped(index, feed)
        self._dropped.clear()
        return dropped


class PutsForgotten(Mutant):
    """A dropped feed leaves room that nobody hears of."""

    breaks = frozenset({"no put waits while there is room"})

    def room_made(self, index: int) -> list[Command]:
        return []


class Boundless(Mutant):
    """Puts go in, full or not."""

    breaks = frozenset({"the bound holds"})

    class placement(Placement):
        @staticmethod
        def _let_in(queue: Queue, commands: list[Command]) -> None:
            maxsize, queue.maxsize = queue.maxsize, 0
            Placement._let_in(queue, commands)
            queue.maxsize = maxsize


class LastInFirstOut(Mutant):
    """The newest chunk goes first."""

    breaks = frozenset({"first in, first out"})

    def offered_all(self, index: int, parcels: Iterable[Parcel]) -> list[Command]:
        self.queues[index].waiting.extendleft(parcels)
        return self._place(self.queues[index])


class RetryLast(Mutant):
    """What a dead worker held goes to the end of its queue."""

    breaks = frozenset({"what was tried waits before the others"})

    def lost(self, wid: int, error: Any) -> list[Command]:
        before = {index: list(queue.waiting) for index, queue in self.queues.items()}
        commands = super().lost(wid, error)
        for index, queue in self.queues.items():
            count = len(queue.waiting) - len(before[index])
            if before[index] and count > 0:
                queue.waiting.rotate(-count)
        return commands


class HarshBlame(Mutant):
    """A death counts against all that the worker held."""

    breaks = frozenset({"given up when its tries are used up", "cut when it cannot be tried whole"})

    def lost(self, wid: int, error: Any) -> list[Command]:
        for line in self.workers[wid].lines.values() if wid in self.workers else ():
            for parcel in [parcel for parcel in line.open.values() if parcel.feed][1:]:
                parcel.trials = parcel.trials or Trials()
                parcel.trials.deaths += 1
        return super().lost(wid, error)


class NoBlame(Mutant):
    """A chunk that kills is tried for ever."""

    breaks = frozenset(
        {"given up when its tries are used up", "nothing is sent that is over", "put off after a failure"}
    )

    def lost(self, wid: int, error: Any) -> list[Command]:
        for parcel in self.workers[wid].leases.values() if wid in self.workers else ():
            parcel.trials = Trials()
            parcel.trials.deaths = -1
        return super().lost(wid, error)


class PutOffForEver(Mutant):
    """What is to be tried again after a while is forgotten."""

    breaks = frozenset({"no parcel is lost", "in its place"})

    def due(self, parcel: Parcel) -> list[Command]:
        self.queues[parcel.queue].delayed.pop(parcel, None)
        return super().due(parcel)


class HastyEnd(Mutant):
    """Workers are told that it is the end while a chunk is to be tried again."""

    breaks = frozenset({"no token while something waits"})

    class placement(Placement):
        def _starving(self, queue: Queue, commands: list[Command]) -> None:
            delayed, queue.delayed = queue.delayed, {}
            super()._starving(queue, commands)
            queue.delayed = delayed


class LostPiece(Mutant):
    """The last piece of a chunk that is cut is lost."""

    breaks = frozenset({"no row is lost by cutting"})

    def pieces(self, cut: Cut, bodies: Sequence[bytes]) -> list[Command]:
        cut.parcel.rows -= 1
        try:
            return super().pieces(cut, bodies)
        finally:
            cut.parcel.rows += 1


class LateResultCounts(Mutant):
    """What a worker brings after its time is taken."""

    breaks = frozenset({"finished once, by the end of its cycle", "given up when its tries are used up"})

    def done(self, wid: int, leases: Iterable[int], seconds: float) -> list[Command]:
        if wid in self.workers:
            self.workers[wid].expired.clear()
        return super().done(wid, leases, seconds)


class CuttingCharged(Mutant):
    """Cutting is charged to the pieces."""

    breaks = frozenset(
        {"given up when its tries are used up", "no parcel is lost", "cut when it cannot be tried whole"}
    )

    def pieces(self, cut: Cut, bodies: Sequence[bytes]) -> list[Command]:
        commands = super().pieces(cut, bodies)
        for queue in self.queues.values():
            for parcel in queue.waiting:
                if parcel.piece and parcel.trials is not None and parcel.number == cut.parcel.number:
                    parcel.trials.deaths = self.budget.deaths
        return commands


class NoReminder(Mutant):
    """What was not worth a recall at once is never recalled."""

    breaks = frozenset({"nothing waits behind a long chunk"})

    class placement(Placement):
        def _starving(self, queue: Queue, commands: list[Command]) -> None:
            super()._starving(queue, commands)
            commands[:] = [command for command in commands if not isinstance(command, Remind)]


class NobodyElseIsWoken(Mutant):
    """A few do the tiny chunks, also when they take longer."""

    breaks = frozenset({"more are woken soon", "nothing waits behind a long chunk"})
    crowd = True

    class placement(Placement):
        @staticmethod
        def _remind(queue: Queue, commands: list[Command], seconds: float) -> None:
            if seconds != SOON:
                Placement._remind(queue, commands, seconds)


class BeyondItsRoom(Mutant):
    """Whoever has just ended a cycle gets all that waits."""

    breaks = frozenset({"ahead within the credit"})
    crowd = True

    class placement(Placement):
        def _serve_latest(self, queue: Queue, commands: list[Command]) -> bool:
            if queue.latest is None or queue.latest.worker.paused:
                return False
            commands.append(self.send(queue.latest, queue.waiting.popleft()))
            return True


class ServesThePaused(Mutant):
    """The latest gets its share also while it pauses."""

    breaks = frozenset({"nothing is sent to who pauses"})
    crowd = True

    class placement(Placement):
        def _serve_latest(self, queue: Queue, commands: list[Command]) -> bool:
            line = queue.latest
            if line is None or not line.worker.paused or len(line.open) > line.credit.ahead:
                return super()._serve_latest(queue, commands)
            commands.append(self.send(line, queue.waiting.popleft()))
            return True


def every_mutant(kind: type[Mutant] = Mutant) -> list[type[Mutant]]:
    """All classes here that name the rules they break."""
    found = [kind] if kind.breaks else []
    return found + [mutant for child in kind.__subclasses__() for mutant in every_mutant(child)]


MUTANTS = every_mutant()
