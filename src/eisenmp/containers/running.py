"""One container: made, watched until it ends, its lines passed on, and removed."""

from __future__ import annotations

import sys
import threading
from functools import partial
from time import monotonic

from ..errors import ContainerError
from .engine import Gone, Missing

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, TextIO

    from ..core.container import Recipe
    from .engine import Engine

LOOPBACK = "127.0.0.1"
RETRY = 0.5  #: seconds before an engine that has gone away is asked again
RETRIES = 4
KILLED = 128  #: exit codes above it mean a signal
JOIN = 2.0  #: seconds for what a removed container has written to arrive


class Running:
    """A container of a slot. `on_end(cause)` is called from another thread when it ends by itself."""

    def __init__(self, engine: Engine, recipe: Recipe, name: str, on_end: Callable[[str], None]) -> None:
        self.name = name  #: for people: 'blue/0:13000'
        self.number = ""
        self.address = (LOOPBACK, 0)
        self.ended = threading.Event()
        self._engine = engine
        self._recipe = recipe
        self._on_end = on_end
        self._leaving = self._started = False
        self._threads: list[threading.Thread] = []

    def start(self, port: int, keywords: dict[str, Any], labels: dict[str, str]) -> None:
        """Make it and start it. `port`: where it listens. Raises ContainerError."""
        engine, recipe = self._engine, self._recipe
        host = recipe.network == "host"
        made = engine.ask(
            f"container for {self.name}",
            engine.api.create_container,
            recipe.image,
            command=list(recipe.command) or None,
            environment={"PORT": str(port), **dict(recipe.environment)},
            labels={**dict(recipe.labels), **labels},
            ports=None if host else [port],
            volumes=[volume.split(":")[1] for volume in recipe.volumes] or None,
            host_config=engine.ask(
                f"container for {self.name}",
                engine.api.create_host_config,
                network_mode=recipe.network,
                mem_limit=recipe.memory or None,
                binds=list(recipe.volumes) or None,
                port_bindings=None if host else {port: (LOOPBACK, None)},
                **keywords,
            ),
        )
        self.number = engine.ask(f"container for {self.name}", lambda: str(made["Id"]))
        engine.ask(f"{self.what} does not start", engine.api.start, self.number)
        self._started = True
        self._watch(self._wait, "wait")
        for stream in ("stdout", "stderr"):
            self._watch(partial(self._read, stream), stream)
        self.address = (LOOPBACK, port if host else self._published(port))

    @property
    def what(self) -> str:
        """'container 1f0c9a3b7d21 of shop:2 for blue/0:13000'."""
        return f"container {self.number[:12]} of {self._recipe.image} for {self.name}"

    def _published(self, port: int) -> int:
        facts = self._facts()
        try:
            return int(facts["NetworkSettings"]["Ports"][f"{port}/tcp"][0]["HostPort"])
        except (LookupError, TypeError, ValueError):
            state = facts.get("State") or {}
            if state.get("Running") is False:
                raise ContainerError(f"{self.what} {_end(state.get('ExitCode'), state)}") from None
            raise ContainerError(f"{self.what}: the engine does not say where its port {port} is") from None

    def _facts(self) -> dict[str, Any]:
        facts = self._engine.ask(self.what, self._engine.api.inspect_container, self.number)
        return facts if isinstance(facts, dict) else {}

    def _watch(self, what: Callable[[], None], name: str) -> None:
        thread = threading.Thread(target=what, name=f"eisenmp-container-{name}", daemon=True)
        self._threads.append(thread)
        thread.start()

    # in threads of its own

    def _wait(self) -> None:
        cause = self._until_end()
        self.ended.set()
        if not self._leaving:
            self._on_end(cause)

    def _until_end(self) -> str:
        engine, left = self._engine, RETRIES
        while True:
            try:
                answer = engine.ask(self.what, engine.api.wait, self.number)
                return f"{self.what} {_end(answer.get('StatusCode'), self._state())}"
            except Missing:
                return f"{self.what} was removed by somebody else"
            except Gone as error:
                # an engine may be started anew, and its containers live on
                left -= 1
                if self._leaving or not left:
                    return str(error)
                threading.Event().wait(RETRY)
            except (ContainerError, AttributeError) as error:
                return str(error)

    def _state(self) -> dict[str, Any]:
        try:
            return self._facts().get("State") or {}
        except ContainerError:
            return {}

    def _read(self, stream: str) -> None:
        """What it writes goes where this process writes to, line by line."""
        rest = b""
        wanted = {"stdout": stream == "stdout", "stderr": stream == "stderr"}
        try:
            for part in self._engine.ask(
                self.what, self._engine.api.logs, self.number, stream=True, follow=True, **wanted
            ):
                *lines, rest = (rest + part).split(b"\n")
                _write(getattr(sys, stream), lines)
        except Exception as error:  # the library reads a stream that breaks off in many ways
            if not self._leaving and not self.ended.is_set():
                print(f"{self.what}: its output cannot be read: {error}", file=sys.stderr)
        if rest:
            _write(getattr(sys, stream), [rest])

    # its end

    def signal(self) -> None:
        """Ask it to end, as its image says: SIGTERM by default."""
        self._leaving = True
        if not self._started or self.ended.is_set():
            return
        signal = (self._safely("Config") or {}).get("StopSignal") or "SIGTERM"
        self._tell(self._engine.api.kill, self.number, signal=signal)

    def _safely(self, part: str) -> Any:
        try:
            return self._facts().get(part)
        except ContainerError:
            return None

    def wait(self, deadline: float) -> bool:
        """Whether it has ended by then."""
        return not self._started or self.ended.wait(max(0.0, deadline - monotonic()))

    def remove(self) -> None:
        """Have it gone, at once."""
        self._leaving = True
        if self.number:
            self._tell(self._engine.api.remove_container, self.number, force=True, v=True)

    def join(self) -> None:
        """Wait for its last lines."""
        for thread in self._threads:
            thread.join(JOIN)

    def _tell(self, call: Callable[..., Any], *arguments: Any, **keywords: Any) -> None:
        try:
            self._engine.ask(self.what, call, *arguments, **keywords)
        except Missing:
            return  # somebody was faster
        except ContainerError as error:
            if not self.ended.is_set():
                print(error, file=sys.stderr)


def _end(code: object, state: dict[str, Any]) -> str:
    if state.get("OOMKilled"):
        return "ended: out of memory"
    if isinstance(code, int) and code > KILLED:
        import signal

        try:
            return f"ended with exit code {code} ({signal.Signals(code - KILLED).name})"
        except ValueError:
            pass
    return f"ended with exit code {code}"


def _write(stream: TextIO, lines: list[bytes]) -> None:
    for line in lines:
        print(line.decode("utf-8", "replace").rstrip("\r"), file=stream, flush=True)
