"""What travels together on the wire: put together and taken apart again."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from eisenmp.core import messages as m
from eisenmp.core.messages import Message
from eisenmp.core.parcel import Parcel
from eisenmp.wire import batch

ENDS = st.builds(
    lambda lease, took, flags, body: Message(m.OUTPUT, 0, lease, 0, took, flags, body),
    st.integers(1, 6),
    st.sampled_from([0, 7, batch.MICROSECONDS_MAX]),
    st.sampled_from([m.FINAL, m.FINAL, m.FINAL, 0, m.FINAL | m.HEADED, m.FINAL | m.LEAVING]),
    st.sampled_from([b"", b"x", b"y" * (batch.SMALL + 1)]),
)
OTHERS = st.sampled_from([Message(m.WANT, 0, b=1), Message(m.LOG, a=1, body=b"line\n")])


def taken_apart(messages: list[Message]) -> list[Message]:
    return [
        part
        for message in messages
        for part in (batch.single(message) if message.kind == m.OUTPUTS else (message,))
    ]


@given(st.lists(st.one_of(ENDS, ENDS, ENDS, OTHERS), max_size=12))
def test_ends_of_cycles_come_out_as_they_went_in(messages: list[Message]) -> None:
    joined = batch.results(messages)
    assert [message._replace(c=0) for message in taken_apart(joined)] == [
        message._replace(c=0) for message in messages
    ]
    for message in joined:
        if message.kind == m.OUTPUTS:
            assert message.b == len(batch.ends(message)) > 1


def test_leases_that_follow_each_other_are_one_message() -> None:
    messages = [Message(m.OUTPUT, 0, lease, 0, 10, m.FINAL, b"%d" % lease) for lease in (4, 5, 6, 8)]
    together, alone = batch.results(messages)
    assert (together.a, together.b, together.c, batch.ends(together)) == (4, 3, 30, [b"4", b"5", b"6"])
    assert alone == messages[3]


def test_what_says_more_than_the_end_of_a_cycle_stands_alone() -> None:
    leaving = Message(m.OUTPUT, 0, 2, flags=m.FINAL | m.LEAVING)
    headed = Message(m.OUTPUT, 0, 3, flags=m.FINAL | m.HEADED)
    large = Message(m.OUTPUT, 0, 4, flags=m.FINAL, body=b"x" * (batch.SMALL + 1))
    messages = [Message(m.OUTPUT, 0, 1, flags=m.FINAL), leaving, headed, large]
    assert batch.results(messages) == messages


def test_chunks_of_consecutive_tickets_are_one_message() -> None:
    parcels = [Parcel(2, b"%d" % number, feed=3, number=number, flags=m.CAREFUL) for number in (7, 8, 9)]
    for lease, parcel in enumerate(parcels, 11):
        parcel.lease = lease
    message = batch.chunks(parcels)
    assert (message.queue, message.c, message.flags) == (2, 3, m.CAREFUL)
    assert list(batch.opened(message)) == [(11, 7, b"7"), (12, 8, b"8"), (13, 9, b"9")]
