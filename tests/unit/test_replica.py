"""A copy of a generator: where it is, what it passes over, what it tells."""

from __future__ import annotations

import pickle
from typing import Any

import pytest

from eisenmp.child.loader import Source
from eisenmp.child.mark import mark_of
from eisenmp.child.replica import Copy, Replica
from eisenmp.child.stocks import Teller
from eisenmp.core.span import Span

from . import sources


class Recorder(Teller):
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.marks: list[int] = []
        self.ends: list[int] = []
        self.failures: list[tuple[int, str, bool]] = []
        self.cancelled: set[int] = set()

    def mark(self, number: int, mark: int) -> None:
        self.marks.append(number)

    def ended(self, rows: int) -> None:
        self.ends.append(rows)

    def unwanted(self, lease: int) -> bool:
        return lease in self.cancelled

    def failed(self, row: int, error: BaseException, *, exact: bool = True) -> None:
        self.failures.append((row, str(error), exact))


def copy_of(name: str, *args: Any, stride: int = 10, **keywords: Any) -> tuple[Copy, Recorder]:
    sources.calls.clear()
    sources.closed.clear()
    teller = Recorder()
    source = Source("module", name, sources.__file__, sources.__name__)
    return Replica(source, pickle.dumps((args, keywords)), stride).open(teller), teller


def test_rows_are_taken_and_passed_over() -> None:
    copy, teller = copy_of("numbers", 1000)
    assert list(copy.rows(Span(20, 10), True)) == list(range(20, 30))
    assert list(copy.rows(Span(500, 10), True)) == list(range(500, 510))
    assert copy.rows(Span(510, 10), False) == list(range(510, 520))
    assert sources.calls == [1000]
    assert teller.marks == list(range(52))
    assert (teller.ends, teller.failures) == ([], [])


def test_what_lies_behind_takes_a_new_run() -> None:
    copy, teller = copy_of("numbers", 1000)
    assert copy.rows(Span(100, 10), False) == list(range(100, 110))
    assert copy.rows(Span(30, 10), False) == list(range(30, 40))
    assert (sources.calls, sources.closed) == ([1000, 1000], [1000])
    assert teller.marks == [*range(11), *range(4)]


def leased(start: int, rows: int, lease: int) -> Span:
    span = Span(start, rows)
    span.lease = lease
    return span


def test_a_copy_does_not_look_for_rows_that_nobody_wants() -> None:
    copy, teller = copy_of("numbers", 1000)
    assert copy.rows(leased(100, 10, 1), False) == list(range(100, 110))
    teller.cancelled.add(2)
    assert copy.rows(leased(500, 10, 2), False) is None
    assert (teller.ends, teller.failures, copy.end) == ([], [], None)


def test_what_was_cancelled_before_it_takes_nothing_from_a_ticket() -> None:
    copy, teller = copy_of("numbers", 1000)
    first = copy.rows(leased(100, 10, 1), True)
    teller.cancelled.add(1)
    second = copy.rows(leased(30, 10, 2), True)
    assert list(second) == list(second) == list(range(30, 40))
    assert len(first) == 10


@pytest.mark.parametrize(("count", "rows"), [(25, [20, 21, 22, 23, 24]), (30, list(range(20, 30)))])
def test_the_end(count: int, rows: list[int]) -> None:
    copy, teller = copy_of("numbers", count)
    assert list(copy.rows(Span(20, 10), True)) == rows
    assert copy.rows(Span(30, 10), True) is None
    assert teller.ends[0] == count
    # what lies before the end can still be asked for
    assert copy.rows(Span(0, 10), False) == list(range(10))


def test_the_end_while_rows_are_passed_over_is_known_to_a_stride() -> None:
    copy, teller = copy_of("numbers", 34)
    assert copy.rows(Span(70, 10), True) is None
    assert teller.ends == [40]


def test_an_end_at_a_stride_is_exact() -> None:
    copy, teller = copy_of("numbers", 40)
    assert copy.rows(Span(70, 10), True) is None
    assert teller.ends == [40]


