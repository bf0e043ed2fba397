"""An array in a file that each worker maps by itself."""

from __future__ import annotations

from ..core.record import NamedTuple
from ..errors import FeedError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from ..core.span import Span
    from .stocks import Teller


class MappedArray(NamedTuple):
    """Where the array is: file, bytes before it, and how to read it."""

    path: str
    offset: int
    dtype: Any
    shape: tuple[int, ...]
    size: int

    def open(self, teller: Teller | None = None) -> MappedReader:
        return MappedReader(self)


class MappedReader:
    """Slices of the array, read-only and without a copy."""

    def __init__(self, array: MappedArray) -> None:
        self._array = array
        self._open: Any = None

    def rows(self, span: Span, lazily: bool = False) -> Any:
        if self._open is None:
            self._open = self._map()
        return self._open[span.start : span.start + span.rows]

    def _map(self) -> Any:
        import os

        import numpy

        path, offset, dtype, shape, size = self._array
        if os.path.getsize(path) < size:
            raise FeedError(f"{path}: the file has become shorter than the array in it")
        return numpy.memmap(path, dtype, "r", offset, shape).view(numpy.ndarray)

    def settle(self) -> None:
        """Nothing is read ahead."""

    def let_go(self) -> None:
        """Nothing is kept."""

    def close(self) -> None:
        self._open = None
