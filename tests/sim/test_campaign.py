"""Runs of the manager in trouble, on a simulated wire, clock and processes, from seeds.

`make test` tries twenty thousand beside these.
"""

from __future__ import annotations

import pytest

from eisenmp.engine.cpus import usable_cpus
from eisenmp.sim.campaign import campaign

SEEDS = 200


@pytest.mark.timeout(0)
def test_all_rules_hold_in_every_run() -> None:
    findings = campaign(0, SEEDS, None, usable_cpus())
    # each can be seen with: eisenmp sim --seed N
    assert findings.failures == ()
    assert findings.runs == SEEDS


def test_each_seed_is_run_once() -> None:
    assert campaign(5, 7, None, 3).runs == 7


def test_a_process_that_fails_is_no_success(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("eisenmp.sim.campaign.__name__", "no.such.module", raising=False)
    with pytest.raises(RuntimeError, match="exit code"):
        campaign(0, 1, None, 1)
