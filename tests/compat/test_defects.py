"""Defects of 1.0 that must not come back: each test fails with the defect that it is named after."""

from __future__ import annotations

import multiprocessing
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

import eisenmp
from eisenmp import EisenmpError, FeedError, LoadError, WorkerDied, WorkerFailed
from tests.compat.managers import configuration, module, puppet, stopped_at_the_end, wait_for_shutdown

INPUT = "mp_input_q (default)"
Console = pytest.CaptureFixture[str]


# -- 1: rows were lost when the first of several feeders ended --------------------------------------


def test_twelve_queues_with_a_feeder_and_a_reader_each_lose_nothing() -> None:
    with stopped_at_the_end() as emp:
        names = [f"q_{number}" for number in range(12)]
        emp.queue_cust_dict_std_create(*((name, 1) for name in names))
        emp.start(**configuration("own_queue_worker.py", PROCS_MAX=12, ROWS_MAX=2, RESULTS_STORE=True))
        for number, name in enumerate(names):
            # the first ends long before the last one
            emp.run_q_feeder(generator=iter(range(3 * number)), input_q=emp.queue_cust_dict_std[name])
        wait_for_shutdown(emp)
        results = emp.e_utilsResult.result_dict
        assert {name: [row for _, rows in results[name] for row in rows] for name in results} == {
            name: list(range(3 * number)) for number, name in enumerate(names)
        }
        assert len(emp.stop_list) == 12


# -- 4: an idle manager kept a core busy ------------------------------------------------------------


def cpu_seconds(emp: eisenmp.Mp) -> float:
    processes = [psutil.Process(), *(psutil.Process(process.pid) for process in emp.proc_list)]
    return sum(sum(process.cpu_times()[:2]) for process in processes)


def test_idle_costs_nothing() -> None:
    with stopped_at_the_end() as emp:
        emp.queue_cust_dict_std_create(("calls", 8), ("replies", 8))
        emp.start(**configuration("puppet_worker.py", PROCS_MAX=2))
        emp.run_q_feeder(generator=iter(range(10_000)))  # nobody reads it: the feeder waits
        for _ in range(2):
            emp.queue_cust_dict_std["calls"].put(("identity", ()))
        for _ in range(2):
            emp.queue_cust_dict_std["replies"].get()
        before = cpu_seconds(emp)
        threading.Event().wait(1.0)
        assert cpu_seconds(emp) - before < 0.2


def test_polling_programs_cost_little() -> None:
    with stopped_at_the_end() as emp:
        emp.queue_cust_dict_std_create(("end", 2), ("up", 2))
        emp.start(**configuration("polling_worker.py", PROCS_MAX=2))
        for _ in range(2):
            emp.queue_cust_dict_std["up"].get()
        before = cpu_seconds(emp)
        until = time.monotonic() + 1.0
        while time.monotonic() < until:
            assert not emp.begin_proc_shutdown
            assert emp.queue_cust_dict_std["end"].empty()
        assert cpu_seconds(emp) - before < 1.0, "three loops that poll; each would take a core"
        for _ in range(2):
            emp.queue_cust_dict_std["end"].put(None)
        wait_for_shutdown(emp)


# -- 6: a feeder took over the queue and the size of the feeder before it ----------------------------


def test_feeders_that_are_started_in_a_row_do_not_mix() -> None:
    with stopped_at_the_end() as emp:
        emp.queue_cust_dict_std_create(("short", 1), ("long", 1))
        short, long = (emp.queue_cust_dict_std[name] for name in ("short", "long"))
        emp.start(**configuration("three_queues_worker.py", PROCS_MAX=3, ROWS_MAX=4, RESULTS_STORE=True))
        emp.run_q_feeder(generator=iter("abcdef"), input_q=short, ROWS_MAX=2)
        emp.run_q_feeder(generator=iter("ghijkl"), input_q=long, ROWS_MAX=5)
        emp.run_q_feeder(generator=iter("mnopqr"))
        wait_for_shutdown(emp)
        assert emp.e_utilsResult.result_dict == {
            "short": [("_TID_0", ["a", "b"]), ("_TID_1", ["c", "d"]), ("_TID_2", ["e", "f"]), ("_TID_3", [])],
            "long": [("_TID_0", ["g", "h", "i", "j", "k"]), ("_TID_1", ["l"])],
            INPUT: [("_TID_0", ["m", "n", "o", "p"]), ("_TID_1", ["q", "r"])],
        }


# -- 7: errors never reached the program, which waited for ever --------------------------------------


def rows_then(error: Callable[[], Any]) -> Iterator[int]:
    yield from range(4)
    error()


def raise_zero_division() -> None:
    raise ZeroDivisionError("four is enough")


