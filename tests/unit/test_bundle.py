"""Bundles: pickles whose large buffers lie in a region."""

from __future__ import annotations

import pickle
from _pickle import PickleBuffer
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest

from eisenmp.wire.arena import Arena
from eisenmp.wire.bundle import LARGE, Bundle, Unpacked, contents, inline, is_bundle, pack
from eisenmp.wire.pickler import Packer
from eisenmp.wire.regions import Hold, Region, nothing_to_do


class Lot:
    """Puts buffers into an arena, and keeps them."""

    def __init__(self, region: Region) -> None:
        self.region = region
        self.arena = Arena(region)
        self.holds: list[Hold] = []

    def put(self, raw: memoryview) -> tuple[int, int] | None:
        offset = self.arena.put(raw)
        if offset is None:
            return None
        hold = self.region.holds[offset] = Hold(self.region, offset, raw.nbytes, nothing_to_do)
        self.holds.append(hold)
        return offset, raw.nbytes

    def pack(self, obj: Any, **how: Any) -> bytes:
        return pack(obj, self.region.number, self.put, **how)


@contextmanager
def lot(size: int = 1 << 22) -> Iterator[Lot]:
    region = Region.make(size)
    try:
        yield Lot(region)
    finally:
        region.close()


class Sealed:
    """Pickles as arrays of other libraries do."""

    def __init__(self, data: Any) -> None:
        self.data = data

    def __reduce_ex__(self, protocol: int) -> tuple[Any, ...]:
        return Sealed, (PickleBuffer(self.data),)


def test_large_buffers_are_opened_in_place_and_cannot_be_written_to() -> None:
    rows = [np.arange(LARGE), np.arange(10), "text"]
    with lot() as lots:
        body = lots.pack(rows)
        assert isinstance(body, Bundle)
        assert is_bundle(body)
        assert len(body) < 1000
        opened = pickle.loads(body)
        assert all((mine == theirs).all() for mine, theirs in zip(rows[:2], opened[:2], strict=True))
        assert opened[2] == "text"
        lots.region.map[lots.holds[0].offset] = 7
        assert opened[0][0] == 7
        with pytest.raises(ValueError, match="read-only"):
            opened[0][0] = 1
        opened[1][0] = 1
        del opened


def test_of_a_result_the_views_can_be_written_to_as_far_as_the_original_could() -> None:
    with lot() as lots:
        first, second = np.zeros(LARGE), np.zeros(LARGE)
        second.flags.writeable = False
        opened = pickle.loads(lots.pack([first, second], writable=True))
        opened[0][0] = 1
        assert not opened[1].flags.writeable
        del opened


@pytest.mark.parametrize(
    "rows",
    [
        [np.arange(LARGE), "between", np.ones((300, 300), order="F")],
        {"a": Sealed(bytes(range(256)) * 1000), "b": Sealed(bytearray(LARGE)), "c": 3},
        [[np.arange(20_000)] * 3, list(range(30_000)), b"b" * 100_000, np.arange(LARGE)],
    ],
)
def test_inline_it_is_what_pickle_itself_makes_of_it(rows: Any) -> None:
    with lot() as lots:
        body = lots.pack(rows)
        assert isinstance(body, Bundle)
        plain = inline(body)
    # and it needs no region any more
    again, wanted = pickle.loads(plain), pickle.loads(pickle.dumps(rows, 5))
    assert pickle.dumps(again, 5) == pickle.dumps(wanted, 5)


def test_what_is_no_bundle_stays_as_it_is() -> None:
    body = pickle.dumps(list(range(10)), 5)
    assert inline(body) is body
    with pytest.raises(ValueError, match="no bundle"):
        contents(body)
    with pytest.raises(ValueError, match="no bundle"):
        contents(b"nonsense")


def test_small_buffers_and_those_with_gaps_are_no_reason_for_one() -> None:
    with lot() as lots:
        body = lots.pack([np.arange(100), np.arange(4 * LARGE)[::2]])
        assert type(body) is bytes
        assert not lots.holds


def test_what_has_no_room_stays_in_the_pickle() -> None:
    rows = [np.arange(LARGE), np.arange(LARGE), np.arange(LARGE)]
    with lot(2 * rows[0].nbytes) as lots:
        body = lots.pack(rows)
        assert len(lots.holds) == 2
        assert "used up" in lots.arena.shortage
        opened = pickle.loads(body)
        assert all((mine == theirs).all() for mine, theirs in zip(rows, opened, strict=True))
        del opened


def test_it_is_found_out_when_nothing_can_be_pickled_and_what_was_put_is_told() -> None:
    with lot() as lots:
        with pytest.raises(Unpacked) as caught:
            lots.pack([np.arange(LARGE), lambda: 1])
        assert len(caught.value.places) == 1
        undone: list[Any] = []
        assert Packer(lots.put, undone.extend).pack([np.arange(LARGE), lambda: 1], lots.region.number) is None
        assert len(undone) == 1


def test_what_is_defined_in_main_goes_by_value(monkeypatch: pytest.MonkeyPatch) -> None:
    import __main__

    made = type("Made", (), {"__module__": "__main__"})
    monkeypatch.setattr(__main__, "Made", made, raising=False)
    instance = made()
    instance.array = np.arange(LARGE)
    with lot() as lots:
        packer = Packer(lots.put, lambda places: None)
        bodies = [packer.pack(instance, lots.region.number) for _ in range(2)]
        monkeypatch.delattr(__main__, "Made")
        for body in bodies:
            assert body is not None
            assert is_bundle(body)
            opened = pickle.loads(body)
            assert (opened.array == instance.array).all()
            del opened
