"""Whoever waits drives the loop.

One thread at a time leads: it runs `step`, which waits on the sockets and handles what comes. A thread that
waits for a result leads itself, so that a result needs no hand-over between threads. Others follow, each on
a lock of its own. A background thread leads only when nobody has led for a tick, and steps down as soon as it
has served a follower. Nothing here polls for long: once a leader sits for some ticks, the background thread
sleeps until that leader leaves.
"""

from __future__ import annotations

import threading
from time import monotonic

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable


#: ticks that a leader sits before the background thread sleeps until that one leaves; where leaders come and
#: go it looks on by itself, since to be rung each time costs two turns of the GIL
PATIENCE = 10


class _Follower:
    __slots__ = ("bell", "may_lead", "ready")

    def __init__(self, ready: Callable[[], bool], may_lead: bool) -> None:
        self.ready = ready
        self.may_lead = may_lead
        self.bell = threading.Lock()
        self.bell.acquire()


class Pump:
    """Runs `step(timeout)` in whichever thread waits. `wake()` must end a running `step` soon.

    `step` is called by one thread at a time and must not raise; if it does, every wait raises that error.
    Predicates given to `wait_until` are called under an internal lock: they only read.
    """

    def __init__(
        self,
        step: Callable[[float | None], None],
        wake: Callable[[], None],
        *,
        tick: float,
        name: str,
        before_background: Callable[[], None] | None = None,
    ) -> None:
        self._step = step
        self._wake = wake
        self._tick = tick
        self._before_background = before_background
        self._mutex = threading.Lock()
        self._followers: list[_Follower] = []
        self._leading = False
        self._leader = 0
        self._resigned = threading.Event()
        self._epoch = 0
        self._parked = False
        self._bell = threading.Lock()
        self._bell.acquire()
        self._closed = False
        self._failure: BaseException | None = None
        self._thread = threading.Thread(target=self._background, name=name, daemon=True)

    @property
    def somebody_leads(self) -> bool:
        """Whether a thread waits on the sockets now, be it the background thread or another."""
        return self._leading

    @property
    def background_leads(self) -> bool:
        """Whether the background thread is the one that waits on the sockets now."""
        return self._leading_background

    _leading_background = False

    @property
    def leads_here(self) -> bool:
        """Whether it is this thread that runs `step`: then it must not wait for what only that brings."""
        return self._leading and self._leader == threading.get_ident()

    def start(self) -> None:
        self._thread.start()

    def wait_until(
        self, ready: Callable[[], bool], timeout: float | None = None, *, may_lead: bool = True
    ) -> bool:
        """Wait until `ready()` is true; False when `timeout` seconds passed first or the pump is closed."""
        if ready():
            return True
        deadline = None if timeout is None else monotonic() + timeout
        while True:
            follower = _Follower(ready, may_lead)
            leads = False
            with self._mutex:
                # it stands in the row before the look: the leader looks at the row after each change, without
                # the mutex, so that one of the two sees the other
                self._followers.append(follower)
                if ready():
                    self._followers.remove(follower)
                    return True
                if self._failure is not None or self._closed:
                    self._followers.remove(follower)
                    if self._failure is not None:
                        raise self._failure
                    return False
                if may_lead and not self._leading:
                    self._followers.remove(follower)
                    leads = True
                    self._lead()
            if leads:
                return self._lead_until(ready, deadline)
            try:
                remaining = -1.0 if deadline is None else max(0.0, deadline - monotonic())
                follower.bell.acquire(timeout=remaining)
            finally:
                with self._mutex:
                    if follower in self._followers:
                        self._followers.remove(follower)
            if ready():
                return True
            if deadline is not None and monotonic() >= deadline:
                return False

    def touch(self) -> None:
        """The caller is busy but looks after the loop itself: the background thread stays back for a tick."""
        self._epoch += 1

    def glance(self) -> None:
        """Handle what has come already, without waiting, unless another thread is doing so."""
        with self._mutex:
            if self._leading or self._closed:
                return
            self._lead()
        try:
            self._step(0.0)
            if self._followers:
                self._serve()
        finally:
            self._resign()

    def poke(self) -> None:
        """Serve the followers whose condition another thread has just made true."""
        if self._followers:
            self._serve()

    def interrupt(self) -> None:
        """Like `poke`, and let the leader look at its own condition too."""
        self.poke()
        self._wake()

    def stir(self) -> None:
        """Have every thread that waits run a moment, whatever it waits for, and wait on."""
        with self._mutex:
            self._let_go()
        self._wake()

    def fail(self, error: BaseException) -> None:
        """A defect of ours, not of the program: nobody waits for ever because of it, all waits raise it."""
        self._failure = error
        self.stir()

    def close(self, join: bool = True) -> None:
        """End the background thread and all waits. With `join`, nobody is in `step` afterwards."""
        with self._mutex:
            self._closed = True
            self._resigned.clear()
            leading = self._leading and self._leader != threading.get_ident()
            self._let_go()
        self._ring()
        self._wake()
        if not join:
            return
        if leading:
            self._resigned.wait()
        if self._thread.is_alive() and self._thread is not threading.current_thread():
            self._thread.join()

    def _let_go(self) -> None:
        for follower in self._followers:
            follower.bell.release()
        self._followers = []

    def _lead(self) -> None:
        self._leading = True
        self._leader = threading.get_ident()
        self._epoch += 1

    def _lead_until(self, ready: Callable[[], bool], deadline: float | None) -> bool:
        try:
            while not ready():
                remaining = None
                if deadline is not None:
                    remaining = deadline - monotonic()
                    if remaining <= 0:
                        return False
                self._step(remaining)
                if self._followers:
                    self._serve()
                if self._failure is not None:
                    raise self._failure
                if self._closed:
                    return ready()
            return True
        finally:
            self._resign()

    def _serve(self) -> bool:
        """Release every follower whose condition holds; True if one of them could have led."""
        served = False
        with self._mutex:
            waiting = []
            for follower in self._followers:
                if follower.ready():
                    served = served or follower.may_lead
                    follower.bell.release()
                else:
                    waiting.append(follower)
            self._followers = waiting
        return served

    def _resign(self) -> None:
        with self._mutex:
            self._leading = False
            self._resigned.set()
            for follower in self._followers:
                if follower.may_lead:
                    self._followers.remove(follower)
                    follower.bell.release()
                    break
        if self._parked:
            self._ring()

    def _ring(self) -> None:
        with self._mutex:
            if not self._parked:
                return
            self._parked = False
        self._bell.release()

    def _background(self) -> None:
        still = 0  # ticks in which nothing has changed
        while not self._closed:
            with self._mutex:
                epoch = self._epoch
            if self._bell.acquire(timeout=self._tick):
                continue
            lead = False
            with self._mutex:
                if epoch != self._epoch:
                    still = 0
                elif self._leading:
                    still += 1
                    self._parked = still >= PATIENCE and not self._closed
                elif not self._closed:
                    self._leading_background = lead = True
                    self._lead()
            if lead:
                self._background_leads()
            elif self._parked:
                self._bell.acquire()

    def _background_leads(self) -> None:
        try:
            if self._before_background is not None:
                self._before_background()
            while not self._closed:
                self._step(None)
                if self._followers and self._serve():
                    break
        except BaseException as error:
            self.fail(error)
            raise
        finally:
            self._leading_background = False
            self._resign()
