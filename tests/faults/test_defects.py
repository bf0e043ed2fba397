"""An error in the manager's own code is raised where somebody waits, and is not taken for the user's."""

from __future__ import annotations

from typing import Any

import pytest

import eisenmp

from .stage import ACTS


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_what_breaks_while_chunks_are_taken_in_ends_the_iteration() -> None:
    def broken(*args: Any) -> list[Any]:
        raise RuntimeError("a defect")

    with pytest.raises(RuntimeError, match="a defect"), eisenmp.Mp(f"{ACTS}:act") as emp:
        emp.dispatcher.ledger.offered_all = broken  # type: ignore[method-assign]
        list(emp.feed([("pid",)] * 100))
