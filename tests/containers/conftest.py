"""A small engine of the tests, which fails as it is told."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.containers.fake_engine import FakeEngine, Faults


@pytest.fixture
def faults() -> Faults:
    return Faults()


@pytest.fixture
def engine(tmp_path: Path, faults: Faults, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeEngine]:
    with FakeEngine(tmp_path, faults) as engine:
        monkeypatch.setenv("DOCKER_HOST", engine.place)
        yield engine
