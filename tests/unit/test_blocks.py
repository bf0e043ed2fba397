"""Blocks of a region: they never overlap, and what is given back can be given out again."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from eisenmp.core.blocks import ALIGNMENT, Blocks

START, STOP = 4096, 4096 + 64 * ALIGNMENT


class Giving(RuleBasedStateMachine):
    """Takes and frees at will; beside it stands a list of what is given out."""

    def __init__(self) -> None:
        super().__init__()
        self.blocks = Blocks(START, STOP)
        self.taken: dict[int, int] = {}

    @rule(size=st.integers(1, 20 * ALIGNMENT))
    def take(self, size: int) -> None:
        gaps = self.blocks.gaps
        needed = -(-size // ALIGNMENT) * ALIGNMENT
        offset = self.blocks.take(size)
        fitting = [start for start, stop in gaps if stop - start >= needed]
        if offset is None:
            assert not fitting
            return
        assert offset == min(fitting)
        assert offset % ALIGNMENT == 0
        assert START <= offset <= STOP - size
        for other, length in self.taken.items():
            assert offset + size <= other or other + length <= offset
        self.taken[offset] = size

    @precondition(lambda self: self.taken)
    @rule(data=st.data())
    def free(self, data: st.DataObject) -> None:
        offset = data.draw(st.sampled_from(sorted(self.taken)))
        del self.taken[offset]
        self.blocks.free(offset)
        with pytest.raises(KeyError):
            self.blocks.free(offset)

    @invariant()
    def gaps_are_all_that_is_not_given_out(self) -> None:
        gaps = self.blocks.gaps
        assert all(start < stop for start, stop in gaps)
        # none touches the next: else there were room that is not found
        assert all(stop < start for (_, stop), (start, _) in pairwise(gaps))
        assert self.blocks.used == STOP - START - sum(stop - start for start, stop in gaps)
        lengths = {start: -(-size // ALIGNMENT) * ALIGNMENT for start, size in self.taken.items()}
        assert self.blocks.used == sum(lengths.values())
        assert self.blocks.end == max((start + size for start, size in lengths.items()), default=0)


TestGiving = Giving.TestCase
TestGiving.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
