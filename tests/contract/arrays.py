"""Large buffers: they come whole, whoever keeps them, and nothing is mixed up."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from typing import Any

from .deaths import dying
from .engines import Contestant
from .suite import Shared, own, own_process, shared
from .workers import lump

SIZE = 70_000


def lumps(count: int, size: int = SIZE) -> Iterator[tuple[Any, ...]]:
    for number in range(count):
        yield ("checksum", lump(number, size))


def sums(count: int, size: int = SIZE) -> list[int]:
    return [zlib.crc32(lump(number, size).data) for number in range(count)]


@shared
def large_rows_come_whole(shared: Shared) -> None:
    assert shared.values(lumps(60)) == sums(60)


@shared
def large_results_come_whole_and_may_be_kept(shared: Shared) -> None:
    kept = [value[0] for _, value in shared.feed([("lump_of", n, SIZE) for n in range(60)]).in_order()]
    assert [zlib.crc32(one.data) for one in kept] == sums(60)
    # of most nobody keeps a view: their memory is used again
    kept = kept[::3]
    for _ in shared.feed([("lump_of", 100 + n, SIZE) for n in range(60)]):
        pass
    assert [zlib.crc32(one.data) for one in kept] == sums(60)[::3]


@shared
def a_large_row_comes_back_as_a_large_result(shared: Shared) -> None:
    results = shared.feed(lump(number, SIZE) for number in range(20)).in_order()
    assert [zlib.crc32(value[0].data) for _, value in results] == sums(20)


@own
def what_a_worker_keeps_stays_as_it_was(engine: Contestant) -> None:
    with engine.mp(rows_max=1, procs_max=1) as emp:
        list(emp.feed([("keep", lump(n, SIZE), n % 3 == 0) for n in range(40)]))
        # other rows take the place of those that were not kept
        list(emp.feed(lumps(40)))
        assert list(emp.feed([("kept",)]))[0].value == [sums(40)[::3]]


@own
def results_outlive_the_manager(engine: Contestant) -> None:
    with engine.mp(rows_max=1) as emp:
        kept = [r.value[0] for r in emp.feed([("lump_of", n, SIZE) for n in range(20)]).in_order()]
    assert [zlib.crc32(one.data) for one in kept] == sums(20)


@own
def without_shared_memory_all_is_the_same(engine: Contestant) -> None:
    with engine.mp(rows_max=1, shared_memory_max=0) as emp:
        assert [r.value[0] for r in emp.feed(lumps(10)).in_order()] == sums(10)
        kept = [r.value[0] for r in emp.feed([("lump_of", n, SIZE) for n in range(10)]).in_order()]
        assert [zlib.crc32(one.data) for one in kept] == sums(10)


@own_process
def large_rows_of_workers_that_die_go_to_others(engine: Contestant) -> None:
    with dying(engine, retries={"death": 3}) as (emp, count, deaths):
        rows = list(lumps(40))
        rows[5::10] = [("die_holding", f"{count}{n}", lump(n, SIZE)) for n in range(5, 40, 10)]
        assert [r.value[0] for r in emp.feed(rows).in_order()] == sums(40)
        assert len(deaths) == 4


@own
def large_rows_that_are_given_up_are_there_to_be_looked_at(engine: Contestant) -> None:
    with engine.mp(rows_max=1, on_error="skip") as emp:
        feed = emp.feed([*lumps(5), ("checksum", lump(5, SIZE), "and raise")])
        list(feed)
        ((name, row, _),) = feed.failed[0].rows
        assert zlib.crc32(row.data) == sums(6)[5]
