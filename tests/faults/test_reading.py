"""Workers that die while they read a source by themselves: the replacement finds its place in it again."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

import eisenmp
from eisenmp.testing import eventually

LONG = 30.0
WORKER = """
import os
from pathlib import Path
import eisenmp
from eisenmp.child import stocks

stocks.GLANCE = 0.0

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

def by_itself(toolbox):
    chunk = toolbox.next_chunk()
    if chunk is None:
        return False
    if chunk.ticket.number == 1:
        toolbox.queue("waits").put(os.getpid())
        toolbox.queue("goes_on").get()
    toolbox.send([toolbox.cancelled, *chunk.rows], chunk.ticket)
    return True

def by_queue(toolbox):
    header, *rows = toolbox.mp_input_q.get()
    if toolbox.STOP_MSG in rows:
        return False
    if ";_TID_1;" in header:
        toolbox.queue("waits").put(os.getpid())
        toolbox.queue("goes_on").get()
    toolbox.mp_output_q.put([header, [toolbox.cancelled, *rows]])
    return True
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


@pytest.mark.parametrize("name", ["by_itself", "by_queue"])
def test_a_ticket_after_what_lies_behind_the_end(work: Path, name: str) -> None:
    """The one that has found the end is given tickets of the one that dies, in the same cycle."""
    with eisenmp.Mp(f"{work}:{name}", procs_max=2, rows_max=10) as emp:
        waits, goes_on = emp.queue("waits"), emp.queue("goes_on")
        feed = emp.feed(eisenmp.replicate(f"{work}:numbers", 40))
        pid = waits.get(timeout=LONG)
        eventually(lambda: feed.limit is not None and feed.done == 3, LONG)
        os.kill(pid, signal.SIGKILL)
        waits.get(timeout=LONG)
        goes_on.put(None)
        values = [result.value for result in feed.in_order()]
        assert values == [[False, *range(start, start + 10)] for start in range(0, 40, 10)]
