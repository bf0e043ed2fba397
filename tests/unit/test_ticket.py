"""Tickets and the header text of 1.0."""

from __future__ import annotations

import pickle
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eisenmp.core.queues import INPUT, full_name
from eisenmp.core.ticket import TICKET_ID_PREFIX, Heading, Ticket, header, parse_header


def test_the_header_is_that_of_the_old_version() -> None:
    assert Ticket(INPUT, 7).header == "mp_input_q (default);_TID_7;"
    assert Ticket(full_name("audio_lg", "batch_1"), 0, feed=3, part=2).header == "batch_1|audio_lg;_TID_0;"
    assert header("q", 12) == Ticket("q", 12).header


def test_a_ticket_is_a_frozen_record() -> None:
    ticket: Any = Ticket("q", 1)
    assert (ticket.feed, ticket.part) == (0, 0)
    assert Ticket("q", 1, 0, 0) == ticket
    assert len({ticket, Ticket("q", 1), Ticket("q", 1, 2)}) == 2
    assert pickle.loads(pickle.dumps(ticket)) == ticket
    assert type(pickle.loads(pickle.dumps(ticket))) is Ticket
    assert Ticket("q", 1) < Ticket("q", 2)
    with pytest.raises(AttributeError):
        ticket.number = 2


@pytest.mark.parametrize(
    ("text", "heading"),
    [
        ("mp_input_q (default);_TID_7;", Heading("mp_input_q (default)", "_TID_7", 7)),
        ("cfhh_mp_input_q (default);_TID_12;", Heading("cfhh_mp_input_q (default)", "_TID_12", 12)),
        ("a text of its own;_TID_0;", Heading("a text of its own", "_TID_0", 0)),
        (";_TID_3", Heading("", "_TID_3", 3)),
        ("q;something else;_TID_3;", Heading("q", "_TID_3", 3)),
        ("q;_TID_;_TID_4;", Heading("q", "_TID_4", 4)),
    ],
)
def test_a_header_is_taken_apart(text: str, heading: Heading) -> None:
    assert parse_header(text) == heading


@pytest.mark.parametrize(
    "text", ["", "OUTPUT_HEADER", "_TID_7", "q;_TID_;", "q;_TID_x;", "q;_TID_-1;", "q;TID_1;", "q; _TID_1;"]
)
def test_what_is_no_header_is_none(text: str) -> None:
    assert parse_header(text) is None


@given(st.text().filter(lambda name: ";" not in name), st.integers(0))
def test_what_was_written_is_read(name: str, number: int) -> None:
    assert parse_header(header(name, number)) == Heading(name, f"{TICKET_ID_PREFIX}{number}", number)
