"""The manager's names of 1.0, one test for each row of what its programs rely on."""

from __future__ import annotations

import importlib
import os
import threading
from collections.abc import Iterator
from contextlib import nullcontext
from typing import Any

import pytest

import eisenmp
import eisenmp.utils.eisenmp_constants as const
import eisenmp.utils.eisenmp_utils as e_utils
from eisenmp.wire.platform import portable
from tests import leaks
from tests.compat.managers import configuration, module, stopped_at_the_end, wait_for_shutdown

STANDARD = ["mp_input_q", "mp_output_q", "mp_print_q", "mp_tools_q", "mp_info_q"]


@pytest.fixture
def emp() -> Iterator[eisenmp.Mp]:
    with stopped_at_the_end() as manager:
        yield manager


# -- imports ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name", ["eisenmp.utils_exa", "eisenmp.utils_exa.eisenmp_utils", "eisenmp.eisenmp_exa_prime"]
)
def test_examples_are_not_below_the_package(name: str) -> None:
    # programs try these names first and go on with eisenmp_examples upon ImportError
    with pytest.raises(ImportError):
        importlib.import_module(name)
    if name.count(".") == 1:
        with pytest.raises(ImportError):
            exec(f"from eisenmp import {name.partition('.')[2]}")


def test_import_paths() -> None:
    assert e_utils.Result is importlib.import_module("eisenmp.utils.eisenmp_utils").Result
    assert const.STOP_MSG == "STOP"
    assert eisenmp.Mp is not None


# -- before the start ------------------------------------------------------------------------------


def test_a_new_manager_has_no_process_and_no_thread() -> None:
    before = leaks.snapshot()
    managers = [eisenmp.Mp() for _ in range(8)]
    assert leaks.leaked(before) == ()
    assert all(emp.proc_list == [] for emp in managers)


def test_kwargs_before_the_start(emp: eisenmp.Mp) -> None:
    assert emp.kwargs is None
    assert emp.kwargs_env == {}


def test_begin_proc_shutdown_is_false_before_the_start_and_may_be_written(emp: eisenmp.Mp) -> None:
    assert emp.begin_proc_shutdown is False
    emp.begin_proc_shutdown = True
    emp.all_threads_stop = True
    assert emp.begin_proc_shutdown is True
    emp.reset()
    assert (emp.begin_proc_shutdown, emp.all_threads_stop) == (False, False)


@pytest.mark.parametrize("name", [*STANDARD, "mp_process_q"])
def test_standard_queues_are_there(emp: eisenmp.Mp, name: str) -> None:
    queue = getattr(emp, name)
    assert queue.maxsize == 1
    assert all(callable(getattr(queue, method)) for method in ("put", "get", "empty", "full", "qsize"))


def test_queue_std_dict(emp: eisenmp.Mp) -> None:
    assert sorted(emp.queue_std_dict) == sorted(STANDARD)
    assert all(emp.queue_std_dict[name] is getattr(emp, name) for name in STANDARD)


def test_queue_cust_dict_std_create(emp: eisenmp.Mp) -> None:
    emp.queue_cust_dict_std_create(("mp_blue_q", 1), ("mp_yellow_q", 7))
    assert list(emp.queue_cust_dict_std) == ["mp_blue_q", "mp_yellow_q"]
    assert emp.queue_cust_dict_std["mp_yellow_q"].maxsize == 7


def test_queue_cust_dict_category_create(emp: eisenmp.Mp) -> None:
    emp.queue_cust_dict_category_create(
        ("batch_1", "audio_lg", 5), ("batch_1", "video_in", 1), ("b7", "v", 1)
    )
    assert {category: list(queues) for category, queues in emp.queue_cust_dict_cat.items()} == {
        "batch_1": ["audio_lg", "video_in"],
        "b7": ["v"],
    }
    assert emp.queue_cust_dict_cat["batch_1"]["audio_lg"].name == "batch_1|audio_lg"


