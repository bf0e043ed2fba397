"""Workers that are replaced after a number of chunks: without dead time, and with nothing lost or left."""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path
from types import TracebackType
from typing import Any

import pytest

import eisenmp
from eisenmp.manager import events
from eisenmp.testing import eventually
from tests.leaks import is_gone

from .stage import ACTS, PATIENCE, Stage
from .test_causes import method

__all__ = ["method"]

#: where it makes no difference how processes start
FORKED = pytest.mark.parametrize("method", ["forkserver"], indirect=True)


def counts(pids: list[int], most: int, live: int) -> None:
    """Each process had `most` chunks, except those that were not at their end."""
    had = Counter(pids)
    assert max(had.values()) <= most
    assert sum(number < most for number in had.values()) <= live


@pytest.mark.parametrize(
    ("method", "most"),
    [("spawn", 4), ("portable", 4), ("forkserver", 1), ("forkserver", 5)],
    indirect=["method"],
)
def test_each_process_has_exactly_so_many_chunks(method: str, most: int) -> None:
    chunks = 6 * most
    with Stage(method, frozen=False, chunks_max=most) as job:
        feed = job.feed(*[("pid",)] * chunks)
        results = list(feed.in_order())
        assert [result.ticket.number for result in results] == list(range(chunks))
        assert feed.failed == []
    counts([result.value[0] for result in results], most, 2)
    assert job.of(events.WorkerDied) == []
    # a slot keeps its name over all of its processes
    assert {(event.slot, event.name) for event in job.of(events.WorkerReady)} == {
        (number, process.name) for number, process in enumerate(job.emp.proc_list)
    }


def test_chunks_that_raise_count(tmp_path: Path) -> None:
    with Stage("forkserver", frozen=False, procs_max=1, chunks_max=2, on_error="skip") as job:
        rows = [("fail", 9, str(tmp_path / "tried")), ("pid",)] * 3
        pids = [result.value[0] for result in job.feed(*rows).in_order()]
    assert len(set(pids)) == 3


def test_the_next_one_is_there_before_the_last_chunk_ends(method: str) -> None:
    with Stage(method, frozen=False, procs_max=1, chunks_max=3) as job:
        feed = job.feed(("pid",), ("pid",), ("gate",), ("pid",), ("gate",))
        first = job.hear()
        second = job.until(events.WorkerReady, 2)[1].pid
        # it waits, though it could work
        assert second != first
        assert job.emp.proc_list[0].pid == first
        job.let_through()
        assert job.hear() == second
        before = list(job.events)
        job.let_through()
        assert [result.value[0] for result in feed.in_order()] == [first] * 3 + [second] * 2
    ready = before.index(job.of(events.WorkerReady)[1])
    assert ready < before.index(job.of(events.ChunkDone)[2])


def test_a_manager_without_the_setting_keeps_its_workers() -> None:
    with Stage("forkserver", frozen=False) as job:
        pids = job.warm_up()
        assert {result.value[0] for result in job.feed(*[("pid",)] * 100)} <= pids
    assert len(job.of(events.WorkerStarted)) == 2


@FORKED
@pytest.mark.parametrize("rows", [40, 43])
def test_through_the_door_of_1_0(method: str, rows: int) -> None:
    emp = eisenmp.Mp()
    start = "forkserver" if method == "forkserver" else "spawn"
    emp.queue("told")
    emp.queue("gate")
    emp.start(
        worker_modules=[{"WORKER_PATH": str(ACTS), "WORKER_REF": "door"}],
        PROCS_MAX=2,
        ROWS_MAX=2,
        RESULTS_STORE=True,
        START_METHOD=start,
        EISENMP_CHUNKS_MAX=3,
    )
    emp.run_q_feeder(generator=iter(range(rows)), input_q=emp.mp_input_q)
    emp.join(PATIENCE)
    ((_, stored),) = emp.e_utilsResult.result_dict.items()
    values = [value for _, value in stored]
    assert sorted(row for value in values for row in value[1:]) == list(range(rows))
    # the one with the last list leaves by itself
    counts([value[0] for value in values], 3, 2)


