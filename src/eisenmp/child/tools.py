"""`toolbox.tools`: big read-only objects that were broadcast, unpickled once per process when first read."""

from __future__ import annotations

from threading import RLock

from ..wire.pickles import loads

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from typing import Any


def read_only(inner: bytes, buffers: list[bytes]) -> Any:
    """The tool, with these as its large buffers."""
    return loads(inner, buffers=buffers)


def _names_region(body: bytes) -> bool:
    if body.find(b"eisenmp.wire.bundle", 0, 64) < 0:
        return False
    from ..wire.bundle import is_bundle

    return is_bundle(body)


class Tools:
    """A read-only mapping of name to tool; a later broadcast of the same name replaces the tool.

    Several threads may read it: one unpickles, the others wait for what it makes.
    """

    def __init__(self, arrived: Iterable[bytes] = ()) -> None:
        self._arrived = list(arrived)
        self._seen = 0
        self._packed: dict[str, bytes] = {}
        self._open: dict[str, Any] = {}
        self._lock = RLock()
        #: waits until what it is given is true; while a worker starts, its memory may still be on its way
        self.wait: Callable[[Callable[[], bool]], object] | None = None

    def arrived(self, body: bytes) -> None:
        """A broadcast has come: a pickled {name: pickled tool}; from any thread."""
        self._arrived.append(body)

    def unpickle(self) -> None:
        """Unpickle all now, so that processes that are forked from this one share the objects.

        What fails is left as it came: the worker that reads it raises the error, and knows its ticket.
        """
        for name in self:
            self._try(name)

    def _try(self, name: str) -> None:
        try:
            self[name]
        except (Exception, SystemExit):  # a user's __setstate__ may raise anything
            return

    def _look(self) -> None:
        if self._seen == len(self._arrived):
            return
        with self._lock:
            while self._seen < len(self._arrived):
                packed = loads(self._arrived[self._seen])
                self._arrived[self._seen] = b""
                for name, body in packed.items():
                    self._packed[name] = body
                    self._open.pop(name, None)
                self._seen += 1  # last: another thread may look without the lock

    def __getitem__(self, name: str) -> Any:
        self._look()
        try:
            return self._open[name]
        except KeyError:
            pass
        with self._lock:
            if name not in self._open:
                if name not in self._packed:
                    known = sorted(self._packed) or "none"
                    raise KeyError(f"no tool {name!r} was broadcast; there are {known}")
                try:
                    self._open[name] = self._opened(self._packed[name])
                except Exception as error:  # a user's __setstate__ may raise anything
                    error.add_note(f"This happened while the tool {name!r} was opened.")
                    raise
                self._packed[name] = b""
            return self._open[name]

    def _opened(self, body: bytes) -> Any:
        if self.wait is not None and _names_region(body):
            from ..wire.bundle import contents
            from ..wire.regions import mapped

            number = contents(body).number
            self.wait(lambda: number in mapped)
        return loads(body)

    def explain(self, error: BaseException) -> None:
        """Say which tools are read-only, where an error looks as if one was written to."""
        if isinstance(error, ValueError | TypeError | BufferError) and any(
            word in str(error).lower() for word in ("read-only", "readonly", "read only")
        ):
            names = ", ".join(map(repr, sorted(self._open)))
            if names:
                error.add_note(
                    f"The tools {names} are shared by all workers and read-only: change a copy instead."
                )

    def get(self, name: str, default: Any = None) -> Any:
        try:
            return self[name]
        except KeyError:
            return default

    def __contains__(self, name: object) -> bool:
        self._look()
        return name in self._packed

    def __iter__(self) -> Iterator[str]:
        self._look()
        return iter(list(self._packed))

    def __len__(self) -> int:
        self._look()
        return len(self._packed)