def test_a_duplicate_name_is_a_value_error_and_ends_the_call(emp: eisenmp.Mp) -> None:
    emp.queue_cust_dict_std_create(("a", 1))
    with pytest.raises(ValueError, match="'a'"):
        emp.queue_cust_dict_std_create(("b", 1), ("a", 1), ("c", 1))
    assert list(emp.queue_cust_dict_std) == ["a", "b"]
    emp.queue_cust_dict_category_create(("cat", "a", 1))
    with pytest.raises(ValueError, match=r"'cat\|a'"):
        emp.queue_cust_dict_category_create(("cat", "a", 1), ("cat", "d", 1))
    assert list(emp.queue_cust_dict_cat["cat"]) == ["a"]


def test_q_name_id_lst_and_queue_lst_get(emp: eisenmp.Mp) -> None:
    emp.queue_cust_dict_std_create(("blue", 1))
    emp.queue_cust_dict_category_create(("batch_1", "audio", 1))
    blue, audio = emp.queue_cust_dict_std["blue"], emp.queue_cust_dict_cat["batch_1"]["audio"]
    assert emp.q_name_id_lst == [
        ("mp_input_q (default)", id(emp.mp_input_q), emp.mp_input_q),
        ("blue", id(blue), blue),
        ("batch_1|audio", id(audio), audio),
    ]
    assert emp.queue_lst_get() == [emp.mp_input_q, blue, audio]


def test_core_count_get_is_never_zero(monkeypatch: pytest.MonkeyPatch) -> None:
    assert eisenmp.Mp.core_count_get() == eisenmp.usable_cpus() >= 1
    monkeypatch.setattr(os, "cpu_count", lambda: 1)
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {0})
    assert eisenmp.Mp.core_count_get() == 1


def test_collections_before_the_start(emp: eisenmp.Mp) -> None:
    assert (list(emp.print_q_box), emp.output_q_box, emp.info_q_box) == ([], {}, {})
    assert (emp.result_lst, emp.stop_list, emp.thread_list) == ([], [], [])
    assert (emp.pi, emp.q_max_size, emp.pipe_default_dict) == (None, 1, {})
    assert emp.PROCS_MAX == eisenmp.usable_cpus()
    assert isinstance(emp.e_utilsResult, e_utils.Result)


# -- the start -------------------------------------------------------------------------------------


def test_start_without_arguments_starts_nothing(emp: eisenmp.Mp, capsys: pytest.CaptureFixture[str]) -> None:
    emp.start()
    assert emp.kwargs == {}
    assert emp.proc_list == []
    assert "No Worker Module to start" in capsys.readouterr().out


def test_collectors_run_without_processes(emp: eisenmp.Mp, capsys: pytest.CaptureFixture[str]) -> None:
    emp.enable_print_q()
    emp.enable_output_q()
    emp.enable_info_q()
    emp.enable_info_thread()
    emp.enable_q_box_threads()
    emp.mp_print_q.put("hello")
    emp.mp_output_q.put(["OUTPUT_HEADERx;_TID_0;", 1])
    emp.mp_info_q.put(["PERF_HEADER_ETA", 3])
    emp.stop_thread()
    emp.end_thread()
    emp.stop()
    assert capsys.readouterr().out == "hello\n"
    assert list(emp.print_q_box) == ["hello"]
    assert emp.output_q_box == {0: ["OUTPUT_HEADERx;_TID_0;", 1]}
    assert emp.info_q_box == {0: ["PERF_HEADER_ETA", 3]}


def test_proc_list_has_procs_max_entries_right_after_the_start(emp: eisenmp.Mp) -> None:
    emp.start(**configuration("probe_worker.py", PROCS_MAX=3))
    assert len(emp.proc_list) == emp.PROCS_MAX == 3


def test_procs_max_none_is_a_process_for_each_usable_cpu(emp: eisenmp.Mp) -> None:
    emp.start(**configuration("probe_worker.py", PROCS_MAX=None))
    assert len(emp.proc_list) == eisenmp.usable_cpus()


