"""`eisenmp sim`."""

from __future__ import annotations

import pytest

from eisenmp.cli.exitcodes import DONE, FAILED
from eisenmp.sim import campaign
from eisenmp.sim.campaign import Failure, Findings

from .conftest import Command


def test_one_seed_again_with_its_trace(eisenmp: Command) -> None:
    outcome = eisenmp("sim", "--seed", "3")
    assert (outcome.code, outcome.err) == (DONE, "")
    lines = outcome.out.splitlines()
    assert lines[0].startswith("plan: ") and lines[-1] == "seed 3: all rules held"
    assert any("CHUNK ticket 0 of feed 1" in line for line in lines)


def test_many_seeds(eisenmp: Command) -> None:
    outcome = eisenmp("sim", "--count", "6")
    assert outcome.code == DONE
    assert outcome.out.startswith("6 runs in ") and outcome.out.endswith(": all rules held\n")


def test_a_failure_tells_how_to_repeat_it(eisenmp: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[object, ...]] = []

    def failing(first: int, count: int | None, seconds: float | None, procs: int) -> Findings:
        asked.append((first, count, seconds))
        return Findings(5, (Failure(7, "order is kept: lease 3"),))

    monkeypatch.setattr(campaign, "campaign", failing)
    outcome = eisenmp("sim", "--seed", "4", "--seconds", "1.5")
    assert outcome.code == FAILED
    assert asked == [(4, None, 1.5)]
    assert "seed 7: order is kept: lease 3\n  eisenmp sim --seed 7\n" in outcome.out
    assert outcome.out.endswith("1 failed\n")
    eisenmp("sim")
    assert asked[1:] == [(0, 1000, None)]


def test_a_seed_that_fails_shows_its_trace(eisenmp: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    run_seed = campaign.run_seed

    def failing(seed: int, *, traced: bool) -> object:
        return run_seed(seed, traced=traced)[0], Failure(seed, "memory is bounded: 99")

    monkeypatch.setattr(campaign, "run_seed", failing)
    outcome = eisenmp("sim", "--seed", "3")
    assert outcome.code == FAILED
    assert outcome.out.endswith("seed 3: memory is bounded: 99\n  eisenmp sim --seed 3\n")
