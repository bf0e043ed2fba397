"""Names of queues: plain, in categories, unique; and how a pickled queue finds itself."""

from __future__ import annotations

from typing import Any

import pytest

from eisenmp.core import queues
from eisenmp.core.queues import INPUT, STANDARD, QueueNames, full_name
from eisenmp.errors import EisenmpError, QueueExists, QueueUnknown


def test_the_standard_queues_are_there() -> None:
    names = QueueNames()
    assert [name.name for name in names] == list(STANDARD)
    assert [name.number for name in names] == list(range(6))
    assert len(names) == 6
    assert (names[0].name, names[0].attribute, names[0].maxsize) == ("mp_input_q (default)", "mp_input_q", 1)
    assert {name.category for name in names} == {None}


def test_a_queue_is_found_by_its_names() -> None:
    names = QueueNames()
    audio = names.create("audio_lg", "batch_1", 5)
    plain = names.create("words")
    assert (audio.number, audio.name, audio.category, audio.short, audio.maxsize) == (
        6, "batch_1|audio_lg", "batch_1", "audio_lg", 5,
    )  # fmt: skip
    assert (plain.name, plain.attribute, plain.maxsize) == ("words", "words", 1)
    assert names.find("batch_1|audio_lg") is audio
    assert names.find("words") is plain
    assert names.find("mp_input_q") is names.find(INPUT) is names[0]
    assert names[6] is audio


def test_what_lies_in_a_category_is_not_found_without_it() -> None:
    names = QueueNames()
    names.create("audio_lg", "batch_1")
    with pytest.raises(QueueUnknown, match=r"no queue 'audio_lg'; there are .*'batch_1\|audio_lg'"):
        names.find("audio_lg")
    with pytest.raises(LookupError):
        names.find("nothing")


@pytest.mark.parametrize(
    ("name", "category"),
    [
        ("words", None),
        ("mp_input_q", None),
        ("mp_input_q (default)", None),
        ("mp_print_q", None),
        ("audio_lg", "batch_1"),
        ("batch_1", None),  # the toolbox has the category under that name
        ("anything", "words"),  # and the queue under this one
    ],
)
def test_a_name_is_given_once(name: str, category: str | None) -> None:
    names = QueueNames()
    names.create("words")
    names.create("audio_lg", "batch_1")
    with pytest.raises(QueueExists, match="exists already") as found:
        names.create(name, category)
    assert isinstance(found.value, ValueError)
    assert isinstance(found.value, EisenmpError)
    assert len(names) == 8


def test_the_same_short_name_may_stand_in_two_categories() -> None:
    names = QueueNames()
    one, two = names.create("in", "batch_1"), names.create("in", "batch_2")
    assert (one.name, two.name) == ("batch_1|in", "batch_2|in")
    assert names.create("out", "batch_1").number == 8


@pytest.mark.parametrize(("name", "category"), [("", None), ("a|b", None), ("a;b", None), ("a", "")])
def test_what_cannot_stand_in_a_header_is_no_name(name: str, category: str | None) -> None:
    with pytest.raises(ValueError, match="cannot name a queue"):
        QueueNames().create(name, category)


@pytest.mark.parametrize(
    "arguments", [(5,), (None,), (b"q",), ("q", 5), ("q", None, "1"), ("q", None, 1.0), ("q", None, True)]
)
def test_a_wrong_type_is_said(arguments: tuple[Any, ...]) -> None:
    names = QueueNames()
    with pytest.raises(TypeError):
        names.create(*arguments)
    assert len(names) == 6


def test_full_names() -> None:
    assert full_name("words") == "words"
    assert full_name("audio_lg", "batch_1") == "batch_1|audio_lg"


def test_a_pickled_queue_becomes_the_queue_of_that_name_here() -> None:
    found = object()
    queues.register_resolver("manager", lambda name: (found, name))
    try:
        assert queues.resolve_queue("manager", "words") == (found, "words")
        with pytest.raises(QueueUnknown, match="'words'"):
            queues.resolve_queue("another", "words")
    finally:
        queues.unregister_resolver("manager")
        queues.unregister_resolver("manager")
    with pytest.raises(QueueUnknown):
        queues.resolve_queue("manager", "words")