def test_kwargs_are_those_of_the_start_and_kwargs_env_has_the_queues_too(emp: eisenmp.Mp) -> None:
    emp.queue_cust_dict_std_create(("mp_tell_q", 1))
    emp.queue_cust_dict_category_create(("cat", "q", 1))
    user_dict = {"com_in": None}
    attributes = configuration("probe_worker.py", PROCS_MAX=2, user_dict=user_dict)
    emp.start(**attributes)
    assert emp.kwargs == attributes
    emp.kwargs["user_dict"]["com_in"] = 1
    assert user_dict == {"com_in": 1}
    env = emp.kwargs_env
    assert env["START_SEQUENCE_NUM"] == 1, "of the process that was started last"
    assert env["user_dict"] is user_dict
    assert env["mp_tell_q"] is emp.queue_cust_dict_std["mp_tell_q"]
    assert env["cat"] == emp.queue_cust_dict_cat["cat"]
    assert all(env[name] is getattr(emp, name) for name in STANDARD)
    assert env["ALL_QUEUES_LIST"] == emp.queue_lst_get()


def test_a_manager_may_be_started_again_when_its_workers_are_down(emp: eisenmp.Mp) -> None:
    for run in 1, 2:
        emp.start(**configuration("collect_worker.py", RESULTS_STORE=True))
        emp.run_q_feeder(generator=iter([run]))
        wait_for_shutdown(emp)
        assert emp.e_utilsResult.result_dict == {"mp_input_q (default)": [("_TID_0", [run])]}
    assert len(emp.stop_list) == 2


def test_each_start_has_its_own_settings_and_needs_no_poll_before_it(emp: eisenmp.Mp) -> None:
    emp.start(**configuration("collect_worker.py", RESULTS_STORE=True, ROWS_MAX=1, PROCS_MAX=2))
    emp.run_q_feeder(generator=iter([1]))
    for process in emp.proc_list:
        process.join()
    emp.start(**configuration("collect_worker.py", ROWS_MAX=None))
    assert (emp.PROCS_MAX, emp.settings.rows_max, emp.settings.results_store) == (1, 1000, False)
    with pytest.raises(eisenmp.EisenmpError, match="started already"):
        emp.start(**configuration("collect_worker.py"))


@pytest.mark.parametrize(
    "spelling", ["upper", "lower", "reference first", "empty rows", "lower, reference first"]
)
def test_rows_of_worker_modules(emp: eisenmp.Mp, spelling: str) -> None:
    row = module("collect_worker.py")
    if "lower" in spelling:
        row = {key.lower(): value for key, value in row.items()}
    if "reference first" in spelling:
        row = dict(reversed(list(row.items())))
    rows: list[Any] = [{}, row, {}] if spelling == "empty rows" else [row]
    emp.start(worker_modules=rows, PROCS_MAX=1, RESULTS_STORE=True)
    emp.run_q_feeder(generator=iter([1]))
    wait_for_shutdown(emp)
    assert emp.e_utilsResult.result_dict == {"mp_input_q (default)": [("_TID_0", [1])]}


@pytest.mark.parametrize("method", ["spawn", "fork", "forkserver"])
def test_start_method(emp: eisenmp.Mp, method: str) -> None:
    cannot_fork = portable() and method != "spawn"
    with pytest.warns(RuntimeWarning, match="not forked") if cannot_fork else nullcontext():
        emp.start(**configuration("collect_worker.py", RESULTS_STORE=True, START_METHOD=method))
    emp.run_q_feeder(generator=iter([1]))
    wait_for_shutdown(emp)
    assert emp.e_utilsResult.result_dict == {"mp_input_q (default)": [("_TID_0", [1])]}


# -- feeding ---------------------------------------------------------------------------------------


def feed_all(emp: eisenmp.Mp, rows: Any, **keywords: Any) -> dict[str, list[tuple[str, Any]]]:
    emp.run_q_feeder(generator=rows, **keywords)
    wait_for_shutdown(emp)
    return emp.e_utilsResult.result_dict


