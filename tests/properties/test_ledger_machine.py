"""No ticket is lost, none is done twice, every worker is told to stop; ledgers that fail in it are found."""

from __future__ import annotations

import os

import pytest
from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis.stateful import run_state_machine_as_test

from .audit import Violation
from .machine import CrowdMachine, LedgerMachine
from .mutants import MUTANTS, Mutant

# `HYPOTHESIS_PROFILE=more` tries anew each time, and longer; the default tries the same examples everywhere.
settings.register_profile(
    "ledger-ci",
    derandomize=True,
    deadline=None,
    database=None,
    max_examples=240,
    stateful_step_count=60,
    suppress_health_check=list(HealthCheck),
)
settings.register_profile(
    "ledger-more", parent=settings.get_profile("ledger-ci"), derandomize=False, max_examples=20_000
)
#: of the examples that a right ledger is tried with: each takes its time, and they can share the cores
PARTS = 4
#: where the examples begin with which the defect shows soon; it is looked for no less when that has moved
SEEDS = {
    "LostStop": 2, "EarlyStop": 4, "OutputSurvives": 4, "PastTheGet": 5, "DroppedFeedRuns": 0, "HastyEnd": 6,
    "CuttingCharged": 3, "NoReminder": 2, "ServesThePaused": 4,
}  # fmt: skip
PROFILE = os.environ.get("HYPOTHESIS_PROFILE", "ci")
SETTINGS = settings.get_profile(f"ledger-{PROFILE}")
# The first example that fails is enough: a smaller one would cost time and prove no more.
UNTIL_FOUND = settings(
    SETTINGS, max_examples=max(SETTINGS.max_examples, 600), phases=[Phase.generate], print_blob=False
)


@pytest.mark.timeout(120 if PROFILE == "ci" else 0)
@pytest.mark.parametrize("part", range(PARTS))
def test_the_ledger_keeps_all_rules(part: int) -> None:
    machine = type(LedgerMachine.__name__, (LedgerMachine,), {})
    if PROFILE == "ci":
        seed(part)(machine)
    run_state_machine_as_test(
        machine, settings=settings(SETTINGS, max_examples=SETTINGS.max_examples // PARTS)
    )


@pytest.mark.timeout(120 if PROFILE == "ci" else 0)
@pytest.mark.parametrize("few", [1, 2])
def test_where_chunks_are_tiny_a_few_workers_do_them_and_nothing_waits_for_ever(few: int) -> None:
    machine = type(CrowdMachine.__name__, (CrowdMachine,), {"few": few})
    if PROFILE == "ci":
        seed(few)(machine)
    run_state_machine_as_test(
        machine, settings=settings(SETTINGS, max_examples=SETTINGS.max_examples // PARTS)
    )


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.__name__)
def test_a_ledger_with_a_defect_is_found(mutant: type[Mutant]) -> None:
    base = CrowdMachine if mutant.crowd else LedgerMachine
    # another version of hypothesis makes other examples of a seed: then the search goes on with others
    for number in SEEDS.get(mutant.__name__, 1), 11, 12:
        machine = type(base.__name__, (base,), {"make_ledger": staticmethod(mutant)})
        seed(number)(machine)
        try:
            run_state_machine_as_test(machine, settings=UNTIL_FOUND)
        except Violation as violation:
            assert violation.rule in mutant.breaks
            return
    pytest.fail("not found")