def test_who_says_that_it_is_finished_is_not_followed(tmp_path: Path) -> None:
    """Its last chunk is also the last one that it may have."""
    module = tmp_path / "once.py"
    module.write_text(
        "def once(toolbox):\n"
        "    chunk = toolbox.next_chunk()\n"
        "    open(toolbox.path, 'a').write(f'{chunk is not None}\\n')\n"
        "    return False\n"
    )
    calls = tmp_path / "calls"
    emp = eisenmp.Mp(
        f"{module}:once", procs_max=2, rows_max=1, chunks_max=1, start_method="forkserver",
        variables={"path": str(calls)},
    )  # fmt: skip
    with pytest.raises(eisenmp.EisenmpError, match="all workers have left"), emp:
        list(emp.feed(range(20)))
    assert calls.read_text().count("True") == 2


# -- while the next one loads ----------------------------------------------------------------------


class Held:
    """A worker at its last chunk, and the next one, which does not come out of a mate before it is let."""

    def __init__(self, method: str, folder: Path, **settings: Any) -> None:
        self.folder = folder
        given = {"procs_max": 1, "chunks_max": 2, "variables": {"folder": str(folder)}}
        self.job = Stage(method, "act", "hold", frozen=False, **{**given, **settings})
        self.things = self.job.emp.queue("things", maxsize=5)
        self.old = self.heir = 0

    def __enter__(self) -> Held:
        self.job.__enter__()
        return self

    def begin(self, *rows: Any) -> eisenmp.Feed:
        """The worker of the last slot is at a gate, with its last chunk; what follows waits behind it."""
        job = self.job
        count = len(job.emp.proc_list)
        job.until(events.WorkerReady, count)
        (self.folder / "hold").touch()
        feed = job.feed(("pid",), *rows)
        self.old = job.hear()
        eventually(self._heirs, PATIENCE)
        self.heir = max(self._heirs())
        eventually((self.folder / "held").exists, PATIENCE)
        return feed

    def _heirs(self) -> set[int]:
        """Who was started and is not ready."""
        pids = [
            {event.pid for event in self.job.of(kind)} for kind in (events.WorkerStarted, events.WorkerReady)
        ]
        return pids[0] - pids[1]

    def let_it_load(self) -> None:
        (self.folder / "hold").unlink(missing_ok=True)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.let_it_load()
        self.job.__exit__(kind, error, trace)


def pids_of(feed: eisenmp.Feed) -> list[Any]:
    return [result.value[0] for result in feed.in_order()]


@FORKED
def test_it_is_followed_before_the_next_one_is_ready(method: str, tmp_path: Path) -> None:
    with Held(method, tmp_path) as held:
        feed = held.begin(("gate",), ("pid",))
        held.job.let_through()
        held.job.until(events.ChunkDone, 2)
        held.let_it_load()
        assert pids_of(feed) == [held.old, held.old, held.heir]


def test_the_old_one_is_killed(method: str, tmp_path: Path) -> None:
    """The next one takes its chunk, and the objects that it had taken."""
    with Held(method, tmp_path) as held:
        for number in range(3):
            held.things.put(number)
        feed = held.begin(("take_and_wait", "things", 2))
        os.kill(held.old, 9)
        held.job.until(events.WorkerDied, 1)
        held.let_it_load()
        assert held.job.hear() == held.heir
        held.job.let_through()
        assert pids_of(feed) == [held.old, [0, 1]]
        assert pids_of(held.job.feed(("take", "things"))) == [[2]]
        assert [death.pid for death in held.job.of(events.WorkerDied)] == [held.old]


