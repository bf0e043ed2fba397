"""Sources that the workers read by themselves: the same tickets and rows as of any feed."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy
import pytest
from pyarrow import table
from pyarrow.parquet import write_table

import eisenmp
from eisenmp.errors import FeedError
from eisenmp.testing import eventually

from .engines import HERE, Contestant
from .feeding import LONG
from .suite import GATE, TOLD, Shared, own, shared

SOURCES = HERE / "sources.py"


@contextmanager
def found_here() -> Iterator[None]:
    """This process runs a generator: where its file is found, it is found for good."""
    sys.path.append(str(HERE))
    try:
        yield
    finally:
        sys.path.remove(str(HERE))


@shared
def workers_run_copies_of_a_generator(shared: Shared) -> None:
    for count in (1003, 1000, 3, 0):
        feed = shared.feed(eisenmp.replicate(f"{SOURCES}:numbers", count, step=2), rows_max=10)
        results = list(feed.in_order())
        tickets = -(-count // 10)
        assert [result.ticket.number for result in results] == list(range(tickets))
        assert [row for result in results for row in result.value] == list(range(0, 2 * count, 2))
        assert (feed.expected, feed.missing, feed.failed, feed.done) == (tickets, [], [], tickets)
        assert (feed.rows_cut, feed.rows_done) == (count, count)


@shared
def what_a_function_returns_may_be_sliced(shared: Shared) -> None:
    source = eisenmp.replicate(f"{SOURCES}:evens", 1003)
    assert shared.values(source, rows_max=10) == list(range(0, 2006, 2))
    with found_here():
        assert list(source) == list(range(0, 2006, 2))


@shared
def chunks_of_copies_may_change_their_size(shared: Shared) -> None:
    assert shared.values(eisenmp.replicate(f"{SOURCES}:numbers", 5000), rows_max="auto") == list(range(5000))


@shared
def a_copy_that_raises_ends_the_feed_where_it_raises(shared: Shared) -> None:
    feed = shared.feed(eisenmp.replicate(f"{SOURCES}:broken", 57), rows_max=10)
    rows = []
    with pytest.raises(FeedError, match="the generator raised KeyError: 'broken' at row 57, in ticket 5 of"):
        for result in feed.in_order():
            rows += result.value
    assert rows == list(range(50))
    with found_here():
        assert [list(failure.rows) for failure in feed.failed] == [list(range(50, 57))]


@shared
def what_cannot_be_called_ends_the_feed(shared: Shared) -> None:
    feed = shared.feed(eisenmp.replicate(f"{SOURCES}:missing"))
    with pytest.raises(FeedError, match="there is no 'missing' in it"):
        list(feed)


@shared
def copies_that_do_not_agree_are_found_out(shared: Shared) -> None:
    feed = shared.feed(eisenmp.replicate(f"{SOURCES}:differing", GATE, TOLD), rows_max=1)
    for _ in range(2):
        shared.told.get(timeout=LONG)
    for _ in range(2):
        shared.gate.put(None)
    said = rf"feed {feed.number}: the copies of replicate\('sources.py:differing'"
    with pytest.raises(FeedError, match=said):
        feed.wait(LONG)
    eventually(lambda: shared.gate.qsize() == 0, LONG)
    assert feed.is_over


@shared
def lines_and_columns_are_read_by_the_workers(shared: Shared) -> None:
    with TemporaryDirectory() as folder:
        path = Path(folder, "table.csv")
        words = [f"word {number}" if number % 3 else f'two\r\nlines, "{number}"' for number in range(503)]
        text = "".join(
            f'{number},"{word}"\n' for number, word in enumerate(w.replace('"', '""') for w in words)
        )
        path.write_text(f"id,word\n{text}", newline="")
        assert shared.values(eisenmp.csv_column(path, "word"), rows_max=10) == words
        with path.open() as file:
            lines = file.read().split("\n")[:-1]
        feed = shared.feed(eisenmp.lines(path), rows_max=100)
        assert [row for result in feed.in_order() for row in result.value] == lines
        assert feed.expected == -(-len(lines) // 100)


@shared
def row_groups_are_read_by_the_workers(shared: Shared) -> None:
    with TemporaryDirectory() as folder:
        path = Path(folder, "table.parquet")
        words = [None if number % 7 == 0 else f"word {number}" for number in range(503)]
        write_table(table({"id": range(503), "word": words}), path, row_group_size=64)
        assert shared.values(eisenmp.parquet_column(path, "word"), rows_max=10) == words
        feed = shared.feed(eisenmp.parquet(path), rows_max=100)
        rows = [row for result in feed.in_order() for row in result.value]
        assert rows == [{"id": number, "word": word} for number, word in enumerate(words)]
        assert feed.expected == 6


@shared
def a_bad_row_of_a_file_ends_the_feed_there(shared: Shared) -> None:
    with TemporaryDirectory() as folder:
        path = Path(folder, "table.csv")
        path.write_bytes(b"x,y\n1,2\n3\n4,5\n")
        feed = shared.feed(eisenmp.csv_column(path, "y"), rows_max=1)
        results = []
        with pytest.raises(FeedError, match=r"table.csv:3: 1 fields; column 'y' is number 2$"):
            results.extend(feed.in_order())
        assert feed.failed == []


@own
def a_worker_that_pulls_by_itself_gets_no_empty_chunks(engine: Contestant) -> None:
    with engine.mp("by_itself", rows_max=10) as emp:
        results = list(emp.feed(eisenmp.replicate(f"{SOURCES}:numbers", 40)).in_order())
        assert [value for _, value in results] == [[10, 45], [10, 145], [10, 245], [10, 345]]


@own
def arrays_in_files_are_mapped_by_the_workers(engine: Contestant) -> None:
    with TemporaryDirectory() as folder, engine.mp("by_itself", rows_max=10) as emp:
        array = numpy.memmap(os.path.join(folder, "array"), "i4", "w+", shape=(37,))
        array[:] = range(37)
        values = [value for _, value in emp.feed(array).in_order()]
        assert [[count, int(total)] for count, total in values] == [[10, 45], [10, 145], [10, 245], [7, 231]]
