"""Jobs over an engine whose workers are threads, and over one with processes."""

from __future__ import annotations

from pathlib import Path

import pytest

from .jobs import Jobs


@pytest.fixture(params=["inline", "local"])
def jobs(request: pytest.FixtureRequest, tmp_path: Path) -> Jobs:
    return Jobs(tmp_path, request.param)


@pytest.fixture
def inline(tmp_path: Path) -> Jobs:
    return Jobs(tmp_path, "inline")


@pytest.fixture
def local(tmp_path: Path) -> Jobs:
    return Jobs(tmp_path, "local")
