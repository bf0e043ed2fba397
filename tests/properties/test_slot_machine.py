"""A wanted slot comes back, a replaced one is never empty, and slot machines that fail in it are found."""

from __future__ import annotations

import os

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from .audit import Violation
from .slot_machine import SlotsMachine
from .slot_mutants import MUTANTS, Mutant

# `HYPOTHESIS_PROFILE=more` tries anew each time, and longer; the default tries the same examples everywhere.
MORE = os.environ.get("HYPOTHESIS_PROFILE", "ci") != "ci"
SETTINGS = settings(
    derandomize=not MORE,
    deadline=None,
    database=None,
    max_examples=20_000 if MORE else 100,
    stateful_step_count=30,
    suppress_health_check=list(HealthCheck),
)
# The first example that fails is enough: a smaller one would cost time and prove no more.
UNTIL_FOUND = settings(SETTINGS, max_examples=500, phases=[Phase.generate], print_blob=False)


@pytest.mark.timeout(0 if MORE else 120)
def test_the_slot_machine_keeps_all_rules() -> None:
    run_state_machine_as_test(SlotsMachine, settings=SETTINGS)


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.__name__)
def test_a_slot_machine_with_a_defect_is_found(mutant: type[Mutant], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(SlotsMachine, "make_machine", staticmethod(mutant))
    with pytest.raises(Violation) as found:
        run_state_machine_as_test(SlotsMachine, settings=UNTIL_FOUND)
    assert found.value.rule in mutant.breaks
