"""Assertions of the suite say what they compared, as those of test files do."""

from __future__ import annotations

import pytest

pytest.register_assert_rewrite(
    *(
        f"tests.contract.{name}"
        for name in ("arrays", "deaths", "feeding", "life", "output", "queueing", "suite")
    )
)
