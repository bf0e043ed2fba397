"""The process of a slot as the keeper of its containers: `serve(recipe, toolbox, sockets, stop)`.

The keeper is a worker like any other, so the slot is supervised, replaced, drained and logged like one that
serves by itself, and nothing that an engine does can hold up the manager.
"""

from __future__ import annotations

import os
import signal
import socket
import sys
import threading
from time import monotonic

from ..errors import ContainerError
from . import leftovers
from .engine import Engine, Missing, find_engine
from .probe import complaint
from .relay import Relay, Route
from .running import Running

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from typing import Any

    from ..child.serving import Stop
    from ..child.toolbox import ToolBox
    from ..core.container import Recipe

LOOK = 0.05  #: seconds between two looks whether a container is ready
PROBE = 2.0  #: seconds that such a look may take
REST = 0.5  #: of the time to stop in, what removal takes


def serve(recipe: Recipe, toolbox: ToolBox, sockets: list[socket.socket], stop: Stop) -> None:
    """Serve from containers until `stop` is set. Raises ContainerError."""
    if threading.current_thread() is threading.main_thread():
        # the manager's patience is over: two seconds are left to remove them in
        signal.signal(signal.SIGTERM, _leave)
    engine = find_engine()
    try:
        for name in leftovers.sweep(engine):
            print(f"removed a container of {name} whose keeper had died", flush=True)
        Keeper(engine, recipe, stop).keep(sockets)
    finally:
        engine.close()


def _leave(number: int, frame: object) -> None:
    raise SystemExit(0)


class Keeper:
    """Makes the containers of one slot, connects its sockets with them, and removes them."""

    def __init__(self, engine: Engine, recipe: Recipe, stop: Stop) -> None:
        self._engine = engine
        self._recipe = recipe
        self._stop = stop
        self._running: list[Running] = []
        self._relay: Relay | None = None
        self._cause = ""
        self._changed = threading.Event()

    def keep(self, sockets: Sequence[socket.socket]) -> None:
        """From their start to their removal. Raises ContainerError when one of them ends by itself."""
        stop = self._stop
        stop.on_change(self._changed.set)
        try:
            self._bring_image()
            routes = self._start(sockets)
            self._wait_until_ready()
            if stop.draining:
                return
            self._relay = Relay(routes, stop, max(0.0, stop.grace - self._recipe.stop_timeout - REST))
            if self._cause or self._relay.run():
                raise ContainerError(self._cause or self._relay.cause)
        finally:
            try:
                self._end()
            finally:
                for each in self._running:
                    each.remove()
                for each in self._running:
                    each.join()

    # start

    def _bring_image(self) -> None:
        engine, image = self._engine, self._recipe.image
        what = f"image {image!r}"
        if self._recipe.pull != "always":
            try:
                engine.ask(what, engine.api.inspect_image, image)
                return
            except Missing:
                if self._recipe.pull == "never":
                    raise ContainerError(f"there is no image {image!r}, and pull is 'never'") from None
        print(f"fetching {what}", flush=True)
        wrong = engine.ask(what, self._fetch)
        if wrong:
            raise ContainerError(f"there is no image {image!r}, and it cannot be fetched: {wrong}")

    def _fetch(self) -> str:
        """What went wrong, or nothing."""
        steps = self._engine.api.pull(*_split(self._recipe.image), stream=True, decode=True)
        return next((str(step["error"]) for step in steps if "error" in step), "")

    def _port(self) -> int:
        """Where the program in the container listens."""
        recipe, engine = self._recipe, self._engine
        if recipe.port:
            return recipe.port
        if recipe.network == "host":
            return _free_port()
        what = f"image {recipe.image!r}"
        config = engine.ask(what, lambda: engine.api.inspect_image(recipe.image)["Config"]) or {}
        exposed = [port for port, kind in _exposed(config) if kind in ("", "tcp")]
        if len(exposed) != 1:
            many = "several ports" if exposed else "no port"
            raise ContainerError(f"image {recipe.image!r} exposes {many}: say which with port")
        return exposed[0]

    def _start(self, sockets: Sequence[socket.socket]) -> list[Route]:
        serving = self._stop.serving
        group, place, count = (
            ("", 0, len(sockets)) if serving is None else (serving.group, serving.place, len(serving.sockets))
        )
        by_port: dict[int, list[socket.socket]] = {}
        for each in sockets[:count]:
            by_port.setdefault(each.getsockname()[1], []).append(each)
        labels = {
            leftovers.OWNER: leftovers.owner(),
            "eisenmp.group": group,
            "eisenmp.slot": f"{group}/{place}",
        }
        routes = []
        for port, listening in by_port.items():
            behind = []
            for _ in range(self._recipe.per_port):
                made = Running(self._engine, self._recipe, f"{group}/{place}:{port}", self._failed)
                self._running.append(made)
                made.start(self._port(), self._limits(), {**labels, "eisenmp.port": str(port)})
                behind.append(made.address)
            routes.append(Route(listening, behind))
        if sockets[count:]:
            # the door through which the manager asks how they are
            routes.append(Route(sockets[count:], [made.address for made in self._running], steady=True))
        return routes

    def _limits(self) -> dict[str, Any]:
        """The cores of the slot, as far as this process is bound to some."""
        own: Any = getattr(os, "sched_getaffinity", None)
        cores = sorted(own(0)) if own is not None else []
        bound = cores and len(cores) < (os.cpu_count() or 1)
        return {"cpuset_cpus": ",".join(map(str, cores))} if bound else {}

    def _wait_until_ready(self) -> None:
        for each in self._running:
            said = ""
            while not (self._stop.draining or self._cause):
                wrong = complaint(each.address, self._recipe.health, PROBE)
                if not wrong:
                    break
                if wrong != said:
                    print(f"{each.what} is not ready: {wrong}", file=sys.stderr, flush=True)
                    said = wrong
                self._changed.wait(LOOK)
        if self._cause:
            raise ContainerError(self._cause)

    def _failed(self, cause: str) -> None:
        """One has ended by itself; from its thread."""
        self._cause = self._cause or cause
        self._changed.set()
        if self._relay is not None:
            self._relay.fail(cause)

    # end

    def _end(self) -> None:
        """They are asked to end, all at the same time; `remove` kills those that do not."""
        deadline = monotonic() + self._recipe.stop_timeout
        for each in self._running:
            each.signal()
        for each in self._running:
            each.wait(deadline)


def _split(image: str) -> tuple[str, str]:
    """Name and tag: without one, the engine would fetch all."""
    if "@" in image:
        name, _, digest = image.partition("@")
        return name, digest
    name, colon, tag = image.rpartition(":")
    return (name, tag) if colon and "/" not in tag else (image, "latest")


def _exposed(config: dict[str, Any]) -> Iterator[tuple[int, str]]:
    for text in config.get("ExposedPorts") or {}:
        port, _, kind = str(text).partition("/")
        if port.isdecimal():
            yield int(port), kind


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