@pytest.mark.parametrize(
    ("worker", "rows", "error", "told"),
    [
        ("raises", lambda: iter(range(4)), WorkerFailed, "ZeroDivisionError: no good: 2"),
        ("exits", lambda: iter(range(4)), WorkerDied, "exit code 3"),
        ("is_killed", lambda: iter(range(4)), WorkerDied, "SIGKILL"),
        ("rows", lambda: rows_then(raise_zero_division), FeedError, "ZeroDivisionError: four is enough"),
        ("rows", lambda: iter([1, 2, threading.Lock(), 4]), FeedError, "cannot be pickled"),
        ("sends_a_lock", lambda: iter(range(4)), WorkerFailed, "cannot be pickled"),
        ("raises_at_once", lambda: iter(range(4)), WorkerFailed, "KeyError: 'nothing was taken'"),
        ("no_such_worker", lambda: iter(range(4)), LoadError, "no_such_worker"),
    ],
    ids=["raise", "os._exit", "SIGKILL", "generator", "row", "result", "before a list", "missing name"],
)
@pytest.mark.parametrize("procs", [1, 2])
def test_an_error_ends_the_program_says_why_and_is_raised(
    worker: str, rows: Any, error: type[Exception], told: str, procs: int, capsys: Console
) -> None:
    with stopped_at_the_end() as emp:
        emp.start(
            worker_modules=[module("faulty_worker.py", worker)],
            PROCS_MAX=procs,
            ROWS_MAX=1,
            RESULTS_STORE=True,
        )
        emp.run_q_feeder(generator=rows())
        wait_for_shutdown(emp)
        assert not any(process.is_alive() for process in emp.proc_list)
        with pytest.raises(error) as raised:
            emp.join()
    text = f"{raised.value} {raised.value.__cause__!r}"
    assert told in text
    assert told in capsys.readouterr().err


def test_what_was_done_before_a_generator_raised_is_stored() -> None:
    with stopped_at_the_end() as emp:
        emp.start(
            worker_modules=[module("faulty_worker.py", "rows")], PROCS_MAX=1, ROWS_MAX=1, RESULTS_STORE=True
        )
        emp.run_q_feeder(generator=rows_then(raise_zero_division))
        wait_for_shutdown(emp)
        assert [row for _, row in emp.e_utilsResult.result_dict[INPUT]] == [[0], [1], [2], [3]]


@pytest.mark.parametrize(
    "rows",
    [
        [{"WORKER_PATH": "/no/such/file.py", "WORKER_REF": "worker"}],
        [{"WORKER_PATH": "bar", "WORKER_REF": "baz"}],
        [{"WORKER_PATH": str(Path(__file__))}],
        [module("collect_worker.py"), {"WORKER_PATH": "/no/such/mate.py", "WORKER_REF": "mate"}],
    ],
    ids=["no file", "1.0's placeholder", "no reference", "mate"],
)
def test_a_bad_path_is_an_error_before_any_process_starts(rows: list[dict[str, str]]) -> None:
    with stopped_at_the_end() as emp:
        with pytest.raises(LoadError):
            emp.start(worker_modules=rows, PROCS_MAX=2)
        assert emp.proc_list == []


def test_a_program_whose_worker_cannot_be_imported_ends(tmp_path: Path, capsys: Console) -> None:
    worker = tmp_path / "broken_worker.py"
    worker.write_text("import no_such_library\n\n\ndef worker(toolbox):\n    return False\n")
    with stopped_at_the_end() as emp:
        emp.start(worker_modules=[{"WORKER_PATH": str(worker), "WORKER_REF": "worker"}], PROCS_MAX=2)
        emp.run_q_feeder(generator=iter([1]))
        wait_for_shutdown(emp)
        with pytest.raises(LoadError, match=r"broken_worker\.py:1: .*no_such_library"):
            emp.join()
    assert "no_such_library" in capsys.readouterr().err


# -- 15: results came in the order of arrival only ---------------------------------------------------


def test_a_worker_of_1_0_gives_results_in_order_and_ticket_by_ticket() -> None:
    with stopped_at_the_end(eisenmp.Mp(module("collect_worker.py"), procs_max=2, rows_max=1)) as emp, emp:
        feed = emp.feed(range(30))
        assert [(result.ticket.number, result.value) for result in feed.in_order()] == [
            (number, [number]) for number in range(30)
        ]
        assert feed.missing == []


# -- 16: modules of one file name took each other's place, and the standard library's ----------------


