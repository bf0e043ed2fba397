"""The console text of 1.0, held to the letter; what it printed for the same program was recorded once."""

from __future__ import annotations

import re

from tests.compat.running import run

GENERATOR_EMPTY = "\n\tgenerator empty, run time iterator N seconds\n\n"
#: as 1.0 prints it; there the three lines after `0` came from a thread and could stand elsewhere
GOLDEN = """
Create 1 processes.
0 \n
... proc Process-1 ... [1, 2]
... proc Process-1 ... [1]
\texit WORKER 1

--- Result for [tens]---

10

20

10

    --- END ---

{'mp_input_q (default)': [('_TID_0', [10, 20]), ('_TID_1', [10])]}
\tProcesses are down.
RETURNED {'mp_input_q (default)': [('_TID_0', [10, 20]), ('_TID_1', [10])]}
"""


def test_the_whole_text() -> None:
    finished = run("golden.py")

    out = re.sub(r"run time iterator \d+ seconds", "run time iterator N seconds", finished.out)
    # the feeder's thread says this when it is done: at no certain place between the others
    assert out.count(GENERATOR_EMPTY) == 1
    assert out.replace(GENERATOR_EMPTY, "") == GOLDEN
    assert finished.err == ""
    assert finished.code == 0


def test_one_exit_line_for_each_worker_and_then_the_findings() -> None:
    out = run("average.py").out

    assert out.startswith("\nCreate 5 processes.\n0 1 2 3 4 \n\n")
    exits = [match.start() for match in re.finditer(r"^\texit WORKER [1-5]$", out, re.MULTILINE)]
    assert len(exits) == 5
    label = out.index("\n--- Result for [column, Average calculation]---\n")
    end = out.index("\n    --- END ---\n")
    down = out.index("\n\tProcesses are down.\n")
    assert max(exits) < label < end < down
