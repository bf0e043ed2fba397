"""Every engine of ENGINES passes every behaviour of the suite."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.once import once

from .__main__ import MODULES
from .engines import ENGINES, HERE, Contestant
from .suite import BEHAVIOURS, Behaviour, Shared, sharing

ROOT = Path(__file__).parents[2]
STRIPPED = HERE.parent / "stripped"
PATIENCE = (
    500.0  #: seconds for the whole suite in one interpreter, also on a machine that has much else to do
)

assert MODULES  # importing them has filled BEHAVIOURS


def cases(*, shares: bool) -> list[object]:
    """Engines one after the other, so that a shared manager is started once.

    With a scope of the module for the parameters, pytest would sort them by behaviour.
    """
    return [
        pytest.param(engine, behaviour, id=f"{engine.name}-{behaviour.name}")
        for engine in ENGINES
        if not engine.apart
        for behaviour in BEHAVIOURS
        if behaviour.shares is shares and (engine.processes or not behaviour.processes)
    ]


@pytest.fixture(scope="module")
def shared(request: pytest.FixtureRequest) -> Iterator[Shared]:
    with sharing(request.param) as manager:
        yield manager


@pytest.mark.parametrize(("shared", "behaviour"), cases(shares=True), indirect=["shared"])
def test_of_the_shared_manager(shared: Shared, behaviour: Behaviour) -> None:
    shared.run(behaviour)


@pytest.mark.parametrize(("engine", "behaviour"), cases(shares=False))
def test_of_own_managers(engine: Contestant, behaviour: Behaviour) -> None:
    with engine.chosen():
        behaviour.run(engine)


@pytest.fixture(scope="module")
def reports(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What the engine, in an interpreter of its own, had to say about each behaviour."""
    engine: Contestant = request.param
    reports: dict[str, str] = once(tmp_path_factory, engine.name, lambda folder: run_apart(engine))
    return reports


def run_apart(engine: Contestant) -> dict[str, str]:
    path = os.pathsep.join(filter(None, (str(STRIPPED), str(ROOT), os.environ.get("PYTHONPATH"))))
    environment = {**os.environ, **engine.environment, "PYTHONPATH": path}
    run = subprocess.run(
        [sys.executable, "-W", "error", "-m", "tests.contract", engine.name],
        cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=PATIENCE,
    )  # fmt: skip
    reports = dict(json.loads(line) for line in run.stdout.splitlines())
    reports[""] = "" if run.returncode == 0 else f"exit code {run.returncode}\n{run.stderr[-5000:]}"
    return reports


@pytest.mark.timeout(PATIENCE + 60)
@pytest.mark.parametrize(
    ("reports", "behaviour"),
    [
        pytest.param(engine, behaviour, id=f"{engine.name}-{behaviour.name}")
        for engine in ENGINES
        if engine.apart
        for behaviour in BEHAVIOURS
    ],
    indirect=["reports"],
)
def test_in_an_interpreter_apart(reports: dict[str, str], behaviour: Behaviour) -> None:
    if report := reports.get(behaviour.name, f"no report: {reports['']}"):
        pytest.fail(report, pytrace=False)
