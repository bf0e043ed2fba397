"""The page that compares what is left after a fault says what was measured, and nothing else."""

from __future__ import annotations

import json

from benchmarks.faults import FAULTS, PAGE, RESULTS
from benchmarks.faults_page import page, words
from benchmarks.programs.fault import SIDES

CONTENT = json.loads(RESULTS.read_text(encoding="utf-8"))


def test_the_page_is_made_of_the_results() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(CONTENT)


def test_every_side_was_struck_by_every_fault() -> None:
    assert CONTENT["faults"] == {name: fault.title for name, fault in FAULTS.items()}
    assert {name: list(found) for name, found in CONTENT["outcomes"].items()} == {
        key: list(SIDES) for key in FAULTS
    }


def test_the_words_follow_the_figures() -> None:
    outcome = {"done": 999, "items": 1000, "error": "Broken", "seconds": 1.234, "left": 0, "limit": 9.0}
    assert words(outcome) == "**999 of 1,000**, Broken; all gone after 1.23 s"
    assert words({**outcome, "done": 7}) == "7 of 1,000, Broken; all gone after 1.23 s"
    hangs = {**outcome, "error": "", "seconds": None, "left": 1}
    assert words(hangs) == "999 of 1,000; then hangs (1 process ended after 9 s)"
    assert words({**hangs, "items": None, "left": 3}) == "3 processes still there after 9 s"
    assert words({**outcome, "items": None}) == "all gone after 1.23 s"
