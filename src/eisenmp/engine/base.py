"""What an engine is: placement, transport, object store and process life; no policy."""

from __future__ import annotations

from ..core.record import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import Any, Protocol

    from ..core.messages import Message


class Launch(NamedTuple):
    """How to start one worker: the pickled `child.spec.Spec`, and what is set before its interpreter runs."""

    spec: bytes
    name: str
    environment: Mapping[str, str]
    cores: tuple[int, ...] = ()
    descriptors: tuple[int, ...] = ()  #: more descriptors for the worker to inherit under the same numbers
    warm: bytes = b""  #: to be forked: pickled `child.spec.Warm`, which the spec lacks, as it lacks the tools
    tools: Sequence[bytes] = ()  #: with `warm`: all that was broadcast, in order
    entrance: int = -1  #: a descriptor of the cgroup that the worker joins, if there is one


class Exit(NamedTuple):
    """How a worker ended: exit code, negative for a signal, None when nobody can know."""

    code: int | None
    pid: int
    reason: str = ""  #: why the engine ended it, in words, if it did


class Arrived(NamedTuple):
    """Messages of a worker, in the order sent."""

    wid: int
    messages: list[Message]


class Log(NamedTuple):
    """Bytes that a worker wrote to its standard output or error past Python, such as C code does."""

    wid: int
    data: bytes


class Started(NamedTuple):
    """The pid of a worker is known, where `spawn` could not tell it."""

    wid: int
    pid: int


class Notice(NamedTuple):
    """Something that the program is to be warned of."""

    text: str


class Lost(NamedTuple):
    """The worker is gone; nothing comes from it after this."""

    wid: int
    exit: Exit


if TYPE_CHECKING:
    Event = Arrived | Log | Lost | Notice | Started

    class Engine(Protocol):
        """One per manager. A `wid` is never reused, so that a late message of a lost worker is fenced off."""

        def open(self) -> None: ...

        def nodes(self) -> Sequence[str]: ...

        def put(self, name: str, obj: Any) -> bytes:
            """Store a tool once; the returned bytes stand for it in every worker."""

        def drop(self, reference: bytes) -> None: ...

        def spawn(self, wid: int, launch: Launch, *, node: str | None = None) -> int:
            """Start a worker; returns its pid, or 0 when it is known later."""

        def send(self, wid: int, messages: Sequence[Message]) -> None:
            """Never blocks; first in, first out per worker."""

        def send_with(self, wid: int, message: Message, descriptor: int) -> None:
            """Like `send`, with a copy of the descriptor; of an engine whose `passes_descriptors` is true."""

        def poll(self, timeout: float | None) -> list[Event]:
            """What has happened; called by one thread at a time."""

        def wake(self) -> None:
            """Let a running `poll` return; from any thread."""

        def watch(self, descriptor: int, call: Callable[[], None]) -> None:
            """Have `poll` call it when the descriptor can be read, until the engine is closed."""

        def terminate(self, wid: int) -> None:
            """Ask the process to end (SIGTERM)."""

        def kill(self, wid: int) -> None:
            """End the process and its group; `Lost` follows."""

        def dump(self, wid: int) -> None:
            """Have the process write the stacks of its threads to its output, where it can (SIGQUIT)."""

        def close(self, grace: float) -> None:
            """Nothing of this engine is left afterwards: no process, thread or descriptor."""