@FORKED
def test_the_next_one_is_killed(method: str, tmp_path: Path) -> None:
    with Held(method, tmp_path) as held:
        feed = held.begin(("gate",), ("pid",))
        os.kill(held.heir, 9)
        held.job.until(events.WorkerDied, 1)
        held.let_it_load()
        held.job.let_through()
        first, second, third = pids_of(feed)
        assert first == second == held.old
        assert third not in (held.old, held.heir)
        assert feed.failed == []


@FORKED
@pytest.mark.parametrize("way", ["STOP_PROC", "terminate", "kill"])
def test_the_slot_is_ended(method: str, way: str, tmp_path: Path) -> None:
    """For good: nobody follows, and another slot goes on with what there is."""
    with Held(method, tmp_path, procs_max=2, chunks_max=3) as held:
        # all wait: a slot that asks late is given what the other one would have done last
        feed = held.begin(*[("gate",)] * 11)
        emp, job = held.job.emp, held.job
        other = job.hear()
        slot = next(process for process in emp.proc_list if process.pid == held.old)
        if way == "STOP_PROC":
            emp.mp_process_q.put(["STOP_PROC", slot.name])
        else:
            getattr(slot, way)()
        held.let_it_load()
        job.let_through(20)
        slot.join(PATIENCE)
        eventually(lambda: is_gone(held.old), PATIENCE)
        assert [result.ticket.number for result in feed.in_order()] == list(range(12))
        assert other != held.old
        assert not slot.is_alive()
        assert [process.is_alive() for process in emp.proc_list].count(True) == 1


@FORKED
def test_fewer_and_more_workers(method: str, tmp_path: Path) -> None:
    with Held(method, tmp_path, procs_max=1) as held:
        feed = held.begin(("gate",), *[("pid",)] * 20)
        held.job.emp.resize(2)
        held.job.emp.resize(1)
        held.job.emp.resize(3)
        held.let_it_load()
        held.job.let_through()
        pids = pids_of(feed)
        counts(pids, 2, 3)
        assert len(pids) == 22
        eventually(lambda: sum(process.is_alive() for process in held.job.emp.proc_list) == 3, PATIENCE)


@FORKED
def test_the_slot_is_closed_and_opened_again(method: str, tmp_path: Path) -> None:
    with Held(method, tmp_path, procs_max=2, chunks_max=3) as held:
        feed = held.begin(*[("gate",)] * 24)
        held.job.hear()
        held.job.emp.resize(1)
        held.job.emp.resize(2)
        held.let_it_load()
        held.job.let_through(24)
        pids = pids_of(feed)
        assert len(pids) == 25
        counts(pids, 3, 4)
        eventually(lambda: sum(process.is_alive() for process in held.job.emp.proc_list) >= 2, PATIENCE)


@pytest.mark.parametrize(
    ("method", "how"),
    [("spawn", "with"), ("portable", "stop"), *(("forkserver", how) for how in ("with", "join", "stop"))],
    indirect=["method"],
)
def test_the_job_ends(method: str, how: str, tmp_path: Path) -> None:
    with Held(method, tmp_path) as held:
        feed = held.begin(("gate",))
        held.job.let_through()
        assert pids_of(feed) == [held.old] * 2
        if how == "stop":
            held.job.emp.stop(grace=0.0)
        else:
            held.let_it_load()
        if how == "join":
            held.job.emp.join(PATIENCE)
    for pid in (held.old, held.heir):
        assert is_gone(pid)


@FORKED
def test_tools_reach_the_next_one(method: str, tmp_path: Path) -> None:
    with Held(method, tmp_path, chunks_max=3) as held:
        held.job.emp.broadcast(before=[1])
        feed = held.begin(("gate",), ("tool", "before"), ("tool", "before"), ("tool", "while"))
        held.job.emp.broadcast(**{"while": [2]})
        held.let_it_load()
        held.job.let_through()
        tools = [result.value[0] for result in feed.in_order()][2:]
        assert tools == [[held.old, [1]], [held.heir, [1]], [held.heir, [2]]]
