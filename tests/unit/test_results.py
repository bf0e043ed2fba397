"""Results of one feed: each once, as they come or in order, and what is missing."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eisenmp.core.results import Failure, Result, Results
from eisenmp.core.ticket import Ticket


def popped(results: Results) -> list[int]:
    found = []
    while results.ready:
        number, outputs = results.pop()
        assert outputs == f"of {number}"
        found.append(number)
    return found


def filled(*numbers: int, ordered: bool = False) -> Results:
    results = Results()
    if ordered:
        results.order()
    for number in numbers:
        assert results.add(number, f"of {number}")
    return results


def test_a_result_is_taken_apart_as_ticket_and_value() -> None:
    ticket, value = Result(Ticket("q", 3), "value")
    assert (ticket.number, value) == (3, "value")
    failure = Failure(Ticket("q", 3), [1], ValueError("x"), "raised", 1)
    assert failure.output_tail == ""


def test_results_come_as_they_finish() -> None:
    results = filled(2, 0, 1)
    assert popped(results) == [2, 0, 1]
    assert (results.finished, results.taken) == (3, 3)
    with pytest.raises(IndexError):
        results.pop()


def test_in_order_what_comes_early_is_held_back() -> None:
    results = filled(2, 1, ordered=True)
    assert not results.ready
    assert results.add(0, "of 0")
    assert popped(results) == [0, 1, 2]


def test_order_may_be_asked_for_while_results_wait() -> None:
    results = filled(2, 0)
    results.fail(1)
    results.order()
    results.order()
    assert popped(results) == [0, 2]


def test_order_may_not_be_asked_for_when_a_result_was_given_out() -> None:
    results = filled(1, 0)
    results.pop()
    with pytest.raises(RuntimeError, match="given out already"):
        results.order()


@pytest.mark.parametrize("ordered", [False, True])
def test_nothing_counts_twice(ordered: bool) -> None:
    results = filled(0, 2, ordered=ordered)
    assert not results.add(0, "again")
    assert not results.add(2, "again")
    assert not results.fail(0)
    assert results.fail(1)
    assert not results.add(1, "late")
    assert results.failed == [1]
    assert results.finished == 3
    assert popped(results) == [0, 2]
    assert results.taken == 3


def test_a_failure_does_not_hold_up_the_order() -> None:
    results = filled(2, ordered=True)
    results.fail(0)
    results.fail(1)
    assert popped(results) == [2]


def test_missing_are_those_that_were_cut_and_are_not_finished() -> None:
    results = filled(0, 1, 4)
    results.fail(2)
    assert results.missing(7) == [3, 5, 6]
    assert results.missing(3) == []
    assert results.missing(0) == []


@pytest.mark.parametrize("ordered", [False, True])
def test_with_an_open_window_results_are_dropped(ordered: bool) -> None:
    results = filled(0, 2, ordered=ordered)
    results.fail(4)
    results.open_window()
    assert not results.ready
    assert results.taken == 3
    assert results.add(3, "x")
    assert results.fail(1)
    assert not results.ready
    assert (results.taken, results.finished) == (5, 5)
    assert results.missing(5) == []


def test_with_an_open_window_nothing_piles_up() -> None:
    results = Results()
    results.order()
    results.open_window()
    for number in range(1, 100):
        assert results.add(number, "x") if number % 2 else results.fail(number)
    assert not results._early
    assert not results._ready
    results.add(0, "x")
    assert not results._gaps


def test_a_ticket_that_hangs_while_others_pass_it_costs_no_memory() -> None:
    results = Results()
    results.open_window()
    for number in range(1, 10_000):
        assert results.add(number, "x")
        assert not results.add(number, "x")
    assert (0 in results, 9_999 in results, 10_000 in results) == (False, True, False)
    assert results._gaps == {0}
    assert results.missing(10_002) == [0, 10_000, 10_001]
    assert results.missing(1) == [0]


@given(st.permutations(range(12)), st.sets(st.integers(0, 11)), st.booleans(), st.integers(0, 12))
def test_every_number_comes_once(order: list[int], failing: set[int], ordered: bool, at: int) -> None:
    results = Results()
    for place, number in enumerate(order):
        if ordered and place == at:
            results.order()
        taken = results.fail(number) if number in failing else results.add(number, f"of {number}")
        assert taken
        assert results.missing(12) == sorted(order[place + 1 :])
    if ordered:
        results.order()
    found = popped(results)
    expected = [number for number in order if number not in failing]
    assert found == (sorted(expected) if ordered else expected)
    assert results.taken == results.finished == 12


@given(st.lists(st.tuples(st.integers(0, 15), st.integers(1, 5)), max_size=12))
def test_runs_are_taken_whole_or_not_at_all(runs: list[tuple[int, int]]) -> None:
    results = Results()
    results.open_window()
    known: set[int] = set()
    for first, count in runs:
        run = set(range(first, first + count))
        taken = results.add_all(first, ["x"] * count)
        assert not taken or known.isdisjoint(run)
        known |= run if taken else set()
        assert results.missing(20) == sorted(set(range(20)) - known)
        assert all((number in results) == (number in known) for number in range(22))
    assert results.taken == results.finished == len(known)
