"""A pickle whose large buffers lie in a region that both sides map.

It is itself a pickle: unpickling it, anywhere where the region is mapped, opens the one inside with views on
the blocks. `inline` makes of it a pickle that can be opened everywhere, without unpickling anything.
"""

from __future__ import annotations

from _pickle import Unpickler, loads
from _pickle import dumps as _dumps
from io import BytesIO

from .pickles import MAIN, PROTOCOL
from .regions import region_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from _pickle import PickleBuffer
    from collections.abc import Callable
    from typing import Any

    from .regions import Hold

    Place = tuple[int, ...]  #: offset, size, and what the lender adds

LARGE = 1 << 16  #: bytes of a buffer that is worth it
_NAME = b"\x8c\x13eisenmp.wire.bundle"
_NAME_AT = 11  # behind the opcodes for the protocol and the frame
_FRAME, _BUFFER, _READ_ONLY, _BYTES, _BYTEARRAY = b"\x95\x97\x98\x8e\x96"


class Bundle(bytes):
    """The pickle, with what keeps its blocks as long as it is there."""

    places: list[Place]
    holds: list[Hold]


class Contents:
    """What a bundle says: in which region the buffers of the pickle `inner` lie, and where."""

    def __init__(self, number: int, inner: bytes, places: list[Place], writable: bool) -> None:
        self.number, self.inner, self.places, self.writable = number, inner, places, writable

    def __reduce__(self) -> tuple[Any, ...]:
        return opened, (self.number, self.inner, self.places, self.writable)


def opened(number: int, inner: bytes, places: list[Place], writable: bool) -> Any:
    """The objects, whose large buffers are those of the region."""
    region = region_of(number)
    views = [region.view(region.hold(place[0], place[1]), writable=writable) for place in places]
    return loads(inner, buffers=views)


def pack(
    obj: Any,
    number: int,
    put: Callable[[memoryview], Place | None],
    *,
    writable: bool = False,
    pickle: Callable[..., bytes] = _dumps,
) -> bytes:
    """The object as a Bundle, or as a plain pickle when no buffer was put.

    `put` copies a large buffer into the region `number`; None when there is no room. Raises Unpacked when
    that is not all, since pickling has failed, or something is defined in __main__: see `by_value`.
    """
    places: list[Place] = []

    def keep(buffer: PickleBuffer) -> bool:
        try:
            raw = buffer.raw()
        except BufferError:
            return True  # it has gaps
        place = put(raw) if raw.nbytes >= LARGE else None
        if place is None:
            return True
        places.append(place)
        return False

    try:
        inner = pickle(obj, PROTOCOL, buffer_callback=keep)
    except BaseException as error:  # a user's __reduce__ may raise anything
        raise Unpacked(places, "__main__" in str(error)) from error
    if MAIN in inner and pickle is _dumps:
        raise Unpacked(places, True)
    if not places:
        return inner
    bundle = Bundle(_dumps(Contents(number, inner, places, writable), PROTOCOL))
    bundle.places = places
    return bundle


class Unpacked(Exception):
    """It was not pickled. `places`: what was put already. `by_value`: it may be of use to try that."""

    def __init__(self, places: list[Place], by_value: bool) -> None:
        super().__init__("it was not pickled")
        self.places = places
        self.by_value = by_value


def by_value() -> Callable[..., bytes] | None:
    """What pickles functions and classes of __main__ with their code; None where it is not installed."""
    try:
        from cloudpickle import dumps as pickle
    except ImportError:
        return None
    return pickle  # type: ignore[no-any-return]


def is_bundle(body: bytes) -> bool:
    """Whether this pickle names blocks of a region."""
    return body.startswith(_NAME, _NAME_AT)


class _Reader(Unpickler):
    """Opens the outer pickle alone."""

    def find_class(self, module: str, name: str) -> object:
        return Contents


def contents(body: bytes) -> Contents:
    """What the bundle says; raises ValueError for bytes that are none."""
    try:
        found = _Reader(BytesIO(body)).load()
    except Exception as error:  # damaged bytes may raise anything
        raise ValueError("these bytes are no bundle") from error
    if not isinstance(found, Contents):
        raise ValueError("these bytes are no bundle")
    return found


def inline(body: bytes) -> bytes:
    """The same pickle with the buffers in it, as pickle itself would have put them there."""
    if not is_bundle(body):
        return body
    from pickletools import genops

    bundle = contents(body)
    region, inner, places = region_of(bundle.number), bundle.inner, iter(bundle.places)
    parts: list[bytes] = []
    done = 0
    buffer: bytes | None = None

    def put(kind: int) -> None:
        nonlocal buffer
        if buffer is not None:
            parts.extend((bytes((kind,)), len(buffer).to_bytes(8, "little"), buffer))
            buffer = None

    for opcode, _, position in genops(inner):
        assert position is not None
        code = ord(opcode.code)
        if buffer is not None:
            put(_BYTES if code == _READ_ONLY else _BYTEARRAY)
            if code == _READ_ONLY:
                done = position + 1
                continue
        if code == _BUFFER:
            parts.append(inner[done:position])
            offset, size = next(places)[:2]
            buffer = region.map[offset : offset + size]
            done = position + 1
        elif code == _FRAME:
            # its length would be another one; and it need not be there
            parts.append(inner[done:position])
            done = position + 9
    parts.append(inner[done:])
    return b"".join(parts)