def test_rows_are_made_as_they_are_read() -> None:
    copy, _ = copy_of("numbers", 1_000_000)
    rows = copy.rows(Span(0, 1_000_000), True)
    iterator = iter(rows)
    assert [next(iterator) for _ in range(3)] == [0, 1, 2]
    assert copy._position < 10


def test_rows_are_a_sequence() -> None:
    copy, _ = copy_of("numbers", 1000)
    rows = copy.rows(Span(10, 5), True)
    assert (len(rows), rows[0], rows[-1], rows[1:3], 12 in rows) == (5, 10, 14, [11, 12], True)
    assert rows == [10, 11, 12, 13, 14] and list(rows) == list(rows) and list(reversed(rows))[0] == 14
    assert pickle.loads(pickle.dumps(rows)) == [10, 11, 12, 13, 14]
    assert sources.calls == [1000]


def test_the_length_is_asked_for_in_between() -> None:
    copy, _ = copy_of("numbers", 17)
    rows = copy.rows(Span(10, 10), True)
    iterator = iter(rows)
    assert [next(iterator), next(iterator)] == [10, 11]
    assert len(rows) == 7
    assert list(iterator) == [12, 13, 14, 15, 16]
    assert len(rows) == 7


def test_rows_can_be_read_twice() -> None:
    copy, _ = copy_of("numbers", 1000)
    rows = copy.rows(Span(10, 5), True)
    assert [list(iter(rows)), list(iter(rows))] == 2 * [[10, 11, 12, 13, 14]]


def test_what_was_not_read_when_the_next_rows_come_stays() -> None:
    copy, _ = copy_of("numbers", 1000)
    first, second = copy.rows(Span(0, 5), True), copy.rows(Span(5, 5), True)
    assert list(second) == [5, 6, 7, 8, 9]
    assert list(first) == [0, 1, 2, 3, 4]
    assert sources.calls == [1000]


def test_what_is_left_unread_is_passed_over_and_the_end_found() -> None:
    copy, teller = copy_of("numbers", 1003)
    rows = copy.rows(Span(1000, 10), True)
    assert next(iter(rows)) == 1000
    copy.settle()
    assert teller.ends == [1003]
    assert len(rows) == 3


@pytest.mark.parametrize("lazily", [True, False])
def test_it_raises(lazily: bool) -> None:
    copy, teller = copy_of("numbers", 100, fails_at=15)
    with pytest.raises(KeyError):
        list(copy.rows(Span(10, 10), lazily))
    assert teller.failures == [(15, "'no more'", True)]


def test_it_raises_while_rows_are_passed_over() -> None:
    copy, teller = copy_of("numbers", 100, fails_at=15)
    assert copy.rows(Span(40, 10), True) is None
    assert teller.failures == [(15, "'no more'", True)]
    assert sources.calls == [100, 100]


def test_what_can_be_sliced_is_sliced() -> None:
    copy, teller = copy_of("evens", 1005)
    assert copy.rows(Span(1000, 10), True) == range(2000, 2010, 2)
    assert copy.rows(Span(1030, 10), True) is None
    # the mark of the ticket before too: else no two copies would ever be compared
    assert (teller.marks, teller.ends) == ([99, 100], [1005])
    assert copy.show(Span(0, 3)) == [0, 2, 4]


def test_closing_closes_the_generator() -> None:
    copy, _ = copy_of("numbers", 1000)
    rows = copy.rows(Span(0, 100), True)
    copy.close()
    assert sources.closed == [1000]
    with pytest.raises(Exception, match="while its feed runs"):
        list(rows)


ROWS = [0, 1.5, "a", b"a", None, True, (), ("a", 1), [1, 2.5], {1, 2}, {"a": {"b"}}, 2 + 3j, range(3)]


def test_marks() -> None:
    assert len({mark_of(row) for row in ROWS}) == len(ROWS)
    assert all(0 < mark_of(row) < 1 << 32 for row in ROWS)
    # of equal sets of another history, which show their items in another order
    assert mark_of({8, 0}) == mark_of({0, 8}) and repr({8, 0}) != repr({0, 8})
    assert mark_of(("ab", "a" + "b")) == mark_of(("".join(["a", "b"]), "ab"))
    assert mark_of("\ud800") != mark_of("\ud801")
