"""Pickles one object after the other with large buffers out of band, as it did for the last one."""

from __future__ import annotations

from _pickle import dumps as plain_pickle

from .bundle import Unpacked, by_value, pack

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from .bundle import Place


class Packer:
    """Makes bundles of what `put` has copied; `undo` is told of places that were for nothing."""

    def __init__(
        self,
        put: Callable[[memoryview], Place | None],
        undo: Callable[[list[Place]], None],
        *,
        writable: bool = False,
    ) -> None:
        self._put = put
        self._undo = undo
        self._writable = writable
        self._pickle: Callable[..., bytes] | None = plain_pickle

    def pack(self, obj: Any, number: int) -> bytes | None:
        """The object with its buffers in the region `number`; None when it has to be pickled without."""
        while self._pickle is not None:
            try:
                return pack(obj, number, self._put, writable=self._writable, pickle=self._pickle)
            except Unpacked as failed:
                self._undo(failed.places)
                if not failed.by_value or self._pickle is not plain_pickle:
                    return None
                self._pickle = by_value()
        return None
