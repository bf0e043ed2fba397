"""What a worker of 1.0 finds in its toolbox: one look by two workers, then a test for each name."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

import eisenmp
from tests.compat.managers import configuration, module, puppet, stopped_at_the_end, wait_for_shutdown

QUEUES = ["mp_input_q", "mp_output_q", "mp_print_q", "mp_tools_q", "mp_info_q", "mp_process_q"]
Seen = list[dict[str, Any]]


@pytest.fixture(scope="module")
def seen() -> Iterator[Seen]:
    """What each of two workers told, in the order of their slots."""
    with stopped_at_the_end() as emp:
        emp.queue_cust_dict_std_create(("mp_tell_q", 2), ("clash", 1))
        emp.queue_cust_dict_category_create(("batch_1", "audio_lg", 5), ("batch_1", "video_in", 1))
        emp.start(
            **configuration("probe_worker.py", PROCS_MAX=2),
            user_dict={"a": [1, 2]},
            multi_tool_get=True,
            header_aud=None,
            NEXT_LIST="mine",
            MULTI_TOOL="tool",
            WORKER_ID="mine",
            STOP_MSG="mine",
            START_SEQUENCE_NUM="mine",
            clash="mine",
            print="mine",
        )
        told = [emp.queue_cust_dict_std["mp_tell_q"].get() for _ in range(2)]
        wait_for_shutdown(emp)
        first = min(entry["toolbox"]["WORKER_ID"] for entry in told)
        yield [
            {**entry, "first": first}
            for entry in sorted(told, key=lambda entry: entry["toolbox"]["WORKER_ID"])
        ]


def test_start_sequence_num_counts_from_zero(seen: Seen) -> None:
    assert [entry["toolbox"]["START_SEQUENCE_NUM"] for entry in seen] == [0, 1]
    assert [entry["kwargs"]["START_SEQUENCE_NUM"] for entry in seen] == [0, 1]


def test_worker_id_name_and_pid(seen: Seen) -> None:
    for number, entry in enumerate(seen, seen[0]["first"]):
        toolbox = entry["toolbox"]
        assert toolbox["WORKER_ID"] == toolbox["worker_id"] == number
        assert toolbox["WORKER_NAME"] == f"Process-{number}" == entry["process"]
        assert toolbox["WORKER_PID"] == entry["pid"]
        assert toolbox["STOP_CONFIRM_AND_PROCNAME"] == f"WORKER_STOPSProcess-{number}"


def test_ids_go_on_rising_over_the_managers_of_a_program() -> None:
    with puppet() as first, puppet() as second:
        one, two = first.ask("identity"), second.ask("identity")
    assert two[0] == one[0] + 1
    assert two[1] == two[3] == f"Process-{two[0]}"


@pytest.mark.parametrize("name", QUEUES)
def test_standard_queues(seen: Seen, name: str) -> None:
    kind = seen[0]["toolbox"][name]
    assert kind.endswith("Queue")
    assert seen[0]["kwargs"][name] == kind


def test_custom_queues(seen: Seen) -> None:
    assert seen[0]["toolbox"]["mp_tell_q"] == seen[0]["kwargs"]["mp_tell_q"] == "WorkerQueue"
    assert seen[0]["toolbox"]["clash"] == "WorkerQueue", (
        "as in 1.0, a queue goes before a variable of its name"
    )


def test_categories(seen: Seen) -> None:
    # the worker cannot send its queues as they are: what it sends is found again by name
    queues = seen[0]["toolbox"]["batch_1"]
    assert {name: queue.name for name, queue in queues.items()} == {
        "audio_lg": "batch_1|audio_lg",
        "video_in": "batch_1|video_in",
    }


def test_all_queues_list_and_names_with_ids_of_the_worker(seen: Seen) -> None:
    assert seen[0]["toolbox"]["ALL_QUEUES_LIST"] == ["WorkerQueue"] * 5
    assert seen[0]["q_name_id_lst"] == [
        ("mp_input_q (default)", True),
        ("mp_tell_q", True),
        ("clash", True),
        ("batch_1|audio_lg", True),
        ("batch_1|video_in", True),
    ]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("OUTPUT_HEADER", "OUTPUT_HEADER"),
        ("PERF_HEADER_ETA", "PERF_HEADER_ETA"),
        ("PERF_CURRENT_ETA", None),
        ("INPUT_HEADER", ""),
        ("multi_tool_get", True),
        ("header_aud", None),
        ("user_dict", {"a": [1, 2]}),
        ("NEXT_LIST", "mine"),
        ("MULTI_TOOL", "tool"),
        ("print", "mine"),
        ("PROCS_MAX", 2),
    ],
)
def test_values(seen: Seen, name: str, value: object) -> None:
    assert seen[1]["toolbox"][name] == value


def test_stop_msg_is_ours_and_shown_as_stop(seen: Seen) -> None:
    assert str(seen[0]["toolbox"]["STOP_MSG"]) == "STOP"
    assert f"{seen[0]['toolbox']['STOP_MSG']}" == "STOP"
    assert not seen[0]["token_is_stop"], "a text of the user's never equals it"


def test_kwargs_are_the_same_objects(seen: Seen) -> None:
    assert seen[0]["same"]
    assert seen[0]["kwargs"]["multi_tool_get"] is True
    assert seen[0]["kwargs"]["worker_modules"] == [module("probe_worker.py")]


def test_defaults_of_names_that_no_configuration_gave() -> None:
    with stopped_at_the_end() as emp:
        emp.queue_cust_dict_std_create(("mp_tell_q", 1))
        emp.start(**configuration("probe_worker.py", user_dict={}))
        toolbox = emp.queue_cust_dict_std["mp_tell_q"].get()["toolbox"]
    assert (toolbox["NEXT_LIST"], toolbox["MULTI_TOOL"], toolbox["INPUT_HEADER"]) == (None, None, "")


def test_the_toolbox_is_the_same_object_in_every_call_and_globals_persist() -> None:
    with stopped_at_the_end() as emp:
        emp.start(**configuration("counting_worker.py", ROWS_MAX=1, RESULTS_STORE=True, num_lists=0))
        emp.run_q_feeder(generator=iter("abc"))
        wait_for_shutdown(emp)
        assert [row for _, row in emp.e_utilsResult.result_dict["mp_input_q (default)"]] == [
            (number, number, number) for number in (1, 2, 3, 4)
        ]


def test_modules_are_imported_in_order_and_mates_called_from_the_last_to_the_second() -> None:
    rows = [module("order_worker.py"), module("order_mate.py", "one"), module("order_mate.py", "two")]
    with stopped_at_the_end() as emp:
        emp.queue_cust_dict_std_create(("told", 1))
        emp.start(worker_modules=[*rows, {}, rows[0]], PROCS_MAX=1)
        assert emp.queue_cust_dict_std["told"].get() == [
            "import worker", "import mate", "worker", "two", "one", "worker", "worker",
        ]  # fmt: skip
        wait_for_shutdown(emp)


def test_tools_are_put_once_for_each_process() -> None:
    words = dict.fromkeys(["mango", "tea"])
    with stopped_at_the_end() as emp:
        emp.queue_cust_dict_std_create(("told", 2))
        emp.start(**configuration("tools_worker.py", PROCS_MAX=2))
        for _ in emp.proc_list:
            emp.mp_tools_q.put(words)
        assert [emp.queue_cust_dict_std["told"].get() for _ in range(2)] == [words, words]
        wait_for_shutdown(emp)


def test_settings_by_the_names_of_the_documentation() -> None:
    with stopped_at_the_end() as emp:
        emp.start(
            worker_modules=[module("collect_worker.py")], NUM_PROCS=1, NUM_ROWS=2, store_result=True,
        )  # fmt: skip
        assert len(emp.proc_list) == 1
        emp.run_q_feeder(generator=iter([1, 2, 3]))
        wait_for_shutdown(emp)
        assert emp.e_utilsResult.result_dict == {
            "mp_input_q (default)": [("_TID_0", [1, 2]), ("_TID_1", [3])]
        }


def test_num_procs_alone() -> None:
    with stopped_at_the_end() as emp:
        emp.start(worker_modules=[module("collect_worker.py")], NUM_PROCS=3)
        assert len(emp.proc_list) == 3


def test_worker_that_looks_for_its_name_in_multiprocessing() -> None:
    with puppet() as told:
        worker_id, name, pid, process = told.ask("identity")
        (slot,) = told.emp.proc_list
        assert (name, process, pid) == (slot.name, slot.name, slot.pid)
        assert name == f"Process-{worker_id}"


def test_a_variable_wins_over_a_verb_of_its_name(seen: Seen) -> None:
    assert callable(eisenmp.ToolBox.print)
    assert "print" in seen[0]["verbs"]
