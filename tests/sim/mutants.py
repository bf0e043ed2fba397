"""Dispatchers, supervisors and receptions with one defect each: a method that is replaced."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

from eisenmp.core import messages as m
from eisenmp.core.failing import DIED, TIMED_OUT
from eisenmp.core.ledger import Command, Cut, Finish, GiveUp, Ledger, Remind
from eisenmp.core.messages import Message
from eisenmp.engine.base import Exit
from eisenmp.manager.cause import Blame
from eisenmp.manager.crew import Slot
from eisenmp.manager.cutting import Cutter
from eisenmp.manager.dispatcher import Dispatcher
from eisenmp.manager.enforcer import Enforcer
from eisenmp.manager.feed import Feed
from eisenmp.manager.reception import Reception
from eisenmp.manager.supervisor import Supervisor


class Mutant(NamedTuple):
    """`replace(original)` gives what stands in the place of `owner.method`."""

    owner: type
    method: str
    replace: Callable[[Callable[..., Any]], Callable[..., Any]]


MUTANTS: dict[str, Mutant] = {}


def mutant(owner: type, method: str) -> Callable[[Any], Any]:
    def remember(replace: Any) -> Any:
        MUTANTS[replace.__name__] = Mutant(owner, method, replace)
        return replace

    return remember


def nothing(*arguments: object, **keywords: object) -> None:
    """In place of a method that does something."""


# the dispatcher


@mutant(Dispatcher, "_arrived")
def hears_the_dead(original: Any) -> Any:
    """A late word of a worker that is gone counts."""

    def arrived(self: Dispatcher, wid: int, messages: list[Message]) -> None:
        if self.crew.find(wid) is not None:
            original(self, wid, messages)
            return
        for message in messages:
            if message.kind not in (m.OUTPUT, m.UP):
                self._reception.handlers[message.kind](wid, message)

    return arrived


@mutant(Dispatcher, "after")
def loses_timers(original: Any) -> Any:
    return nothing


@mutant(Dispatcher, "_finish")
def counts_a_finish_twice(original: Any) -> Any:
    def finish(self: Dispatcher, command: Finish) -> None:
        feed = self.feeds.get(command.parcel.feed)
        original(self, command)
        if feed is not None:
            feed._results.finished += 1

    return finish


@mutant(Dispatcher, "_finish")
def forgets_the_end_of_a_feed(original: Any) -> Any:
    """The last chunk is done, and nobody says that the feed is over."""

    def finish(self: Dispatcher, command: Finish) -> None:
        feed = self.feeds.get(command.parcel.feed)
        if feed is not None:
            feed.finished(command.parcel, command.outputs, command.seconds)

    return finish


@mutant(Dispatcher, "_give_up")
def keeps_no_dead_letter(original: Any) -> Any:
    return nothing


@mutant(Dispatcher, "cancel_feed")
def cancels_without_the_ledger(original: Any) -> Any:
    def cancel_feed(self: Dispatcher, feed: Feed) -> None:
        if feed.is_over:
            self.feed_over(feed)

    return cancel_feed


@mutant(Dispatcher, "_accepted")
def answers_no_put(original: Any) -> Any:
    return nothing


@mutant(Dispatcher, "take_in")
def takes_in_backwards(original: Any) -> Any:
    def take_in(self: Dispatcher, feed: Feed) -> None:
        feed.inflow.reverse()
        original(self, feed)

    return take_in


@mutant(Dispatcher, "settle")
def waits_for_company(original: Any) -> Any:
    """Chunks are sent when sixteen have come together."""

    def settle(self: Dispatcher) -> None:
        if any(pending.chunks >= 16 for pending in self._pending.values()):
            original(self)

    return settle


@mutant(Dispatcher, "_remind")
def forgets_a_reminder(original: Any) -> Any:
    return nothing


@mutant(Dispatcher, "order")
def recalls_nothing(original: Any) -> Any:
    def order(self: Dispatcher, wid: int, order: int, **numbers: int) -> None:
        if order != m.ORDER_RECALL:
            original(self, wid, order, **numbers)

    return order


@mutant(Dispatcher, "send_now")
def sends_no_token(original: Any) -> Any:
    def send_now(self: Dispatcher, wid: int, message: Message) -> None:
        if message.kind != m.TOKEN:
            original(self, wid, message)

    return send_now


@mutant(Dispatcher, "send_now")
def overtakes_what_is_pending(original: Any) -> Any:
    """Orders and objects go past chunks that wait for company."""

    def send_now(self: Dispatcher, wid: int, message: Message) -> None:
        self.engine.send(wid, [message])

    return send_now


@mutant(Dispatcher, "execute")
def gives_up_what_it_gets_second(original: Any) -> Any:
    """Of several commands the second is not done."""

    def execute(self: Dispatcher, commands: Iterable[Command]) -> None:
        commands = list(commands)
        if len(commands) > 1 and not isinstance(commands[1], Remind | GiveUp):
            del commands[1]
        original(self, commands)

    return execute


# the supervisor


@mutant(Supervisor, "lost")
def keeps_what_was_pending(original: Any) -> Any:
    """What waits to be sent to a dead worker goes on waiting."""

    def lost(self: Supervisor, wid: int, exit: Exit, events: Iterable[Any] = ()) -> None:
        worker = self._dispatcher.ledger.workers.get(wid)
        if worker is not None and worker.leases:
            self._dispatcher._hold(wid, Message(m.TOKEN), 1)
        original(self, wid, exit, events)

    return lost


@mutant(Supervisor, "lost")
def replaces_a_retired_slot(original: Any) -> Any:
    def lost(self: Supervisor, wid: int, exit: Exit, events: Iterable[Any] = ()) -> None:
        slot = self._dispatcher.crew.find(wid)
        original(self, wid, exit, events)
        if slot is not None and slot.retired and not slot.alive and slot.ready and not self.stopping:
            slot.retired = slot.left = False
            self.start_slot(slot)

    return lost


@mutant(Supervisor, "_start_again")
def replaces_nobody(original: Any) -> Any:
    return nothing


@mutant(Ledger, "left")
def takes_nothing_back_from_who_left(original: Any) -> Any:
    """The commands that follow from a worker's leaving are not done."""

    def left(self: Ledger, wid: int) -> list[Command]:
        original(self, wid)
        return []

    return left


