"""How workers come and go: start, mates, resize, stop."""

from __future__ import annotations

import tempfile
import threading
from pathlib import Path
from typing import Any

import pytest

import eisenmp
from eisenmp.testing import eventually

from .engines import HERE, WORKERS, Contestant
from .feeding import LONG, Source
from .suite import GATE, TOLD, own, own_process


@own
def mates_are_called_before_the_worker_last_one_first(engine: Contestant) -> None:
    with engine.mp("order", "mate_first", "mate_second", rows_max=1) as emp:
        assert [r.value for r in emp.feed(range(3))] == [["second", "first"]] * 3


@own
def a_mate_pauses_and_resumes_the_worker(engine: Contestant) -> None:
    emp = engine.mp("perform", "mate_pauses", procs_max=1, rows_max=1)
    told = emp.queue(TOLD, maxsize=1)
    with emp:
        feed = emp.feed([("put", TOLD, "ran"), ("put", TOLD, "ran again")])
        words = [told.get(timeout=LONG) for _ in range(4)]
        assert words == ["paused", "resumed", "ran", "ran again"]
        assert feed.wait(LONG)


@own
def a_mate_stops_a_worker_that_waits(engine: Contestant) -> None:
    emp = engine.mp("perform", "mate_stops", procs_max=1, rows_max=1)
    go = emp.queue("go")
    with emp:
        assert len(list(emp.feed(range(3)))) == 3
        go.put(None)
        eventually(lambda: not emp.proc_list[0].is_alive())
        with pytest.raises(eisenmp.EisenmpError, match="workers have left"):
            list(emp.feed(range(3)))


@own_process
def a_watchdog_restarts_a_wedged_worker(engine: Contestant) -> None:
    with tempfile.TemporaryDirectory() as folder:
        emp = engine.mp("wedged_once", "mate_restarts", procs_max=1, rows_max=1)
        go, told = emp.queue("go", maxsize=2), emp.queue(TOLD, maxsize=3)
        with emp:
            feed = emp.feed([f"{folder}/count"])
            assert told.get(timeout=LONG) == "wedged"
            go.put(None)
            assert [r.value for r in feed] == ["done"]


@own
def a_worker_that_leaves_is_not_called_again(engine: Contestant) -> None:
    with (
        pytest.raises(eisenmp.EisenmpError, match="all workers have left"),
        engine.mp("leaves_at_once") as emp,
    ):
        list(emp.feed(range(10)))


@own
def workers_are_added_and_dismissed(engine: Contestant) -> None:
    with engine.mp(rows_max=1, procs_max=1) as emp:
        gate, told = emp.queue(GATE, maxsize=9), emp.queue(TOLD, maxsize=9)
        for procs in (3, 1, 2):
            emp.resize(procs)
            eventually(lambda procs=procs: sum(slot.is_alive() for slot in emp.proc_list) == procs)
            feed = emp.feed([("wait", GATE, TOLD)] * procs)
            # so many run at the same time
            assert len({told.get(timeout=LONG) for _ in range(procs)}) == procs
            for _ in range(procs):
                gate.put(None)
            assert feed.wait(LONG)


# stop


@own
def stopping_ends_what_is_under_way(engine: Contestant) -> None:
    """A busy worker that looks is told, a feed that is iterated raises Stopped, its source is closed."""
    emp = engine.mp(rows_max=1)
    told = emp.queue(TOLD, maxsize=9)
    source = Source(("until_cancelled", TOLD))
    caught: list[BaseException] = []

    def iterate(feed: eisenmp.Feed) -> None:
        try:
            list(feed)
        except eisenmp.EisenmpError as error:
            caught.append(error)

    emp.start()
    thread = threading.Thread(target=iterate, args=(emp.feed(source),))
    thread.start()
    for _ in range(2):
        assert told.get(timeout=LONG) == "running"
    emp.stop(grace=LONG)
    thread.join(LONG)
    assert [type(error) for error in caught] == [eisenmp.Stopped]
    assert source.closed.is_set()
    emp.stop()


@own
def stopping_ends_workers_that_wait(engine: Contestant) -> None:
    """For a chunk, for an object, for room."""
    emp = engine.mp(rows_max=1, procs_max=3)
    emp.queue("full", maxsize=1).put(None)
    emp.queue(GATE)
    told = emp.queue(TOLD, maxsize=3)
    emp.start()
    emp.feed([("wait", GATE, TOLD), ("put", TOLD, 1), ("put", "full", 2, 3)])
    for _ in range(2):
        told.get(timeout=LONG)
    emp.stop(grace=LONG)
    assert not any(slot.is_alive() for slot in emp.proc_list)


