"""What workers can read by themselves: the manager hands out which rows, and not the rows."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod

from ..child.mapped import MappedArray
from ..core.span import Span

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any, Protocol

    from ..child.stocks import Stock

    class SpanCutter(Protocol):
        """Cuts spans; as `core.chunk.Cutter` cuts rows."""

        partial: list[Any]
        sliced: bool

        def cut(self, size: int) -> Any: ...

        def skip(self, size: int) -> int: ...

        def close(self) -> None: ...


class Supply(ABC):
    """A source that workers read. The program can iterate over it too: that gives the same rows."""

    endless = False  #: how many rows there are is found out by the workers

    @abstractmethod
    def __iter__(self) -> Iterator[Any]:
        """All rows, read here."""

    @abstractmethod
    def stock(self, size: int) -> Stock:
        """What workers are told, for chunks of `size` rows. From then on the source must not change."""

    @abstractmethod
    def cutter(self, stock: Any) -> SpanCutter:
        """Cuts the spans of the chunks, one after the other."""


def supply_of(rows: Any) -> Supply | None:
    """The supply that the rows are, or can be had from: an array in a file that is mapped."""
    if isinstance(rows, Supply):
        return rows
    if type(rows).__name__ == "memmap" and type(rows).__module__.partition(".")[0] == "numpy":
        return mapped(rows)
    return None


class SliceCutter:
    """Cuts spans of a source whose length is known."""

    sliced = True

    def __init__(self, total: int, head: Any = None) -> None:
        self.partial: list[Any] = []
        self._total = total
        self._head = head
        self._position = 0

    def cut(self, size: int) -> Span | None:
        """The next span of at most `size` rows; None at the end."""
        rows = min(size, self._total - self._position)
        if rows <= 0:
            return None
        span = Span(self._position, rows, head=self._head)
        self._position += rows
        return span

    def skip(self, size: int) -> int:
        """Leave out the next `size` rows; returns how many there were."""
        span = self.cut(size)
        return 0 if span is None else len(span)

    def close(self) -> None:
        """Nothing is open."""


class MappedSupply(Supply):
    """A `numpy.memmap`: workers map the file."""

    def __init__(self, array: Any) -> None:
        self._array = array

    def __iter__(self) -> Iterator[Any]:
        return iter(self._array)

    def stock(self, size: int) -> MappedArray:
        array = self._array
        path = os.path.abspath(os.fspath(array.filename))
        return MappedArray(path, array.offset, array.dtype, array.shape, array.offset + array.nbytes)

    def cutter(self, stock: MappedArray) -> SliceCutter:
        return SliceCutter(len(self._array), self._array[:16])


def mapped(array: Any) -> MappedSupply | None:
    """The supply of a memory-mapped array; None where the file does not have it as it is here."""
    import mmap

    # a view has the offset of the array that it is a part of; "c" keeps changes to this process
    whole = isinstance(array.base, mmap.mmap) and array.flags.c_contiguous and array.ndim
    if not whole or array.mode == "c" or array.dtype.hasobject or not array.filename:
        return None
    try:
        there = os.path.getsize(array.filename)
    except OSError:
        return None
    return MappedSupply(array) if there >= array.offset + array.nbytes else None
