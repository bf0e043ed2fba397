"""What `emp.feed(...)` returns: the results of one source, as they come or in order."""

from __future__ import annotations

from collections import deque

from ..core import messages as m
from ..core.failing import CANCELLED
from ..core.outcome import Piece
from ..core.pieces import FAILED, Pieces
from ..core.record import NamedTuple
from ..core.results import Failure, Result, Results, Run
from ..core.span import Span
from ..core.ticket import Ticket
from ..wire.bundle import inline
from ..wire.pickles import loads
from .cause import Blame, letter_reason
from .signals import signals

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from typing import Any

    from ..core.ledger import Parcel
    from ..core.ledger import Queue as LedgerQueue
    from ..core.outcome import Output, Settled
    from ..core.pace import Pace
    from ..core.queues import QueueName
    from .books import Books
    from .dispatcher import Dispatcher
    from .gathering import Gathering
    from .lender import Loan
    from .reading import Reading


_BEGUN = Result(Ticket("", -1), None)  #: nobody gets to see it


class Lost(NamedTuple):
    """A chunk, or the piece that starts at this row of it, that was given up; or rows that never went out."""

    number: int
    start: int | None
    body: bytes | None
    rows: Any
    why: Blame | BaseException
    attempts: int


class Feed:
    """One source on its way through the workers.

    Iterate for `Result(ticket, value)` as chunks finish, or `.in_order()`; or `.wait()` when results are not
    needed. The value is what the worker sent for the chunk: None for nothing, the value for one output, a
    list for several. A chunk that fails ends the iteration with `WorkerFailed` or `WorkerDied`, a source that
    raises with `FeedError`.
    """

    def __init__(
        self, number: int, queue: QueueName, dispatcher: Dispatcher, *, listed: bool, skip: bool
    ) -> None:
        self.number = number
        self.queue = queue
        self.listed = listed
        self.inflow: deque[Parcel] = deque()  #: cut, and not yet known to the ledger
        self.loan: Loan | None = None  #: once a chunk was large, where memory is shared
        self.books: Books | None = None  #: in the ledger on disk, where there is one
        self.pace: Pace | None = None  #: of chunks that are cut by time
        self.gathering: Gathering | None = None  #: of rows, where chunks by time are no slices
        self.reading: Reading | None = None  #: where workers read the source
        self.limit: int | None = None  #: how many tickets there are, when workers have found the end
        self.title = ""  #: 1.0's header_msg: stands in the headers instead of the queue's name
        self._skip = skip
        self._dispatcher = dispatcher
        self.ledger_queue: LedgerQueue = dispatcher.ledger.queues[queue.number]
        self._results = Results()
        self._iterating = False
        self._cut = 0
        self.rows_cut = 0
        self._size: int | None = None
        self._rows_of: dict[int, int] = {}
        self._rows_done = 0
        self._source_ended = False
        self.last_pull = False  #: all workers have left; what is pulled now is not sent any more
        self._expected: int | None = None
        self._error: BaseException | Blame | None = None
        self._source_error: BaseException | None = None
        self._error_ticket: Ticket | None = None
        self._cancelled = False
        self._left = False  # whoever iterated has left: the loop will cancel it
        self._failed: list[Lost] = []
        self._pieces: dict[int, Pieces] = {}  # of tickets whose chunk was cut
        self.unwanted: set[int] = set()  #: tickets that were cancelled before they were known to the ledger
        self._cut_short = False  # by an interruption: what runs may end, then comes the error
        if listed:
            self._results.kept = False

    # for users

    @property
    def expected(self) -> int | None:
        """How many tickets there will be; None while the number of rows is not known."""
        return self._expected

    @property
    def missing(self) -> list[Ticket]:
        """Tickets that were cut and are not done."""
        return [Ticket(self.queue.name, number, self.number) for number in self._results.missing(self._cut)]

    @property
    def failed(self) -> list[Failure]:
        """Chunks, or pieces of them, that were given up."""
        failures = []
        for lost in list(self._failed):
            ticket, why = self._ticket(lost.number, lost.start), lost.why
            rows = lost.rows if lost.body is None else _rows(lost.body, self.reading)
            if isinstance(why, Blame):
                error = why.exception(ticket)
                failures.append(Failure(ticket, rows, error, why.cause, lost.attempts, why.tail, why.stack))
            else:
                failures.append(Failure(ticket, rows, why, str(why), lost.attempts))
        return failures

    def _ticket(self, number: int, start: int | None = None) -> Ticket:
        """The ticket; of the piece that starts at the row `start`, if it was cut."""
        pieces = self._pieces.get(number) if start is not None else None
        part = 0 if pieces is None or start is None else pieces.part(start)
        return Ticket(self.queue.name, number, self.number, part)

    def __iter__(self) -> Iterator[Result]:
        """Results as the chunks finish."""
        return self._iterate(ordered=False)

    def in_order(self) -> Iterator[Result]:
        """Results in the order of the tickets, whatever order the chunks finish in."""
        return self._iterate(ordered=True)

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until all chunks are done; results that nobody iterates are dropped.

        False when `timeout` seconds passed first. Raises what ended the feed.
        """
        dispatcher = self._dispatcher
        if self._left:
            self.cancel()
        self.open_window()
        if not dispatcher.wait(lambda: self.is_over, timeout):
            return False
        self.raise_error()
        return True

    def cancel_ticket(self, number: int) -> None:
        """Drop what waits of the ticket and end what runs of it; it is in `failed` then."""
        dispatcher = self._dispatcher
        with dispatcher.lock:
            if not self.is_over and number not in self._results:
                dispatcher.take_in(self)
                # one that was cut a moment ago may be on its way from the feeder still
                if number >= self._cut or not dispatcher.cancel_ticket(self, number):
                    self.unwanted.add(number)
        dispatcher.pump.interrupt()

    def cancel(self) -> None:
        """Stop pulling the source, drop what waits; chunks that run are ended after a while."""
        dispatcher = self._dispatcher
        with dispatcher.lock:
            self._drop()
        dispatcher.pump.interrupt()

    def _drop(self) -> None:
        """It is cancelled from now on. Under the lock."""
        if not self.is_over:
            self._cancelled = True
            self._dispatcher.cancel_feed(self)

    @property
    def done(self) -> int:
        """How many chunks are done or given up."""
        return self._results.finished

    @property
    def rows_done(self) -> int:
        """How many rows the chunks that are done had."""
        return self._rows_done

    @property
    def is_over(self) -> bool:
        """Whether nothing more will come."""
        if self._error is not None or self._cancelled:
            return True
        return self._source_ended and not self._cut_short and self._results.finished >= self._cut

    # iterating

    def _iterate(self, ordered: bool) -> Iterator[Result]:
        if self._iterating:
            raise RuntimeError("the results of this feed are being iterated already")
        if not self._results.kept:
            raise RuntimeError(
                "the results of this feed are not kept: it was waited for, or is run_q_feeder's"
            )
        self._iterating = True
        if ordered:
            with self._dispatcher.lock:
                self._results.order()
        results = self._generate()
        next(results)  # from now on its end is noticed, also before the first result
        return results

    def _generate(self) -> Iterator[Result]:
        results, pump = self._results, self._dispatcher.pump
        queue, feed, new = self.queue.name, self.number, tuple.__new__
        self._dispatcher.iterated.add(feed)
        try:
            yield _BEGUN
            while True:
                if not results.ready:
                    pump.wait_until(lambda: results.ready or self.is_over)
                    if not results.ready:
                        break
                number, outputs = results.pop()
                if outputs.__class__ is Run:
                    for following, body in enumerate(outputs, number):
                        results.gave()
                        try:
                            value = loads(body)
                        except Exception as error:  # unpickling a user's object may raise anything
                            raise self._unloadable(following, error) from error
                        yield new(Result, (new(Ticket, (queue, following, feed, 0)), value))
                    pump.poke()  # there is room again for the feeder
                    continue
                pump.poke()
                if outputs.__class__ is tuple:
                    for piece in outputs:
                        ticket = new(Ticket, (queue, number, feed, piece.part))
                        yield new(Result, (ticket, self._open(number, piece.outputs)))
                    continue
                if len(outputs) == 1 and not outputs[0].flags & m.HEADED:
                    value = self._load(number, outputs[0].body)
                else:
                    value = self._open(number, outputs)
                # NamedTuple's own __new__ costs three times as much, and this runs for every chunk
                yield new(Result, (new(Ticket, (queue, number, feed, 0)), value))
            self.raise_error()
        finally:
            self._dispatcher.iterated.discard(feed)
            if not self.is_over and self._dispatcher.drain is None:
                # perhaps it is the collector of garbage that ends this, in any thread: no lock is taken
                self._left = True
                self._dispatcher.post(self._drop)

    def _open(self, number: int, outputs: Sequence[Output]) -> Any:
        values = [self._load(number, message.body) for message in outputs]
        for index, message in enumerate(outputs):
            if message.flags & m.HEADED:
                values[index] = values[index][1]
        return values[0] if len(values) == 1 else values or None

    def _load(self, number: int, body: bytes) -> Any:
        try:
            return loads(body)
        except Exception as error:  # as above
            raise self._unloadable(number, error) from error

    def _unloadable(self, number: int, error: Exception) -> BaseException:
        from ..errors import WorkerFailed

        return WorkerFailed(
            f"the result of ticket {number} of queue {self.queue.name!r} cannot be unpickled here: "
            f"{type(error).__name__}: {error}",
            ticket=Ticket(self.queue.name, number, self.number),
        )

    def raise_error(self) -> None:
        """Raise what ended this feed, if anything did."""
        self._dispatcher.unseen.pop(self.number, None)
        error = self._error or self._source_error
        if error is None:
            return
        if self._dispatcher.interrupted:
            signals.deliver()
        if not isinstance(error, BaseException):
            assert self._error_ticket is not None
            error = self._error = error.exception(self._error_ticket)
        raise error

    # for the feeder

    def room(self) -> int:
        """How many chunks may be cut now: as far ahead as the workers' credit, and no further."""
        queue = self.ledger_queue
        if self.loan is not None and self.crowded:
            return 0
        at_once = max(0, queue.at_once - len(self.inflow))
        waiting = max(1, queue.maxsize) - len(queue.waiting)
        if self.last_pull:
            return 1
        if not self._results.kept:
            # no results wait; a worker of 1.0 may take any number of chunks before its cycle ends
            return at_once + waiting if waiting > 0 else 0
        return min(at_once + waiting, self._window() - self._ahead()) if waiting > 0 else 0

    @property
    def crowded(self) -> bool:
        """Whether so many bytes are ahead that no more is pulled before a worker waits for it."""
        queue = self.ledger_queue
        return self.loan is not None and self.loan.crowded and not (queue.demand and not queue.waiting)

    def room_again(self) -> bool:
        """Room for more than one chunk where many fit, so that the feeder is not woken for each."""
        if self.stopped or self.last_pull:
            return True
        if self.loan is not None and self.crowded:
            return False
        queue, window = self.ledger_queue, self._window()
        if queue.waiting and len(queue.waiting) >= max(1, queue.maxsize):
            return False
        kept = self._results.kept
        if queue.demand and queue.hungry and not queue.waiting and (not kept or self._ahead() < window):
            return True
        crew = len(self._dispatcher.crew.slots)
        flying = queue.credit + crew
        if queue.waiting or (queue.in_flight > flying - flying // 4 and flying > 4):
            return False
        return not kept or self._ahead() <= window - max(1, window // 4)

    def _ahead(self) -> int:
        return self._cut - self._results.taken

    def _window(self) -> int:
        return self.ledger_queue.credit + 2 * len(self._dispatcher.crew.slots) + 1

    @property
    def may_restore(self) -> bool:
        """Whether a result of an earlier run may be given out now: it takes no worker, only the iterator."""
        return not self.stopped and (not self._results.kept or self._ahead() < self._window())

    def cut(self, rows: int) -> int:
        """A chunk was cut: the number of its ticket."""
        number = self._cut
        self._cut = number + 1
        self.rows_cut += rows
        if self._size is None:
            self._size = rows
        if rows != self._size:
            self._rows_of[number] = rows
        return number

    def rows_of(self, number: int) -> int:
        return self._rows_of.get(number, self._size or 0)

    def expect(self, chunks: int) -> None:
        self._expected = chunks

    @property
    def stopped(self) -> bool:
        """Whether the feeder should pull no more."""
        # for each chunk: not by a property of the dispatcher
        ended = self._error is not None or self._cancelled or self._cut_short
        return ended or self._dispatcher.supervisor.stopping

    @property
    def source_is_over(self) -> bool:
        """Whether the source will not be pulled again."""
        return self._source_ended

    @property
    def next_number(self) -> int:
        return self._cut

    @property
    def starving(self) -> bool:
        """Whether a worker waits for a chunk of this queue."""
        return bool(self.ledger_queue.demand) and not self.ledger_queue.waiting

    # for the dispatcher, under its lock

    def finished(self, parcel: Parcel, outputs: list[m.Message], seconds: float) -> bool:
        """A chunk, or a piece of one, is done; returns whether it was the last one."""
        number = parcel.number
        if self.is_void(parcel):
            return self._source_ended and self.is_over
        if self.pace is not None:
            self.pace.done(parcel.rows, seconds)
        if parcel.piece:
            self._piece_ended(parcel, outputs)
        elif self._add(number, outputs) and self.books is not None:
            self.books.done(number, (Piece(0, 0, parcel.rows, tuple(outputs)),))
        return self._source_ended and self.is_over

    def finished_all(self, parcels: list[Parcel], bodies: list[bytes], seconds: float) -> bool:
        """Consecutive chunks are done, in so many seconds each; returns whether those were the last."""
        singly = self.listed or self.books is not None or self.reading is not None
        if singly or not self._results.add_all(parcels[0].number, bodies):
            for parcel, body in zip(parcels, bodies, strict=True):
                output = m.Message(m.OUTPUT, a=parcel.lease, flags=m.FINAL, body=body)
                self.finished(parcel, [output], seconds)
            return self._source_ended and self.is_over
        if self.pace is not None:
            for parcel in parcels:
                self.pace.done(parcel.rows, seconds)
        if self._rows_of:
            self._rows_done += sum(self._rows_of.pop(parcel.number, self._size or 0) for parcel in parcels)
        else:
            self._rows_done += len(parcels) * (self._size or 0)
        return self._source_ended and self.is_over

    def _piece_ended(self, parcel: Parcel, outputs: Any) -> None:
        """The results of a ticket in pieces are given out when the last piece has come to its end."""
        number = parcel.number
        pieces = self._pieces.get(number)
        if pieces is None:
            pieces = self._pieces[number] = Pieces(self.rows_of(number))
        if pieces.add(parcel.start, parcel.rows, outputs):
            self._pieces_ended(number, pieces)

    def _pieces_ended(self, number: int, pieces: Pieces) -> None:
        done = tuple(Piece(part, start, rows, tuple(outputs)) for part, start, rows, outputs in pieces.done())
        if not done:
            self._results.fail(number)
        elif self._results.add(number, done):
            self._rows_done += sum(piece.rows for piece in done)
        if self.books is not None:
            self.books.done(number, done)

    def restored(self, settled: Settled) -> None:
        """A ticket that an earlier run has settled: given out at its place, and not run."""
        number = settled.number
        for letter in settled.letters:
            ticket = Ticket(self.queue.name, number, self.number, letter.part)
            body, why = letter.body or settled.body, letter_reason(letter, ticket)
            start = None if letter.body is None else letter.start
            if start is not None and number not in self._pieces:
                pieces = self._pieces[number] = Pieces(settled.rows)
                parts = [(piece.start, piece.rows) for piece in settled.pieces]
                parts += [(letter.start, letter.rows) for letter in settled.letters]
                for first, rows in parts:
                    pieces.add(first, rows, FAILED)
            self._failed.append(Lost(number, start, body, None, why, letter.attempts))
        if settled.pieces and settled.pieces[0].part:
            self._results.add(number, settled.pieces)
            self._rows_done += sum(piece.rows for piece in settled.pieces)
        elif settled.pieces:
            self._add(number, settled.pieces[0].outputs)
        else:
            self._results.fail(number)

    def _add(self, number: int, outputs: Sequence[Output]) -> bool:
        new = self._results.add(number, list(outputs))
        if new:
            self._rows_done += self._rows_of.pop(number, 0) if number in self._rows_of else self._size or 0
            if self.listed:
                for message in outputs:
                    self._dispatcher.collector.output(message.body, bool(message.flags & m.HEADED))
        return new

    def gave_up(self, parcel: Parcel, blame: Blame) -> None:
        """A chunk, or a piece of one, has failed for good, or was cancelled."""
        if self.is_void(parcel):
            return
        number, start = parcel.number, parcel.start if parcel.piece else None
        goes_on = self._skip or blame.kind == CANCELLED
        self._failed.append(Lost(number, start, inline(parcel.body), None, blame, parcel.attempts))
        ticket = self._ticket(number, start)
        if self.books is not None:
            self.books.gave_up(parcel, ticket.part, blame, final=goes_on)
        if not goes_on and self._error is None:
            # first: whoever finds the feed over finds the reason
            self.stop_with(blame, ticket)
        if parcel.piece:
            self._piece_ended(parcel, FAILED)
        else:
            self._results.fail(number)

    def sort_out(self, parcels: list[Parcel]) -> list[Parcel]:
        """Those that are wanted; the others were cancelled before they came."""
        wanted = []
        for parcel in parcels:
            if self.is_void(parcel):
                continue
            if parcel.number in self.unwanted:
                self.gave_up(parcel, Blame(CANCELLED, "it was cancelled"))
            else:
                wanted.append(parcel)
        return wanted

    # where workers read the source, they find out what there is

    def is_void(self, parcel: Parcel) -> bool:
        """Whether the source has ended before the chunk, or the piece of it."""
        return (self.limit is not None and parcel.number >= self.limit) or (parcel.piece and not parcel.rows)

    def shorten(self, number: int, rows: int) -> None:
        """The ticket has fewer rows than it was cut with."""
        self._rows_of[number] = rows
        if self.books is not None:
            self.books.shortened(number, rows)
        pieces = self._pieces.get(number)
        if pieces is not None:
            self._failed = [
                lost for lost in self._failed if lost.number != number or (lost.start or 0) < rows
            ]
            if pieces.shorten(rows) and number not in self._results:
                self._pieces_ended(number, pieces)

    def cut_back(self, tickets: int, rows: int) -> None:
        """Tickets from this number on were never cut; the others have so many rows."""
        tickets = min(self._cut, tickets)
        self.rows_cut = rows
        self._expected = None if self._expected is None else tickets
        self._failed = [
            lost for lost in self._failed if lost.number < tickets or lost.why is self._source_error
        ]
        self._results.cut_back(tickets)
        if self.books is not None:
            self.books.cut_back(tickets)
            if self._source_ended and self._source_error is None and not self.stopped:
                self.books.ended(tickets, rows)
        self._cut = tickets  # at last: whoever iterates may see now that it is over

    def rows_lost(self, number: int, rows: Any, error: BaseException) -> None:
        """Rows of a chunk that was never sent: its source raised while it was cut, or they cannot be sent."""
        self._failed.append(Lost(number, None, None, rows, error, 0))

    def skip_unsent(self, rows: Any, error: BaseException) -> bool:
        """With on_error="skip", a chunk that cannot be sent is a failure like any other; else False."""
        if self._skip:
            number = self.cut(len(rows))
            self.rows_lost(number, rows, error)
            self._results.fail(number)
            if self.books is not None:
                self.books.unsendable(number, len(rows), error)
        return self._skip

    def stop_with(self, error: BaseException | Blame, ticket: Ticket | None = None) -> None:
        """End this feed with an error; chunks that wait are dropped."""
        if self._error is None and not self._cancelled:
            self._error, self._error_ticket = error, ticket
            self._dispatcher.cancel_feed(self)
            if not self._iterating:
                self._dispatcher.unseen[self.number] = self
                shown = error.exception(ticket or Ticket("", 0)) if isinstance(error, Blame) else error
                self._dispatcher.collector.feed_failed(shown)

    def fail(self, error: BaseException) -> None:
        if self._error is None and not self.is_over:
            self._error = error

    def cut_short(self) -> None:
        """The program was interrupted: the source is not pulled any more, chunks that wait are dropped."""
        self._cut_short = not self._source_ended
        self._dispatcher.ledger.feed_dropped(self.queue.number, self.number)
        self._dispatcher.execute(self._dispatcher.ledger.room_made(self.queue.number))

    def interrupted(self, error: BaseException, *, whole: bool) -> None:
        """The chunks that ran then have ended. `whole`: results in order end at the first gap."""
        if not whole:
            self._results.close_gaps()
        self.fail(error)

    def abandoned(self, *, patient: bool) -> bool:
        """All workers have left: what is not done stays missing. Returns whether the feed is over now.

        `patient`: when all that was cut is done, the feeder pulls once more; the source may be at its end.
        """
        if self.is_over:
            return True
        if self._cut_short:
            return False
        unfinished = self._results.missing(self._cut)
        missing = sum(1 for number in unfinished if self.rows_of(number))
        if not missing and self._source_ended:
            # only 1.0's list that has nothing but the STOP row: no row is lost
            for number in unfinished:
                self._results.add(number, [])
            return True
        if not missing and self.listed and patient:
            self.last_pull = True
            return False
        from ..errors import EisenmpError

        self._error = EisenmpError(
            f"all workers have left with {missing} tickets of queue {self.queue.name!r} not done"
            + ("" if self._source_ended else " and its source not at the end")
        )
        if not self._iterating:
            self._dispatcher.unseen[self.number] = self
        self._dispatcher.collector.feed_failed(self._error)
        return True

    def source_failed(self, error: BaseException) -> None:
        """The source raised: what was sent is finished and given out, then the error comes."""
        if self._source_error is error:
            return
        self._source_error = error
        if not self._iterating:
            self._dispatcher.unseen[self.number] = self
            self._dispatcher.collector.feed_failed(error)

    def source_ended(self) -> None:
        if self.reading is not None:
            self.reading.cut_back()  # what workers have told in the last moment
            if self.limit is not None and self.books is not None and not (self._source_error or self.stopped):
                self.books.ended(self._cut, self.rows_cut)
        self._expected = self._cut
        self._source_ended = True

    def open_window(self) -> None:
        """Results that nobody iterates are dropped from now on."""
        if not self._iterating:
            with self._dispatcher.lock:
                self._results.open_window()
            self._dispatcher.pump.poke()

    def __repr__(self) -> str:
        state = "over" if self.is_over else "running"
        return (
            f"<eisenmp.Feed {self.number}, {self.queue.name!r}: {self.done} of {self._cut} chunks, {state}>"
        )


def _rows(body: bytes, reading: Reading | None) -> Any:
    try:
        rows = loads(body)
        return reading.rows(rows) if reading is not None and isinstance(rows, Span) else rows
    except Exception as error:  # unpickling a user's rows, or reading them, may raise anything
        return f"<rows that cannot be unpickled here: {type(error).__name__}: {error}>"
