"""`toolbox.tools`: big read-only objects that were broadcast, unpickled once per process when first read."""

from __future__ import annotations

from ..wire.pickles import loads

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from typing import Any


class Tools:
    """A read-only mapping of name to tool; a later broadcast of the same name replaces the tool."""

    def __init__(self, arrived: Iterable[bytes] = ()) -> None:
        self._arrived = list(arrived)
        self._seen = 0
        self._packed: dict[str, bytes] = {}
        self._open: dict[str, Any] = {}

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
        while self._seen < len(self._arrived):
            packed = loads(self._arrived[self._seen])
            self._arrived[self._seen] = b""
            self._seen += 1
            for name, body in packed.items():
                self._packed[name] = body
                self._open.pop(name, None)

    def __getitem__(self, name: str) -> Any:
        self._look()
        if name not in self._open:
            if name not in self._packed:
                raise KeyError(f"no tool {name!r} was broadcast; there are {sorted(self._packed) or 'none'}")
            self._open[name] = loads(self._packed[name])
            self._packed[name] = b""
        return self._open[name]

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
        return iter(self._packed)

    def __len__(self) -> int:
        self._look()
        return len(self._packed)