@own_process
def stopping_does_not_wait_for_a_wedged_worker(engine: Contestant) -> None:
    emp = engine.mp(rows_max=1)
    told = emp.queue(TOLD, maxsize=2)
    emp.start()
    emp.feed([("wedge", TOLD), ("wedge", TOLD)])
    for _ in range(2):
        told.get(timeout=LONG)
    emp.stop(grace=0.05)
    assert [slot.exitcode for slot in emp.proc_list] == [-15, -15]


@own
def a_manager_that_is_stopped_takes_nothing(engine: Contestant) -> None:
    emp = engine.mp(rows_max=1).start()
    queue = emp.queue("later", maxsize=1)
    emp.stop(grace=LONG)
    for call in (lambda: emp.feed([1]), lambda: queue.put(1), lambda: queue.get(), lambda: emp.resize(3)):
        with pytest.raises(eisenmp.Stopped):
            call()


@own
def an_error_in_the_block_stops_all(engine: Contestant) -> None:
    source = Source()
    with pytest.raises(ZeroDivisionError), engine.mp(rows_max=1) as emp:
        for result in emp.feed(source):
            if result.ticket.number == 5:
                raise ZeroDivisionError
    assert source.closed.is_set()
    assert emp.ended


@own
def leaving_the_block_waits_for_all_feeds(engine: Contestant) -> None:
    with engine.mp(rows_max=3) as emp:
        feeds = [emp.feed(range(100)) for _ in range(3)]
    assert [feed.done for feed in feeds] == [34] * 3


@own
def a_word_in_the_process_queue_stops_the_workers(engine: Contestant) -> None:
    with engine.mp(rows_max=1) as emp:
        assert len(list(emp.feed(range(3)))) == 3
        emp.mp_process_q.put(["STOP_PROC", emp.proc_list[0].name])
        eventually(lambda: not emp.proc_list[0].is_alive())
        assert len(list(emp.feed(range(30)))) == 30
        emp.mp_process_q.put("STOP_PROC")
        eventually(lambda: not emp.proc_list[1].is_alive())


@own
def a_manager_may_be_started_again(engine: Contestant) -> None:
    emp = engine.mp(rows_max=1)
    for _ in range(2):
        emp.start()
        assert sorted(r.value[0] for r in emp.feed(range(20))) == list(range(20))
        emp.stop(grace=LONG)


# what cannot be loaded


def refused(engine: Contestant, *modules: str) -> eisenmp.LoadError:
    with pytest.raises(eisenmp.LoadError) as caught, engine.mp(*modules) as emp:
        list(emp.feed(range(3)))
    return caught.value


@own
def a_worker_that_is_missing_is_named(engine: Contestant) -> None:
    assert "nowhere.py" in str(refused(engine, f"{HERE}/nowhere.py:find"))
    error = refused(engine, "perfrom")
    assert str(error).startswith(f"{WORKERS}: there is no 'perfrom' in it")
    assert "did you mean 'perform'" in str(error)


@own
def a_worker_file_that_is_no_python_is_named_with_its_line(engine: Contestant) -> None:
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "wrong.py").write_text("def find(toolbox):\n    return (\n")
        assert f"{folder}/wrong.py:2: SyntaxError" in str(refused(engine, f"{folder}/wrong.py:find"))


@own
def a_worker_file_that_raises_is_named_with_its_line(engine: Contestant) -> None:
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "raises_at_import.py").write_text("LIMIT = 3\nSIZE = LIMIT / 0\n")
        error: Any = refused(engine, f"{folder}/raises_at_import.py:find")
        assert f"{folder}/raises_at_import.py:2: ZeroDivisionError" in str(error)
        assert "SIZE = LIMIT / 0" in str(error.__cause__)


@own
def a_worker_that_cannot_be_called_is_refused(engine: Contestant) -> None:
    assert "takes 0 arguments" in str(refused(engine, "two_arguments_short"))
    assert "cannot be called" in str(refused(engine, "ACTS"))


@own
def a_mate_that_raises_ends_the_start(engine: Contestant) -> None:
    error = refused(engine, "perform", "mate_raises")
    assert "RuntimeError: the mate has a defect" in str(error)
    assert "in mate_raises" in str(error.__cause__)


@own
def a_worker_that_raises_before_it_takes_a_chunk_ends_the_run(engine: Contestant) -> None:
    with pytest.raises(eisenmp.WorkerFailed, match="before any chunk") as caught:
        with engine.mp("raises_first") as emp:
            list(emp.feed(range(3)))
    assert caught.value.ticket is None
    assert "in raises_first" in str(caught.value.__cause__.__cause__)