@pytest.mark.parametrize(
    ("count", "lists"),
    [(0, [[]]), (1, [[0]]), (4, [[0, 1, 2], [3]]), (6, [[0, 1, 2], [3, 4, 5], []])],
    ids=["none", "one", "some left", "a multiple"],
)
def test_rows_max_cuts_lists_and_the_last_one_is_never_full(
    emp: eisenmp.Mp, count: int, lists: list[list[int]]
) -> None:
    emp.start(**configuration("collect_worker.py", RESULTS_STORE=True, ROWS_MAX=3))
    assert feed_all(emp, iter(range(count))) == {
        "mp_input_q (default)": [(f"_TID_{number}", rows) for number, rows in enumerate(lists)]
    }


def test_rows_max_none_is_a_thousand(emp: eisenmp.Mp) -> None:
    emp.start(**configuration("collect_worker.py", RESULTS_STORE=True, ROWS_MAX=None))
    results = feed_all(emp, iter(range(1001)))["mp_input_q (default)"]
    assert [len(rows) for _, rows in results] == [1000, 1]


def test_unknown_keywords_of_a_feeder_are_accepted(emp: eisenmp.Mp) -> None:
    emp.start(**configuration("collect_worker.py", RESULTS_STORE=True))
    assert feed_all(emp, iter([1]), info_td_exec="x", foo=3) == {"mp_input_q (default)": [("_TID_0", [1])]}


def test_header_msg_stands_in_the_header_and_feeder_input_q_is_the_queue(emp: eisenmp.Mp) -> None:
    emp.queue_cust_dict_std_create(("other", 1))
    emp.start(**configuration("collect_worker.py", RESULTS_STORE=True, ROWS_MAX=2, read_q="other"))
    queue = emp.queue_cust_dict_std["other"]
    assert feed_all(emp, iter([1, 2, 3]), feeder_input_q=queue, header_msg="BATCH_1_A") == {
        "BATCH_1_A": [("_TID_0", [1, 2]), ("_TID_1", [3])]
    }


def test_q_feeder_feeds_by_kwargs_in_the_calling_thread(emp: eisenmp.Mp) -> None:
    emp.kwargs = {"generator": iter(range(4)), "ROWS_MAX": 3}
    lists: list[Any] = []
    reader = threading.Thread(target=lambda: lists.extend(emp.mp_input_q.get() for _ in range(2)))
    reader.start()
    emp.q_feeder()
    reader.join()
    assert lists == [["mp_input_q (default);_TID_0;", 0, 1, 2], ["mp_input_q (default);_TID_1;", 3, "STOP"]]


# -- results ---------------------------------------------------------------------------------------


def test_result_dict_update_appends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(e_utils.Result, "result_dict", {})
    e_utils.Result().result_dict_update("PRIME_NUM", ("_TID_0", [7]))
    e_utils.Result().result_dict_update("PRIME_NUM", ("_TID_1", [11]))
    assert e_utils.Result.result_dict == {"PRIME_NUM": [("_TID_0", [7]), ("_TID_1", [11])]}


def test_consecutive_number() -> None:
    numbers = e_utils.consecutive_number()
    assert [next(numbers) for _ in range(3)] == [0, 1, 2]


def test_thread_shutdown_wait() -> None:
    go = threading.Event()
    thread = threading.Thread(target=go.wait, name="eisenmp_test")
    other = threading.Thread(target=e_utils.thread_shutdown_wait, args=("eisenmp_test", "no such thread"))
    thread.start()
    other.start()
    other.join(0.02)
    assert other.is_alive()
    go.set()
    other.join()
    assert not thread.is_alive()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ROWS_MAX", 1000),
        ("PERF_HEADER_ETA", "PERF_HEADER_ETA"),
        ("STOP_MSG", "STOP"),
        ("STOP_CONFIRM", "WORKER_STOPS"),
        ("STOP_PROCESS", "STOP_PROC"),
        ("OUTPUT_HEADER", "OUTPUT_HEADER"),
        ("RESULTS_STORE", False),
        ("PROCS_MAX", None),
        ("RESULT_LABEL", 'add a "RESULT_LABEL" var'),
        ("TICKET_ID_PREFIX", "_TID_"),
        ("ALL_QUEUES_LIST", "ALL_QUEUES_LIST"),
    ],
)
def test_constants(name: str, value: object) -> None:
    assert getattr(const, name) == value
