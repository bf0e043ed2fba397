"""Pieces of a ticket as bytes and back; what differs between two jobs, in words."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eisenmp.core.job import Imprint, Job, Origin, job_differences, source_differences
from eisenmp.core.messages import OUTPUT, Message
from eisenmp.core.outcome import Kept, Piece, pack, unpack

small = st.integers(0, 2**32 - 1)
large = st.integers(0, 2**64 - 1)
PIECES = st.lists(
    st.builds(
        Piece, small, large, large, st.lists(st.builds(Kept, small, st.binary()), max_size=3).map(tuple)
    ),
    max_size=4,
)


@given(PIECES)
def test_pieces_come_back(pieces: list[Piece]) -> None:
    assert unpack(pack(pieces)) == tuple(pieces)


def test_messages_are_outputs() -> None:
    message = Message(OUTPUT, flags=12, body=b"value")
    assert unpack(pack([Piece(0, 0, 5, (message,))])) == (Piece(0, 0, 5, (Kept(12, b"value"),)),)


@given(PIECES, st.binary(min_size=1, max_size=3))
def test_other_bytes_are_refused(pieces: list[Piece], more: bytes) -> None:
    body = pack(pieces)
    for wrong in (body + more, body[:-1], b""):
        with pytest.raises(ValueError, match="^not the pieces of a ticket"):
            unpack(wrong)


JOB = Job((Imprint("find.py:find", ("aa", "bb")), Imprint("mate.py:mate", ("cc",))), "", {"factor": "11"})
ORIGIN = Origin("mp_input_q (default)", 1000, False, 5)


def test_the_same_job() -> None:
    assert job_differences(JOB, JOB) == []
    mended = Imprint("find.py:find", ("bb",))
    assert job_differences(JOB, JOB._replace(workers=(mended, JOB.workers[1]))) == []
    assert source_differences(ORIGIN, ORIGIN) == []


@pytest.mark.parametrize(
    ("now", "text"),
    [
        (
            JOB._replace(workers=(Imprint("find.py:find", ("dd",)), JOB.workers[1])),
            "the source of find.py:find has changed (SHA-256 bb… then, dd… now)",
        ),
        (
            JOB._replace(workers=JOB.workers[:1]),
            "the worker modules were find.py:find, mate.py:mate and are find.py:find",
        ),
        (JOB._replace(contract="row"), "the job was none of imap and is one of imap"),
        (JOB._replace(variables={}), "the variable factor is missing"),
        (JOB._replace(variables={"factor": "12"}), "the variable factor has changed"),
        (JOB._replace(variables={"factor": "11", "more": "1"}), "the variable more is new"),
    ],
)
def test_another_job(now: Job, text: str) -> None:
    assert job_differences(JOB, now) == [text]


@pytest.mark.parametrize(
    ("now", "text"),
    [
        (ORIGIN._replace(queue="other"), "its queue was 'mp_input_q (default)' and is 'other'"),
        (ORIGIN._replace(rows_max="auto"), "rows_max was 1000 and is 'auto'"),
        (ORIGIN._replace(listed=True), "it was started by feed()"),
        (ORIGIN._replace(rows=1), "the source had 5 rows and has 1 row"),
        (ORIGIN._replace(rows=None), "the source had 5 rows and has an unknown number of rows"),
    ],
)
def test_another_source(now: Origin, text: str) -> None:
    assert source_differences(ORIGIN, now) == [text]