def test_files_of_one_name_and_names_of_the_standard_library(tmp_path: Path) -> None:
    for folder in "a", "b":
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "queue.py").write_text(
            "def mate(toolbox):\n    toolbox.said.append(__file__)\n\n\n"
            "def worker(toolbox):\n    import queue\n    queue.Empty\n    toolbox.told.put(toolbox.said)\n"
        )
    files = [str(tmp_path / folder / "queue.py") for folder in "ab"]
    with stopped_at_the_end() as emp:
        emp.queue_cust_dict_std_create(("told", 1))
        emp.start(
            worker_modules=[
                {"WORKER_PATH": files[0], "WORKER_REF": "worker"},
                {"WORKER_PATH": files[0], "WORKER_REF": "mate"},
                {"WORKER_PATH": files[1], "WORKER_REF": "mate"},
            ],
            PROCS_MAX=1,
            said=[],
        )
        assert emp.queue_cust_dict_std["told"].get() == [files[1], files[0]]
        wait_for_shutdown(emp)


# -- 17: the start method of the whole program was changed -------------------------------------------


def test_the_start_method_of_multiprocessing_is_left_alone() -> None:
    before = multiprocessing.get_start_method(allow_none=True)
    with stopped_at_the_end() as emp:
        emp.start(**configuration("collect_worker.py", START_METHOD="spawn"))
    assert multiprocessing.get_start_method(allow_none=True) == before


# -- 20: a mate that blocks held up its process; no way to stop, to wait, to cancel ------------------


def test_a_mate_that_does_not_come_back_is_an_error(capsys: Console) -> None:
    with stopped_at_the_end() as emp:
        emp.start(
            worker_modules=[module("collect_worker.py"), module("faulty_worker.py", "hangs")],
            PROCS_MAX=1,
            EISENMP_START_TIMEOUT=0.2,
        )
        wait_for_shutdown(emp)
        with pytest.raises(EisenmpError, match=r"start_timeout = 0\.2"):
            emp.join()
    assert "start_timeout" in capsys.readouterr().err


def test_stop_ends_workers_that_wait_and_feeders_that_have_more() -> None:
    closed = threading.Event()

    def endless() -> Iterator[int]:
        try:
            while True:
                yield 1
        finally:
            closed.set()

    with puppet() as told:
        told.emp.run_q_feeder(generator=endless())
        told.emp.stop()
        assert not any(process.is_alive() for process in told.emp.proc_list)
        assert closed.is_set()
        assert told.emp.begin_proc_shutdown is True


# -- 24: a feeder whose rows nobody reads spun until the end ------------------------------------------


def test_rows_that_nobody_reads_do_not_hold_up_the_end() -> None:
    with stopped_at_the_end() as emp:
        emp.queue_cust_dict_std_create(("unread", 1))
        emp.start(**configuration("collect_worker.py", RESULTS_STORE=True))
        feed = emp.run_q_feeder(generator=iter(range(5000)), input_q=emp.queue_cust_dict_std["unread"])
        emp.run_q_feeder(generator=iter([1]))
        wait_for_shutdown(emp)
        with pytest.raises(EisenmpError, match="'unread' not done"):
            emp.join()
        assert feed.missing


# -- 25: there was no way to wait for the end of a manager --------------------------------------------


def test_join_waits_for_managers_that_run_at_the_same_time() -> None:
    with stopped_at_the_end() as one, stopped_at_the_end() as two:
        for emp in one, two:
            emp.start(**configuration("collect_worker.py", RESULTS_STORE=True, ROWS_MAX=1))
            emp.run_q_feeder(generator=iter(range(50)))
        for emp in one, two:
            emp.join()
            assert emp.begin_proc_shutdown is True
            assert len(emp.e_utilsResult.result_dict[INPUT]) == 51


# -- of the texts: a worker may loop by itself, and take as many lists as it likes in one call --------


@pytest.mark.parametrize("procs", [1, 2, 3])
def test_a_worker_with_a_loop_of_its_own(procs: int) -> None:
    with stopped_at_the_end() as emp:
        emp.start(**configuration("own_loop_worker.py", PROCS_MAX=procs, ROWS_MAX=3, RESULTS_STORE=True))
        emp.run_q_feeder(generator=iter(range(400)))
        wait_for_shutdown(emp)
        results = emp.e_utilsResult.result_dict[INPUT]
        assert sorted(row for _, rows in results for row in rows) == list(range(400))
        assert len({number for number, _ in results}) == len(results) == 134


def test_rows_left_by_workers_that_end_early_are_named_exactly() -> None:
    for rows, lost in (6, 0), (7, 1), (9, 1):
        with stopped_at_the_end() as emp:
            emp.start(**configuration("one_list_worker.py", PROCS_MAX=2, ROWS_MAX=3, RESULTS_STORE=True))
            emp.run_q_feeder(generator=iter(range(rows)))
            wait_for_shutdown(emp)
            # two workers take a list each: 0..5; a list that has nothing but STOP is no loss
            assert sorted(row for _, part in emp.e_utilsResult.result_dict[INPUT] for row in part) == list(
                range(6)
            )
            if lost:
                with pytest.raises(EisenmpError, match=f"{lost} tickets of queue"):
                    emp.join()
            else:
                emp.join()
