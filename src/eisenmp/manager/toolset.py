"""What a manager has given to its workers as tools, and the memory in which large parts of it lie.

A tool is pickled once, however many workers there are. Buffers of 64 KiB and more (arrays, bytes, columns of
arrow tables) are copied into a region of its own, which every worker maps, also one that starts later.
"""

from __future__ import annotations

from _pickle import PickleBuffer  # the module pickle takes ten milliseconds to import
from functools import partial
from operator import is_
from zlib import crc32

from ..child.tools import read_only
from ..core.blocks import ALIGNMENT
from ..errors import EisenmpError, SettingsError
from ..wire.bundle import LARGE, Contents, Unpacked, by_value, contents, inline, pack
from ..wire.pickles import Unpicklable, dumps
from ..wire.regions import Region, write_at

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from .dispatcher import Dispatcher
    from .lender import Lender

TABLES = b"eisenmp.tables.table"  #: how the pickle of a table says what will open it


class Copied:
    """A tool for workers that share no memory: its buffers are copies, and as read-only as shared ones."""

    def __init__(self, inner: bytes, buffers: list[memoryview]) -> None:
        self._parts = inner, [bytes(buffer) for buffer in buffers]

    def __reduce__(self) -> tuple[Any, ...]:
        return read_only, self._parts


class View:
    """Bytes that arrive as a read-only memoryview, since bytes themselves cannot lie in shared memory."""

    def __init__(self, data: bytes | bytearray | memoryview) -> None:
        self._data = data

    def __reduce__(self) -> tuple[Any, ...]:
        return memoryview, (PickleBuffer(memoryview(self._data).toreadonly()),)


class ToolBody(bytes):
    """The pickle of a tool, with what has to be there as long as somebody may open it."""

    region: Region | None = None
    tool: Any = None
    on_end: Callable[[], None] | None = None

    def __del__(self) -> None:
        if self.on_end is not None:
            self.on_end()


class Toolset:
    """The tools of one manager."""

    def __init__(self) -> None:
        self._bodies: dict[str, ToolBody] = {}  # that were broadcast, by name
        self._replaced: list[ToolBody] = []
        self._last: tuple[Any, Any, ToolBody] | None = None  # the object that was put last, and how it was

    def add(self, tools: dict[str, Any], dispatcher: Dispatcher) -> dict[str, bytes]:
        """The tools as they are sent; SettingsError names one that cannot be pickled."""
        bodies = {name: self._packed(name, tool, dispatcher) for name, tool in tools.items()}
        self._replaced += [self._bodies.pop(name) for name in bodies if name in self._bodies]
        self._bodies.update(bodies)
        return {name: bytes(body) for name, body in bodies.items()}

    def settle(self) -> None:
        """The tools that were added are sent: what they have replaced goes behind them."""
        self._replaced.clear()

    def put(self, tool: Any, dispatcher: Dispatcher) -> bytes:
        """The pickle of an object for `mp_tools_q`; the last one, if it is the same and has not changed."""
        state = _state(tool)
        if self._last is not None:
            before, known, body = self._last
            if (
                before is tool
                and _same(known, state)
                and (body.region is None or body.region.descriptor >= 0)
            ):
                return body
        shared = self._shared(_apart(tool), "the object", dispatcher)
        body = ToolBody(dumps(tool, "the object")) if shared is None else shared
        if body.find(TABLES) >= 0:
            body.tool = tool
        self._last = (tool, state, body)
        return body

    @staticmethod
    def carry(body: bytes) -> bytes:
        """What was put and not taken before the manager ended, for its next run, which has other regions."""
        return inline(body)

    def share(self, dispatcher: Dispatcher) -> None:
        """A manager that has ended starts again: tools that were broadcast since then go to its workers."""
        for body in self._bodies.values():
            if body.region is not None and dispatcher.lender is not None:
                dispatcher.lender.share(body.region)

    def clear(self) -> None:
        """The manager has ended: its tools have too."""
        self._last = None
        for body in self._bodies.values():
            body.on_end = None
        self._bodies.clear()

    def _packed(self, name: str, tool: Any, dispatcher: Dispatcher) -> ToolBody:
        if isinstance(tool, bytes | bytearray | memoryview) and memoryview(tool).nbytes >= LARGE:
            tool = View(tool)
        found = _apart(tool)
        body = self._shared(found, f"tool {name!r}", dispatcher)
        if body is None:
            try:
                body = ToolBody(dispatcher.engine.put(name, tool if found is None else Copied(*found)))
            except Unpicklable as error:
                raise SettingsError(str(error)) from error
        if body.find(TABLES) >= 0:
            body.tool = tool
        return body

    def _shared(
        self, found: tuple[bytes, list[memoryview]] | None, what: str, dispatcher: Dispatcher
    ) -> ToolBody | None:
        """The tool with its large buffers in a region; None when there are none, or there is no region."""
        lender = dispatcher.lender
        if found is None or lender is None or not lender.lends_tools:
            return None
        inner, buffers = found
        region, places = _stored(buffers, what, lender)
        body = ToolBody(dumps(Contents(region.number, inner, places, False)))
        body.region = region
        lender.share(region)
        # the body may end in any thread, at any moment
        body.on_end = partial(dispatcher.post, partial(lender.drop, region))
        return body


def _apart(tool: Any) -> tuple[bytes, list[memoryview]] | None:
    """Its pickle without the large buffers, and those; None when there are none, or it cannot be had so."""
    buffers: list[memoryview] = []

    def keep(raw: memoryview) -> tuple[int, ...]:
        buffers.append(raw)
        return (0, raw.nbytes)

    try:
        body = pack(tool, 0, keep)
    except Unpacked as failed:
        pickle = by_value() if failed.by_value else None
        if pickle is None:
            return None
        buffers.clear()
        try:
            body = pack(tool, 0, keep, pickle=pickle)
        except Unpacked:
            return None  # the error is found once more, with the part that is its reason
    return (contents(body).inner, buffers) if buffers else None


def _stored(buffers: list[memoryview], what: str, lender: Lender) -> tuple[Region, list[tuple[int, ...]]]:
    """A region with the buffers in it, and where they are."""
    places: list[tuple[int, ...]] = []
    end = 0
    for buffer in buffers:
        places.append((end, buffer.nbytes))
        end += -(-buffer.nbytes // ALIGNMENT) * ALIGNMENT
    region: Region | None = None
    try:
        region = lender.make(end)
        for buffer, (offset, _) in zip(buffers, places, strict=True):
            # written, not mapped: what is copied through a map stays in the memory of this process
            write_at(region.descriptor, buffer, offset)
    except (OSError, ValueError, OverflowError) as error:
        if region is not None:
            region.close()
        reason = getattr(error, "strerror", None) or error
        raise EisenmpError(f"{what} has {end} bytes to be shared, and memory is short: {reason}") from error
    region.committed = region.size
    return region, places


# whether an object is still what it was


def _state(tool: Any) -> Any:
    """What tells a change of an object between two puts: its parts, or what its bytes add up to."""
    if isinstance(tool, dict):
        return [*tool.keys(), *tool.values()]
    if isinstance(tool, list | set | frozenset | tuple):
        return list(tool)
    try:
        return crc32(memoryview(tool).cast("B"))
    except (TypeError, ValueError, BufferError):
        pass
    attributes = getattr(tool, "__dict__", None)
    return _state(attributes) if type(attributes) is dict else None


def _same(one: Any, other: Any) -> bool:
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(is_, one, other))
    return type(one) is type(other) and bool(one == other)
