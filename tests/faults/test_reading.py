"""Workers that die while they read a source by themselves: the replacement finds its place in it again."""

from __future__ import annotations

from pathlib import Path

import pytest

import eisenmp

WORKER = """
import os
from pathlib import Path
import eisenmp

@eisenmp.worker
def work(toolbox, rows):
    kept = []
    for row in rows:
        if row in toolbox.deadly:
            if not toolbox.once or not Path(toolbox.once).exists():
                if toolbox.once:
                    Path(toolbox.once).touch()
                os._exit(9)
        kept.append(row)
    return kept

def numbers(count):
    yield from range(count)
"""


@pytest.fixture
def work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.syspath_prepend(str(tmp_path))  # this process reads the rows of failures by itself
    path = tmp_path / "work.py"
    path.write_text(WORKER)
    return path


def test_a_replacement_passes_over_what_is_done(work: Path, tmp_path: Path) -> None:
    once = {"deadly": [777], "once": str(tmp_path / "once")}
    with eisenmp.Mp(f"{work}:work", procs_max=2, rows_max=10, variables=once) as emp:
        pids = {slot.pid for slot in emp._crew.slots}
        feed = emp.feed(eisenmp.replicate(f"{work}:numbers", 2003))
        rows = [row for result in feed.in_order() for row in result.value]
        assert rows == list(range(2003))
        assert (feed.expected, feed.failed) == (201, [])
        assert {slot.pid for slot in emp._crew.slots} != pids


@pytest.mark.parametrize("row", [4, 205, 1001])
def test_the_row_that_kills_is_found(work: Path, row: int) -> None:
    deadly = {"deadly": [row], "once": ""}
    with eisenmp.Mp(f"{work}:work", procs_max=2, rows_max=10, on_error="skip", variables=deadly) as emp:
        feed = emp.feed(eisenmp.replicate(f"{work}:numbers", 1003))
        rows = [row for result in feed.in_order() for row in result.value]
        assert rows == [number for number in range(1003) if number != row]
        (failure,) = feed.failed
        assert (list(failure.rows), failure.ticket.number) == ([row], row // 10)
        assert (feed.expected, feed.missing, feed.rows_done) == (101, [], 1002)


def test_the_line_that_kills_is_found(work: Path, tmp_path: Path) -> None:
    path = tmp_path / "lines"
    path.write_text("".join(f"{number}\n" for number in range(57)))
    deadly = {"deadly": ["33"], "once": ""}
    with eisenmp.Mp(f"{work}:work", procs_max=2, rows_max=10, on_error="skip", variables=deadly) as emp:
        feed = emp.feed(eisenmp.lines(path))
        rows = [row for result in feed.in_order() for row in result.value]
        assert rows == [str(number) for number in range(57) if number != 33]
        assert [failure.rows for failure in feed.failed] == [["33"]]
