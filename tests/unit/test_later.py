"""A setting that has a name and no effect yet is refused, in both doors, before any process starts."""

from __future__ import annotations

from typing import Any

import pytest

import eisenmp
from eisenmp.core.later import LATER
from tests.leaks import snapshot

GIVEN: dict[str, Any] = {
    "dashboard": True,
}


@pytest.mark.parametrize("name", GIVEN)
def test_refused_by_name(name: str) -> None:
    before = snapshot()
    with pytest.raises(eisenmp.SettingsError, match=f"^{name} is not available"):
        eisenmp.Mp("worker.py:find", **{name: GIVEN[name]})
    manager = eisenmp.Mp()
    with pytest.raises(eisenmp.SettingsError, match=f"^{name} is not available"):
        manager.start(worker_modules=[], **{"EISENMP_" + name.upper(): GIVEN[name]})
    assert snapshot() == before


def test_every_name_is_a_setting() -> None:
    assert set(LATER) <= {name for name, *_ in eisenmp.Settings.fields()}