@mutant(Ledger, "lost")
def takes_nothing_back_from_the_dead(original: Any) -> Any:
    def lost(self: Ledger, wid: int, error: object) -> list[Command]:
        original(self, wid, error)
        return []

    return lost


@mutant(Supervisor, "_all_gone")
def abandons_no_feed(original: Any) -> Any:
    return nothing


@mutant(Supervisor, "stop_workers")
def forgets_empty_slots(original: Any) -> Any:
    def stop_workers(self: Supervisor) -> None:
        self.stopping = True
        for slot in self._dispatcher.crew.slots:
            if slot.alive:
                self._dispatcher.crew.order_stop(slot)

    return stop_workers


@mutant(Supervisor, "fail")
def fails_in_silence(original: Any) -> Any:
    """The feeds are not told that nothing can go on."""

    def fail(self: Supervisor, error: BaseException) -> None:
        if self.error is None:
            self.error = error
            self.stop_workers()

    return fail


@mutant(Supervisor, "_start_overdue")
def waits_for_every_start(original: Any) -> Any:
    return nothing


# the reception


@mutant(Reception, "_on_up")
def welcomes_whoever_comes_late(original: Any) -> Any:
    """Who comes up when all were told to leave is not told."""

    def on_up(self: Reception, wid: int, message: Message) -> None:
        slot: Slot | None = self._dispatcher.crew.find(wid)
        if slot is not None:
            slot.ready = True
            slot.start_failures = 0
            slot.is_chunk_worker = bool(message.flags)
            self._supervisor.heir_ready(slot)

    return on_up


@mutant(Reception, "_on_left")
def overhears_goodbye(original: Any) -> Any:
    return nothing


@mutant(Reception, "gone")
def remembers_puts_of_the_dead(original: Any) -> Any:
    return nothing


@mutant(Reception, "_on_back")
def loses_what_comes_back(original: Any) -> Any:
    return nothing


# what came with retries, pieces, time limits and successors


@mutant(Dispatcher, "_due")
def forgets_a_later_attempt(original: Any) -> Any:
    return nothing


@mutant(Cutter, "cut")
def forgets_what_is_to_be_cut(original: Any) -> Any:
    return nothing


@mutant(Ledger, "pieces")
def loses_the_last_piece(original: Any) -> Any:
    def pieces(self: Ledger, cut: Cut, bodies: Sequence[bytes]) -> list[Command]:
        queue = self.queues[cut.parcel.queue]
        queue.waiting.extendleft(reversed(cut.parcel.cut(cut.points, bodies)[:-1]))
        return self._place(queue)

    return pieces


@mutant(Ledger, "pieces")
def tries_the_whole_as_well(original: Any) -> Any:
    """What was cut is tried once more, beside its pieces."""

    def pieces(self: Ledger, cut: Cut, bodies: Sequence[bytes]) -> list[Command]:
        self.queues[cut.parcel.queue].waiting.append(cut.parcel)
        commands: list[Command] = original(self, cut, bodies)
        return commands

    return pieces


@mutant(Ledger, "expire")
def counts_what_came_too_late(original: Any) -> Any:
    """What is cancelled or too late is done all the same."""

    def expire(self: Ledger, wid: int, lease: int, kind: str, error: object, *, done: int = -1) -> bool:
        worker = self.workers.get(wid)
        return worker is not None and lease in worker.leases

    return expire


@mutant(Enforcer, "_ring")
def lets_them_take_their_time(original: Any) -> Any:
    """Who hangs is left alone; only somebody outside ends it."""

    def ring(self: Enforcer) -> None:
        deadlines, dispatcher = self._deadlines, self._dispatcher
        assert deadlines is not None
        for wid, lease, cause, _ in deadlines.overdue(dispatcher.clock()):
            dispatcher.ledger.expire(wid, lease, TIMED_OUT, Blame("raised", cause))

    return ring


@mutant(Enforcer, "cancel")
def cancels_by_word_only(original: Any) -> Any:
    """The worker is asked, and what it sends counts."""

    def cancel(self: Enforcer, wid: int, lease: int) -> None:
        self._dispatcher.order(wid, m.ORDER_CANCEL, b=lease)
        self._dispatcher.ledger.expire(wid, lease, DIED, Blame("died", "it was cancelled"))

    return cancel


@mutant(Supervisor, "hand_over")
def has_no_successor(original: Any) -> Any:
    def hand_over(self: Supervisor, slot: Slot) -> bool:
        return False

    return hand_over


@mutant(Supervisor, "_promote_heir")
def keeps_its_successor_waiting(original: Any) -> Any:
    """The next worker of the slot takes its place and gets nothing."""

    def promote_heir(self: Supervisor, slot: Slot) -> bool:
        return self._dispatcher.crew.promote(slot) is not None

    return promote_heir


@mutant(Dispatcher, "execute")
def does_what_follows_at_once(original: Any) -> Any:
    """Commands that follow from a command overtake those behind it."""

    def execute(self: Dispatcher, commands: Iterable[Command]) -> None:
        for command in commands:
            self._do(command)

    return execute
