"""`Mp`, the manager: feeds any generator to workers on every core."""

from __future__ import annotations

import threading
from itertools import count
from os import getpid, kill

from ..child.contracts import ROW
from ..child.unguarded import check_start
from ..core import queues as queue_names
from ..core.later import check_supported
from ..core.queues import QueueNames
from ..core.settings import Settings, split_attributes
from ..core.ticket import Ticket
from ..errors import EisenmpError, Stopped
from ..wire.pickles import dumps
from . import lifetime
from .collector import INFO, OUTPUT, PRINT, PROCESS
from .crew import check_pin
from .door import Door
from .ending import end_idle, end_workers, join_feeders
from .engines import can_fork, make_engine
from .legacy import Boxes
from .parts import Parts
from .policy import apply_policy
from .queue import Queue
from .serving import ServerHost
from .signals import catches, is_main, signals
from .subscribers import Subscribers
from .variables import pack_variables

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from typing import Any, Self

    from ..core.queues import QueueName
    from ..engine.base import Engine
    from .bookkeeper import Bookkeeper
    from .feed import Feed
    from .feeder import Feeder
    from .memory import MemoryGuard
    from .toolset import Toolset

OWN_QUEUES = frozenset((OUTPUT, PRINT, INFO, PROCESS))
KEEPER = 0  #: a feed that never ends by itself: keeps the queue of `feed()` open until join
AWAKE = 2  #: workers on each CPU that are kept busy with tiny chunks, if there are as many
LEAVE_GRACE = 1.0  #: seconds for idle workers to leave by themselves after an interruption
_manager_numbers = count(1)


