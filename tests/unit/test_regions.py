"""Regions: memory that two processes map."""

import gc
import os
import pickle
from contextlib import contextmanager

import pytest

from eisenmp.wire.regions import Hold, Region, mapped, region_of


@contextmanager
def made(size=1 << 20):
    region = Region.make(size)
    try:
        yield region
    finally:
        region.close()


def test_a_block_is_opened_as_a_view_that_cannot_be_written_to():
    with made() as region:
        region.commit(4096)
        region.map[64:69] = b"hello"
        view = pickle.loads(pickle.dumps(region.block(64, 5)))
        assert bytes(view) == b"hello"
        assert view.readonly


def test_another_mapping_of_it_sees_what_is_written():
    with made() as region:
        other = Region(1, os.dup(region.descriptor), region.size)
        region.map[0:3] = b"abc"
        assert bytes(other.view(other.hold(0, 3))) == b"abc"
        other.close()


def test_taking_it_again_in_the_same_process_gives_the_same_map():
    with made() as region:
        assert Region.take(region.number, os.dup(region.descriptor), region.size) is region


def test_the_hold_ends_with_the_last_view():
    with made() as region:
        ended = []
        hold = Hold(region, 0, 100, ended.append)
        view = region.view(hold)
        part = view[10:20].cast("H")
        del hold, view
        assert not ended
        del part
        gc.collect()
        assert len(ended) == 1
        ended.clear()


def test_there_is_one_hold_on_a_block():
    with made() as region:
        hold = region.hold(64, 10)
        assert region.hold(64, 10) is hold


def test_its_memory_outlives_its_end_as_long_as_there_is_a_view():
    region = Region.make(4096)
    region.map[0:3] = b"abc"
    view = region.view(region.hold(0, 3))
    number = region.number
    region.close()
    del region
    gc.collect()
    assert bytes(view) == b"abc"
    del view
    gc.collect()
    assert number not in mapped


def test_memory_that_is_not_there_is_an_error_and_no_signal():
    with made() as region:
        region.commit(region.size)
        with pytest.raises(OSError):
            region.commit(region.size + 4096)


def test_it_never_shrinks():
    with made() as region:
        with pytest.raises(OSError):
            os.ftruncate(region.descriptor, 4096)


def test_what_is_not_mapped_here_is_named():
    with pytest.raises(LookupError, match="shared memory that this process does not have"):
        region_of(7)
