"""The numbers of messages on the wire."""

from __future__ import annotations

from collections import Counter

from eisenmp.core import messages as m
from eisenmp.sim.trace import FLAGS

OTHERS = ("ORDER_", "ASK_", "LEFT_", "FOR_")


def test_each_kind_has_a_number_of_its_own() -> None:
    kinds = {
        name: number
        for name, number in vars(m).items()
        if isinstance(number, int) and name not in FLAGS and not name.startswith(OTHERS)
    }
    assert len(kinds) > 20
    assert [number for number, count in Counter(kinds.values()).items() if count > 1] == []