class Mp(Door, ServerHost):
    """A manager of worker processes.

    `worker_modules`: the worker first ('file.py:name', 'pkg.mod:name', a function, `Remote(…)`, or a dict of
    1.0), then its mates. `engine`: 'local' (default), 'inline', or an object that is one. Settings by name,
    see `eisenmp.Settings`; an unknown one raises SettingsError that names the nearest.

        with eisenmp.Mp("primes.py:find", rows_max=42) as emp:
            for ticket, primes in emp.feed(range(10_000)):
                ...
    """

    _parts = Parts()
    _hears_signals = True

    def __init__(self, *worker_modules: Any, engine: str | Engine = "local", **settings: Any) -> None:
        from os import environ

        self.settings = self._given = Settings.from_keywords(settings, environ)
        check_supported(self.settings)
        self._modules: list[Any] = list(worker_modules)
        self._engine_wanted = engine
        self._variables: dict[str, Any] = dict(self.settings.variables)
        self._names = QueueNames()
        self._queues: dict[int, Queue] = {}
        self._tools: list[bytes] = []
        self._toolset: Toolset | None = None
        self._subscribers = Subscribers()
        self._feeders: list[Feeder] = []
        self._feed_numbers = count(1)
        self._bookkeeper: Bookkeeper | None = None
        self._told: list[dict[str, Any]] = []  # tools that were broadcast before the ledger was open
        self.command: tuple[object, ...] | None = None  #: the call of `eisenmp run`, if it is that
        self._started = False
        self._ended = False
        self._listed = False
        self._progress: Any = None
        self._memory_guard: MemoryGuard | None = None
        self.boxes = Boxes()
        self.uid = f"{getpid()}-{next(_manager_numbers)}"
        self.own_queues = OWN_QUEUES
        self.contract = ""
        self._set_up()
        self._door_init()

    # parts

    def _set_up(self) -> None:
        """The parts of one run; made again when a manager that has ended is started again."""
        self.engine = make_engine(self._engine_wanted)
        self._crew = self._parts.crew(self.engine, self.uid, self.settings, self._names)
        self._ledger = self._parts.ledger()
        for name in self._names:
            self._ledger.queue_made(name.number, name.maxsize)
        self.collector = self._parts.collector(self.settings, self.boxes, self._stop_worker)
        self.dispatcher = self._parts.dispatcher(self.engine, self._ledger, self._crew, self.collector)
        self.dispatcher.supervisor.on_all_gone = self._print_end
        self.collector.on_idle = self.dispatcher.pump.interrupt
        if self._toolset is not None:
            self._toolset.share(self.dispatcher)
        self._opened = False
        self._closing_lock = threading.Lock()

    def _renew(self) -> None:
        """New parts, by the settings of now; what was put into queues before the start stays there."""
        waiting = [queue.waiting for queue in self._ledger.queues.values()]
        self._set_up()
        for queue, kept in zip(self._ledger.queues.values(), waiting, strict=True):
            for parcel in kept:
                if not parcel.feed:
                    parcel.body = self.toolset.carry(parcel.body)
                    queue.waiting.append(parcel)

    def _apply_settings(self) -> None:
        check_supported(self.settings)
        settings = self.settings
        check_pin(settings.pin)
        apply_policy(settings, self.dispatcher, self.contract)
        self._crew.settings = self.collector.settings = settings
        self._crew.forked = can_fork(self.engine, settings)
        self._memory_guard = None
        if settings.memory_max is not None:
            from .memory import guard

            self._memory_guard = guard(self.dispatcher, settings.memory_max)

    # life

    def start(self, **attributes: Any) -> Self:
        """Start the workers and return at once.

        The attributes are the door of 1.0: `emp.start(**modConf.__dict__)`. Its upper-case names are
        settings, everything else goes to the toolbox. Raises SettingsError and LoadError before any
        process starts.
        """
        check_start()
        if self._started and self._crew.slots and self._crew.over:
            self.stop()
        if self._started and not self._ended:
            raise EisenmpError("this manager is started already")
        if attributes or not self._modules:
            self._take_attributes(attributes)
        if self._ended:
            self._ended = False
            self._renew()
        self._apply_settings()
        self._resolve_sources()
        self._started = True
        if self._listed:
            self._door_started(attributes)
        self._open()
        try:
            self._open_fleet()
            self._open_ledger()
            self._start_crew()
            self._open_control()
        except BaseException:
            self.stop(grace=0.0)
            raise
        self._door_crew_started()
        return self

    def _take_attributes(self, attributes: Mapping[str, Any]) -> None:
        import warnings
        from os import environ

        self._listed = True
        self.settings, variables, notes = split_attributes(attributes, environ, base=self._given)
        for note in notes:
            warnings.warn(note, stacklevel=3)
        self._variables = {**self.settings.variables, **variables}
        if "worker_modules" in variables:
            modules: Any = variables["worker_modules"]
            self._modules = list(modules or [])

    def _resolve_sources(self) -> None:
        from .source import resolve_all, share_main

        self._crew.contract = self.contract
        self._crew.sources = resolve_all(map(self._without_site, self._modules))
        self._crew.compute = self._resolve_compute()
        share_main((*self._crew.sources, *self._crew.compute))
        self._crew.variables, self._crew.descriptors = pack_variables(self._variables, self.engine)
        self._crew.tools = list(self._tools)

    def _without_site(self, module: Any) -> Any:
        from ..core.site import Site

        if not isinstance(module, Site):
            return module
        self._site = module
        return module.app

    def _open_ledger(self) -> None:
        told, self._told = self._told, []
        if self.settings.ledger is None:
            return
        from .bookkeeper import Bookkeeper, job_facts

        job, facts = job_facts(
            self._crew.sources, self.contract, self._variables, self.settings, list(self._names)
        )
        facts["command"] = None if self.command is None else dumps(tuple(self.command))
        keeper = Bookkeeper(self.settings.ledger, self._ledger_failed, self.collector.warned)
        keeper.open(job, facts, resume=self.settings.resume)
        self._bookkeeper = keeper
        self.dispatcher.keeps_books = True
        for tools in told:
            keeper.broadcast(tools)

    def _ledger_failed(self, error: EisenmpError) -> None:
        """Nothing more can be recorded: the job ends, with what was done intact."""
        with self.dispatcher.lock:
            self.dispatcher.supervisor.fail(error)
        self.dispatcher.pump.interrupt()

    def _open(self) -> None:
        with self.dispatcher.lock:
            if self._opened:
                return
            self.engine.open()
            queue_names.register_resolver(self.uid, self._find_queue)
            lifetime.register(self)
            if self._hears_signals:
                signals.enter(self)
            self.dispatcher.pump.start()
            self.collector.start()
            self._opened = True

    def pump_running(self) -> None:
        """Make sure that somebody drives the loop when nobody waits."""
        self._open()

    def _start_crew(self) -> None:
        dispatcher, crew = self.dispatcher, self._crew
        dispatcher.supervisor.freeze_path()
        procs = self.procs
        if self._listed:
            self._announce(procs)
        with dispatcher.lock:
            if self._fleet is not None:
                self._fleet.start()
            if crew.compute or (crew.sources and self._fleet is None):
                slots = [crew.add_slot() for _ in range(procs)]
                for slot in slots:
                    dispatcher.supervisor.start_slot(slot)
                self._ledger.few = AWAKE * crew.cpus
            if self._subscribers:
                dispatcher.emit = self._subscribers.emit
            if self._memory_guard is not None:
                self._memory_guard.start()
        self._start_progress()

    @property
    def procs(self) -> int:
        """How many workers there are to be."""
        if self.settings.procs_max is not None:
            return self.settings.procs_max
        from ..engine.cpus import usable_cpus

        return usable_cpus()

    def __enter__(self) -> Self:
        if not self._started:
            self.start()
        return self

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if error is None:
            self._leave()
        elif self.dispatcher.drain is not None:
            self.stop_interrupted()
        else:
            self.stop(grace=0.0 if isinstance(error, KeyboardInterrupt) else self.settings.grace)

    def _leave(self) -> None:
        if self._ended:
            self._raise_failure()
            return
        try:
            self._wait_for_feeds(None)
            self._say_goodbye()
            self._stop_servers()
            if self._fleet is None:
                self._wait_for_workers()
        except BaseException as error:
            self.__exit__(type(error), error, error.__traceback__)
            raise
        self.stop()
        self._raise_failure()

    def join(self, timeout: float | None = None) -> None:
        """Wait for all feeds, then for the workers to leave; for servers until they are stopped.

        Raises TimeoutError after `timeout` seconds, and what ended a feed that nobody iterates.
        """
        from time import monotonic

        if not self._started or self._ended:
            self._raise_failure()
            return
        until = None if timeout is None else monotonic() + timeout
        self._wait_for_feeds(until)
        self._say_goodbye()
        self._wait_for_crew(until)
        self.stop()
        self._raise_failure()

    def stop(self, *, grace: float | None = None) -> None:
        """Stop all workers: running chunks have `grace` seconds, then comes SIGTERM, then SIGKILL.

        Returns when no process, thread or descriptor of this manager is left. May be called again.
        """
        if not self._opened or self._ended or getpid() != lifetime.pid_of(self):
            return
        with self._closing_lock:
            if self._ended:
                return
            self._stop(self.settings.grace if grace is None else grace)
        signals.deliver()  # what came while this ran

    def _stop(self, grace: float) -> None:
        dispatcher = self.dispatcher
        with dispatcher.lock:
            dispatcher.supervisor.stop_workers()
            feeds = list(dispatcher.feeds.values())
        for feed in feeds:
            feed.fail(Stopped("the manager was stopped"))
        dispatcher.pump.interrupt()
        try:
            end_workers(self._crew, self.engine, dispatcher.pump, grace)
        finally:
            self._clean_up()

    def _clean_up(self) -> None:
        """Whatever happened before: no process, thread or descriptor is left."""
        dispatcher = self.dispatcher
        self._feeders = join_feeders(self._feeders)
        if self._bookkeeper is not None:
            self._bookkeeper.close()
            self._bookkeeper = None
        self._print_end()
        self._end_progress()
        self.collector.close()
        dispatcher.close()
        if self._toolset is not None:
            self._toolset.clear()
        self._tools.clear()
        self.engine.close(0.0)
        self._crew.close()
        self._close_fleet()
        queue_names.unregister_resolver(self.uid)
        lifetime.unregister(self)
        signals.leave(self)
        self._ended = True
        self._door_ended()

    @property
    def ended(self) -> bool:
        """Whether the manager is stopped or stopping."""
        return self._ended or self.dispatcher.stopping

    def check_open(self) -> None:
        """Raise Stopped once the manager is stopped."""
        if self.ended:
            raise Stopped("the manager is stopped")

    def abandon(self) -> None:
        """In a copy of the program made by os.fork() the manager is stopped: it closes and kills nothing."""
        self._ended = True
        self.dispatcher.lock = threading.RLock()  # a thread that is not here may have held it
        if self._bookkeeper is not None:
            self._bookkeeper.abandon()
        self.engine.abandon()
        for feed in list(self.dispatcher.feeds.values()):
            feed.fail(Stopped("this is a copy of the program: the manager belongs to the other one"))

    def at_exit(self) -> None:
        """The interpreter exits: stop, unless a feed is open or a worker is inside a server."""
        if not self.dispatcher.feeds and all(
            slot.is_chunk_worker or not slot.alive for slot in self._crew.slots
        ):
            self.stop()
        else:
            self.join()

    # interrupted

    def interrupt(self) -> None:
        """Drain: pull no source, drop what waits, let running chunks end. From any thread or handler."""
        self.dispatcher.post(self._drain)

    def _drain(self) -> None:
        from .drain import Drain

        dispatcher = self.dispatcher
        if dispatcher.drain is None and not dispatcher.stopping:
            dispatcher.drain = Drain(dispatcher, whole=self.contract == ROW)
            dispatcher.drain.begin(self.settings.grace, signals.push)

    def hurry(self) -> None:
        """SIGKILL for all workers. From any thread or handler."""
        self.dispatcher.post(self._hurry)

    def _hurry(self) -> None:
        from .drain import Drain

        dispatcher = self.dispatcher
        if dispatcher.drain is None:
            dispatcher.drain = Drain(dispatcher, whole=self.contract == ROW)
        dispatcher.drain.hurry()

    @property
    def draining(self) -> bool:
        """Whether the program was interrupted and has not gone on since."""
        return self.dispatcher.drain is not None

    @property
    def calm(self) -> bool:
        """Whether nothing is being drained or stopped."""
        drain = self.dispatcher.drain
        return not self.dispatcher.stopping and (drain is None or drain.settled)

    @property
    def iterated(self) -> bool:
        """Whether somebody takes results one by one."""
        return bool(self.dispatcher.iterated)

    def show_stacks(self, number: int) -> None:
        """Send the signal to every worker that has a handler for it. From any thread or handler."""
        self.dispatcher.post(lambda: self._show_stacks(number))

    def _show_stacks(self, number: int) -> None:
        for slot in self._crew.alive():
            if slot.pid and slot.pid != getpid() and catches(slot.pid, number):
                kill(slot.pid, number)

    def stop_interrupted(self) -> None:
        """Drain to the end, then stop: what is no chunk worker, such as a server, has no grace."""
        if self._opened and not self._ended and getpid() == lifetime.pid_of(self):
            self.interrupt()
            dispatcher = self.dispatcher
            dispatcher.pump.wait_until(
                lambda: dispatcher.stopping or (dispatcher.drain is not None and dispatcher.drain.settled)
            )
            idle = all(slot.is_chunk_worker for slot in self._crew.alive())
            grace = min(LEAVE_GRACE, self.settings.grace) if idle else 0.0
            # requests that run may end; who does not want to wait presses Ctrl-C again
            self.stop(grace=grace if self._fleet is None else self.settings.grace)

    # waiting

    def _wait_for_feeds(self, until: float | None) -> None:
        for feed in list(self.dispatcher.feeds.values()):
            feed.open_window()
        feeds = self.dispatcher.feeds
        self._wait(lambda: not feeds, until, "the feeds")

    def _say_goodbye(self) -> None:
        """No feed will follow: tokens for workers that wait, the order to leave for chunk workers."""
        dispatcher = self.dispatcher
        with dispatcher.lock:
            dispatcher.closing = True
            for index in list(self._ledger.queues):
                dispatcher.execute(self._ledger.feed_ended(index, KEEPER))
            self._crew.dismiss_heirs()
            for slot in self._crew.slots:
                if slot.is_chunk_worker and slot.ready:
                    self._crew.order_stop(slot)
            end_idle(dispatcher, self.settings.grace)

    def _stop_servers(self) -> None:
        """Leaving `with`: what does not wait for chunks is stopped too."""
        with self.dispatcher.lock:
            self.dispatcher.ends_servers = True
            if self._fleet is not None:
                self._fleet.stop()
            for slot in self._crew.everyone():
                self._crew.order_stop(slot)

    def _wait_for_workers(self) -> None:
        """No worker is called any more; its process has the time of `stop` to end."""
        crew, collector = self._crew, self.collector
        self._wait(lambda: crew.finished and collector.idle, None, "the workers")

    def _wait_for_crew(self, until: float | None) -> None:
        crew, collector = self._crew, self.collector
        self._wait(lambda: crew.over and collector.idle, until, "the workers")

    def _wait(self, ready: Callable[[], bool], until: float | None, what: str) -> None:
        from time import monotonic

        timeout = None if until is None else max(0.0, until - monotonic())
        if not self.dispatcher.wait(ready, timeout):
            raise TimeoutError(f"{what} did not end within the timeout")

    def _raise_failure(self) -> None:
        """Raise what ended the manager, or a feed whose error nobody has seen."""
        dispatcher = self.dispatcher
        if dispatcher.error is not None:
            raise dispatcher.error
        for feed in list(dispatcher.unseen.values()):
            feed.raise_error()
        if self._fleet is not None:
            self._fleet.check_failed()

    # feeding

    def feed(
        self,
        rows: Iterable[Any],
        queue: Queue | str | None = None,
        *,
        rows_max: int | str | None = None,
        total: int | None = None,
    ) -> Feed:
        """Feed rows to the workers, in chunks of `rows_max`; returns the Feed, whose results may be iterated.

        `rows`: any iterable. Sequences that can be sliced reach the workers as slices. `total`: how many rows
        a generator will yield, for `expected` and the progress bar. Raises TypeError for what is no iterable.
        """
        self._check_started()
        entry = self._entry(queue)
        settings = self.settings if rows_max is None else self.settings.replace(rows_max=rows_max)
        size = settings.rows_max
        return self._feed(rows, entry, size, total, listed=False)

    def _feed(
        self,
        rows: Iterable[Any],
        entry: QueueName,
        size: int | str,
        total: int | None,
        *,
        listed: bool,
        title: str = "",
    ) -> Feed:
        self.check_open()
        # what only rows need is imported while the workers start
        from .feed import Feed

        dispatcher = self.dispatcher
        if dispatcher.closing:
            raise Stopped("the manager is ending: join was called")
        feed = Feed(
            next(self._feed_numbers), entry, dispatcher, listed=listed, skip=self.settings.on_error == "skip"
        )
        feed.title = title
        keeper = self._bookkeeper  # another thread may be stopping the manager
        if keeper is not None:
            feed.books = keeper.books(feed, rows, size)
        return self._begin(feed, self._parts.feeder(feed, rows, dispatcher, size, total))

    def _begin(self, feed: Feed, feeder: Feeder) -> Feed:
        dispatcher, entry = self.dispatcher, feed.queue
        with dispatcher.lock:
            self._check_interrupted()
            if dispatcher.error is not None:
                raise dispatcher.error
            self.check_open()  # another thread may have stopped it
            if self._crew.slots and self._crew.over:
                raise EisenmpError("all workers have left: nobody would take the rows")
            dispatcher.feeds[feed.number] = feed
            if not feed.listed:
                # workers stay up between the feeds: the queue does not end with this one
                self._ledger.feed_opened(entry.number, KEEPER)
            self._ledger.feed_opened(entry.number, feed.number)
            # with the start, since a thread that was not started looks like one that has ended
            self._feeders = [known for known in self._feeders if known.thread.is_alive()]
            self._feeders.append(feeder)
            feeder.thread.start()
        progress = self._progress
        if progress is not None:
            progress.watch(feed, feeder.total)
        return feed

    def _check_interrupted(self) -> None:
        """The first feed after an interruption that the program has survived: all is as before."""
        signals.install()
        drain = self.dispatcher.drain
        if drain is None:
            return
        if drain.settled and is_main() and not signals.due:
            signals.forgive()
            self.dispatcher.drain = None
            return
        signals.deliver()
        raise Stopped("the program was interrupted")

    def cancel(self, ticket_or_feed: Ticket | Feed | None = None) -> None:
        """Cancel a ticket, a feed, or all feeds if nothing is named.

        What waits is dropped. A worker that is at it sees `toolbox.cancelled`; after `grace` seconds it is
        ended and replaced. What it sends does not count: a cancelled ticket is in `feed.failed`.
        """
        from .feed import Feed

        if ticket_or_feed is None:
            for feed in list(self.dispatcher.feeds.values()):
                feed.cancel()
        elif isinstance(ticket_or_feed, Feed):
            ticket_or_feed.cancel()
        elif isinstance(ticket_or_feed, Ticket):
            cancelled = self.dispatcher.feeds.get(ticket_or_feed.feed)
            if cancelled is not None:
                cancelled.cancel_ticket(ticket_or_feed.number)
        else:
            raise TypeError(f"cancel takes a Ticket, a Feed or nothing, not {ticket_or_feed!r}")

    def _check_started(self) -> None:
        if not self._started:
            raise EisenmpError("the manager is not started: use `with` or call start()")

    # queues and tools

    @property
    def toolset(self) -> Toolset:
        """The tools of this manager; made when there is the first."""
        if self._toolset is None:
            from .toolset import Toolset

            with self.dispatcher.lock:
                if self._toolset is None:
                    self._toolset = Toolset()
        return self._toolset

    def queue(self, name: str, *, category: str | None = None, maxsize: int = 1) -> Queue:
        """A new named queue. Workers find it as `toolbox.<name>` or `toolbox.<category>["<name>"]`.

        `maxsize` bounds what waits in the manager. Raises QueueExists.
        """
        dispatcher = self.dispatcher
        with dispatcher.lock:
            entry = self._names.create(name, category, maxsize)
            self._ledger.queue_made(entry.number, entry.maxsize)
            if self._started and not self._ended:
                from ..core import messages as m

                for slot in self._crew.alive():
                    self.engine.send(slot.wid, [m.Message(m.QUEUE, entry.number, body=dumps(entry))])
        queue = self._queue_of(entry)
        self._door_queue(entry, queue)
        return queue

    def _queue_of(self, entry: QueueName) -> Queue:
        return self._queues.get(entry.number) or self._queues.setdefault(entry.number, Queue(self, entry))

    def _find_queue(self, name: str) -> Queue:
        return self._queue_of(self._names.find(name))

    def _entry(self, queue: Queue | str | None) -> QueueName:
        if queue is None:
            return self._names[0]
        if isinstance(queue, Queue):
            if queue._mp is not self:
                raise EisenmpError(f"queue {queue.name!r} belongs to another manager")
            return queue._entry
        return self._names.find(queue)

    def noted(self, index: int, body: bytes) -> None:
        """Something put by the program itself into a queue that the manager reads."""
        self._open()
        if index == OUTPUT:
            self.collector.output(body)
        else:
            self.collector.note(index, body)

    def broadcast(self, **tools: Any) -> None:
        """Give every worker big read-only objects: `toolbox.tools["name"]`; again after a restart.

        Every chunk that is fed after this returns sees them. Raises SettingsError for what cannot be pickled.
        """
        from ..core import messages as m

        body = dumps(self.toolset.add(tools, self.dispatcher))
        if self._bookkeeper is not None:
            self._bookkeeper.broadcast(tools)
        elif not self._started:
            self._told.append(tools)
        self._tools.append(body)
        dispatcher = self.dispatcher
        with dispatcher.lock:
            self._crew.tools.append(body)
            for slot in self._crew.alive():
                dispatcher.send_now(slot.wid, m.Message(m.TOOLS, body=body))
        self.toolset.settle()

    # control

    def on(self, event_type: type[Any], call: Callable[[Any], None]) -> None:
        """Call `call(event)` for every event of the type, from the manager's loop; it must not block."""
        self._subscribers.add(event_type, call)
        if self._started:
            self.dispatcher.emit = self._subscribers.emit

    def off(self, event_type: type[Any], call: Callable[[Any], None]) -> None:
        """Do not call it for these events any more."""
        self._subscribers.remove(event_type, call)

    def resize(self, procs_max: int) -> None:
        """Have `procs_max` workers: new ones start, surplus ones leave after their running cycle.

        Beside servers, of which `scale` decides, those of `compute`.
        """
        procs = self.settings.replace(procs_max=procs_max).procs_max
        assert procs is not None
        self._check_started()
        dispatcher, crew = self.dispatcher, self._crew
        if self._fleet is not None and not crew.compute:
            raise EisenmpError("this manager has servers alone; scale() is for them")
        with dispatcher.lock:
            self.check_open()
            workers = [slot for slot in crew.slots if slot.server is None]
            wanted = [slot for slot in workers if not slot.retired]
            for slot in wanted[procs:]:
                slot.retired = True
                crew.order_stop(slot)
            for slot in workers:
                if len(wanted) >= procs:
                    break
                if slot.retired and not slot.alive:
                    slot.retired = slot.left = slot.dismissed = False
                    dispatcher.supervisor.start_slot(slot)
                    wanted.append(slot)
            for _ in range(procs - len(wanted)):
                dispatcher.supervisor.start_slot(crew.add_slot())
        self.settings = self.settings.replace(procs_max=procs)

    def _stop_worker(self, name: str | None) -> None:
        """STOP_PROC in mp_process_q: that worker, or all, leave after the running cycle."""
        dispatcher = self.dispatcher
        with dispatcher.lock:
            for slot in self._crew.slots:
                if name is None or slot.name == name:
                    slot.retired = True
                    self._crew.order_stop(slot)

    # progress

    def _start_progress(self) -> None:
        if self.settings.progress or (self.settings.info_enable and self.settings.info_thread_max):
            from .reporter import reporter

            self._progress = reporter(self)

    def _end_progress(self) -> None:
        if self._progress is not None:
            self._progress.close()
            self._progress = None

    def __repr__(self) -> str:
        state = "ended" if self._ended else "running" if self._started else "not started"
        return f"<eisenmp.Mp {self.settings.name or self.uid} {state}, {len(self._crew.slots)} slots>"
