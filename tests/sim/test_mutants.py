"""Managers with one defect each are found by a bounded number of seeds."""

from __future__ import annotations

from collections.abc import Callable
from itertools import chain

import pytest

from eisenmp.core.ledger import Ledger
from eisenmp.sim.simulation import Simulation
from eisenmp.sim.violation import Violation
from tests.properties.mutants import MUTANTS as LEDGERS

from .mutants import MUTANTS

SEEDS_MAX = 3000
#: what the programs of the simulation come upon too seldom; tests/properties finds these by itself
SELDOM = {"PutsForgotten", "HastyEnd", "LateResultCounts", "BeyondItsRoom"}
#: seeds that are tried first, where the search for one takes seconds; when it has moved, the search goes on
FIRST = {
    "fails_in_silence": 1036, "cancels_by_word_only": 246, "WrongOrder": 247, "SlotForgotten": 524,
    "NobodyElseIsWoken": 1730, "ServesThePaused": 784, "ThereAndBack": 74,
}  # fmt: skip


def rule_broken(name: str, ledger: Callable[..., Ledger] = Ledger) -> str:
    """The rule that the first failing seed breaks."""
    first = [FIRST[name]] if name in FIRST else []
    for seed in chain(first, range(SEEDS_MAX)):
        try:
            Simulation(seed, ledger=ledger).run()
        except Violation as violation:
            return violation.rule
    pytest.fail(f"not found by {SEEDS_MAX} seeds")


@pytest.mark.timeout(300)
@pytest.mark.parametrize("name", MUTANTS)
def test_a_manager_with_a_defect_is_found(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    mutant = MUTANTS[name]
    original = vars(mutant.owner)[mutant.method]
    monkeypatch.setattr(mutant.owner, mutant.method, mutant.replace(original))
    assert rule_broken(name)


@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    "ledger",
    [ledger for ledger in LEDGERS if ledger.__name__ not in SELDOM],
    ids=lambda ledger: ledger.__name__,
)
def test_a_ledger_with_a_defect_is_found(ledger: type[Ledger]) -> None:
    assert rule_broken(ledger.__name__, ledger)
