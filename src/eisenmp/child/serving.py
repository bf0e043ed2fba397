"""A server in a worker: its sockets, and how it is told to stop.

drain: new connections go elsewhere, answers say `Connection: close` ── lame duck ──▶ stop
stop:  what is running ends, then the server returns
"""

from __future__ import annotations

import threading
from functools import partial

from ..core import messages as m
from ..core.messages import Message
from .here import set_toolbox

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from socket import socket
    from typing import Any

    from ..core.site import Serving
    from .channel import Channel
    from .health import Health
    from .toolbox import ToolBox


class Stop:
    """How a server learns that it has to stop; like a `threading.Event` that somebody else sets.

    `draining` is True before that: connections that are open are served on, with `Connection: close`, and no
    new ones are accepted. `grace`: seconds that running requests have once it is set.
    """

    def __init__(
        self, grace: float, on_ready: Callable[[], None], requests_max: int, on_full: Callable[[], None]
    ) -> None:
        self.grace = grace
        self.serving: Serving | None = None  #: the place of the server, as the manager told it
        self.requests = 0
        self._requests_max = requests_max
        self._on_full = on_full
        self.draining = False
        self._event = threading.Event()
        self._on_ready = on_ready
        self._on_change: list[Callable[[], None]] = []
        self._timer: threading.Timer | None = None
        self._ready = False
        self._lock = threading.Lock()

    def is_set(self) -> bool:
        """Whether the server has to stop."""
        return self._event.is_set()

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until it has to stop; False when `timeout` seconds passed first."""
        return self._event.wait(timeout)

    def on_change(self, call: Callable[[], None]) -> None:
        """Call it, from another thread, when `draining` or `is_set()` has become true; at once if it is."""
        with self._lock:
            self._on_change.append(call)
            changed = self.draining or self.is_set()
        if changed:
            call()

    def ready(self) -> None:
        """Say that connections are accepted. A plain function need not: it counts as ready when called."""
        if not self._ready:
            self._ready = True
            self._on_ready()

    def answered(self) -> None:
        """Say that a request is answered, so that `requests_max` can be kept."""
        self.requests += 1
        if self.requests == self._requests_max:
            self._on_full()

    # for who runs it

    def drain(self, lame_duck: float) -> None:
        """Accept nothing more; stop after `lame_duck` seconds."""
        with self._lock:
            if self.draining or self.is_set():
                return
            self.draining = True
            timer = threading.Timer(lame_duck, self.set)
            timer.name, timer.daemon = "eisenmp-lame-duck", True
            timer.start()
            self._timer = timer
        self._tell()

    def set(self) -> None:
        """Stop now."""
        with self._lock:
            if self.is_set():
                return
            self.draining = True
            self._event.set()
        self._tell()

    def close(self) -> None:
        """The server has returned."""
        self._on_change.clear()
        with self._lock:
            timer = self._timer
        if timer is not None:
            timer.cancel()
            timer.join()

    def _tell(self) -> None:
        for call in list(self._on_change):
            call()


class Server:
    """Runs `function(toolbox, sockets, stop)` on the sockets of its slot."""

    def __init__(self, function: Callable[[Any, Any, Any], Any], serving: Serving, channel: Channel) -> None:
        self._function = function
        self._serving = serving
        self._channel = channel
        self.says_ready = bool(serving.server)
        self.stop = Stop(serving.grace, self._up, serving.requests_max, self._full)
        channel.on_stop = self.stop.set
        channel.on_drain = self.stop.drain
        if channel.stopping:
            self.stop.set()  # the word came while the modules were imported

    def _up(self) -> None:
        from os import getpid

        self._channel.post(Message(m.UP, a=getpid()))
        self._channel.flush()

    def _full(self) -> None:
        self._channel.request(m.ORDER_DRAIN, f"requests_max reached with {self.stop.requests}")

    def _health(self, toolbox: ToolBox) -> Health | None:
        serving = self._serving
        if not serving.health:
            return None
        from .health import Health
        from .loader import load

        source: Any = serving.check
        check = partial(load(source), toolbox) if source is not None else bool
        return Health(serving.health, serving.health_timeout, check, self._channel)

    def run(self, toolbox: ToolBox) -> str:
        """Serve until it is told to stop; returns what went wrong, in one line, or nothing."""
        import socket

        sockets: list[socket.socket] = []
        health = self._health(toolbox)
        for descriptor, family in self._serving.sockets:
            listener = socket.socket(family, socket.SOCK_STREAM, fileno=descriptor)
            listener.setblocking(False)  # the process that follows accepts from the same queue
            sockets.append(listener)
        try:
            if health is not None:
                sockets += health.open()
                self._channel.on_check = health.ask
            if not self.says_ready:
                self.stop.ready()
            self.stop.serving = self._serving
            set_toolbox(toolbox)
            self._function(toolbox, sockets, self.stop)
        except (Exception, SystemExit) as error:
            if isinstance(error, SystemExit) and self.stop.is_set():
                return ""
            import traceback

            traceback.print_exc()
            return f"it raised {type(error).__name__}: {error}"
        finally:
            self.stop.close()
            for each in sockets:
                each.close()
        return "" if self.stop.draining else "it returned without having been told to stop"
