"""What workers of 1.0 put into mp_output_q, mp_print_q and mp_info_q, and what becomes of it."""

from __future__ import annotations

from typing import Any

import pytest

import eisenmp
import eisenmp.utils.eisenmp_utils as e_utils
from eisenmp.manager.legacy import BOX_MAX
from tests.compat.managers import configuration, stopped_at_the_end, wait_for_shutdown

Console = pytest.CaptureFixture[str]
INPUT = "mp_input_q (default)"


def run(worker: str, rows: Any, **attributes: Any) -> eisenmp.Mp:
    """A manager that has fed the rows to one worker and is down."""
    with stopped_at_the_end() as emp:
        emp.start(**{**configuration("says_worker.py"), **attributes, "say": worker})
        emp.run_q_feeder(generator=iter(rows))
        wait_for_shutdown(emp)
    return emp


def results_of(emp: eisenmp.Mp) -> dict[str, list[tuple[str, Any]]]:
    return emp.e_utilsResult.result_dict


# -- storing ---------------------------------------------------------------------------------------


def test_results_are_stored_under_the_text_before_the_ticket() -> None:
    emp = run("prefixed", [1, 2, 3], ROWS_MAX=2, RESULTS_STORE=True)
    assert results_of(emp) == {"cfhh_" + INPUT: [("_TID_0", [1, 2]), ("_TID_1", [3])]}
    assert e_utils.Result.result_dict["cfhh_" + INPUT][-2:] == [("_TID_0", [1, 2]), ("_TID_1", [3])]


def test_a_header_of_the_workers_own_is_a_key_too() -> None:
    assert results_of(run("own_header", [1], RESULTS_STORE=True)) == {"AUDIO": [("_TID_0", [1])]}


def test_several_outputs_of_one_list_are_stored_in_the_order_sent() -> None:
    emp = run("several", [1, 2], RESULTS_STORE=True)
    assert results_of(emp) == {INPUT: [("_TID_0", 1), ("_TID_0", 2)]}


@pytest.mark.parametrize("switch", ["RESULTS_STORE", "store_result"])
@pytest.mark.parametrize("value", [False, None])
def test_nothing_is_stored_without_the_switch(switch: str, value: bool | None) -> None:
    emp = run("rows", [1], **{switch: value})
    assert results_of(emp) == {}
    assert emp.output_q_box == {0: ["OUTPUT_HEADER" + INPUT + ";_TID_0;", [1]]}, "the box has it all the same"


@pytest.mark.parametrize("worker", ["no_ticket", "no_list", "no_header", "short"])
def test_what_has_no_ticket_or_no_header_is_not_stored(worker: str) -> None:
    assert results_of(run(worker, [1], RESULTS_STORE=True)) == {}


def test_the_answer_to_a_stop_list_is_not_stored() -> None:
    emp = run("rows", range(4), ROWS_MAX=1, RESULTS_STORE=True, RESULTS_PRINT=True, PROCS_MAX=2)
    assert list(results_of(emp)) == [INPUT]
    assert "OUTPUT_HEADEROUTPUT_HEADER" in [message[0] for message in emp.output_q_box.values()], (
        "it was sent"
    )
    assert sorted(number for number, _ in results_of(emp)[INPUT]) == [f"_TID_{n}" for n in range(5)]


def test_every_result_is_stored_when_begin_proc_shutdown_turns_true() -> None:
    with stopped_at_the_end() as emp:
        emp.start(**configuration("says_worker.py", say="rows", ROWS_MAX=1, RESULTS_STORE=True, PROCS_MAX=2))
        emp.run_q_feeder(generator=iter(range(300)))
        wait_for_shutdown(emp)
        assert len(results_of(emp)[INPUT]) == 301
        assert sorted(emp.stop_list) == sorted(process.name for process in emp.proc_list)


def test_results_of_two_managers_do_not_mix_and_the_class_has_both() -> None:
    with stopped_at_the_end() as one, stopped_at_the_end() as two:
        for emp, rows in (one, [1]), (two, [2]):
            emp.start(**configuration("says_worker.py", say="rows", RESULTS_STORE=True))
            emp.run_q_feeder(generator=iter(rows))
        wait_for_shutdown(one)
        wait_for_shutdown(two)
        assert results_of(one) == {INPUT: [("_TID_0", [1])]}
        assert results_of(two) == {INPUT: [("_TID_0", [2])]}
        assert sorted(e_utils.Result.result_dict[INPUT]) == [("_TID_0", [1]), ("_TID_0", [2])]


def test_a_second_run_of_a_program_does_not_see_the_results_of_the_first() -> None:
    run("rows", [1], RESULTS_STORE=True)
    first = e_utils.Result.result_dict
    assert first == {INPUT: [("_TID_0", [1])]}
    run("rows", [2], RESULTS_STORE=True)
    assert e_utils.Result.result_dict == {INPUT: [("_TID_0", [2])]}
    assert first == {INPUT: [("_TID_0", [1])]}, "who holds the results of the first run still has them"


def test_a_program_may_take_the_dict_before_it_starts_its_managers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(e_utils.Result, "result_dict", {})
    taken = e_utils.Result.result_dict
    run("rows", [1], RESULTS_STORE=True)
    assert taken == {INPUT: [("_TID_0", [1])]}


# -- STOP as data ----------------------------------------------------------------------------------

AWKWARD = ["a", "STOP", "b", "NONSTOP", ["STOP"], ("x", "STOP"), "STOPPED", b"STOP", "c"]


@pytest.mark.parametrize("rows_max", [1, 2, 100])
@pytest.mark.parametrize("worker", ["in_list", "in_text", "by_equality", "by_identity_and_equality"])
def test_rows_with_the_text_stop_are_data(worker: str, rows_max: int) -> None:
    emp = run(worker, AWKWARD, ROWS_MAX=rows_max, RESULTS_STORE=True)
    results = sorted(results_of(emp)[INPUT], key=lambda result: int(result[0].removeprefix("_TID_")))
    assert [row for _, rows in results for row in rows] == AWKWARD


def test_findings_with_the_text_stop_are_printed(capsys: Console) -> None:
    run("rows", AWKWARD, RESULTS_PRINT=True, RESULT_LABEL="awkward")
    printed = (
        capsys.readouterr().out.partition("--- Result for [awkward]---\n")[2].partition("    --- END ---")[0]
    )
    assert printed.split("\n\n") == [*("\n" + str(AWKWARD[0]), *map(str, AWKWARD[1:])), ""]


def test_a_worker_that_compares_with_the_literal_sees_the_end() -> None:
    emp = run("literal", ["a", "b", "c"], ROWS_MAX=2, RESULTS_STORE=True)
    assert results_of(emp) == {INPUT: [("_TID_0", ["a", "b"]), ("_TID_1", ["c"])]}


# -- the end ---------------------------------------------------------------------------------------


def test_other_workers_get_a_list_with_stop() -> None:
    with stopped_at_the_end() as emp:
        emp.queue_cust_dict_std_create(("told", 4))
        emp.start(**configuration("says_worker.py", say="tell_list", PROCS_MAX=3))
        emp.run_q_feeder(generator=iter([1]))
        told = sorted((emp.queue_cust_dict_std["told"].get() for _ in range(3)), key=str)
        wait_for_shutdown(emp)
    last, *others = sorted(told, key=lambda entry: entry["list"][0] == "OUTPUT_HEADER")
    assert last["list"] == [INPUT + ";_TID_0;", 1, "STOP"]
    assert [entry["list"] for entry in others] == [["OUTPUT_HEADER", "STOP"]] * 2
    assert all(entry["kind"] == "list" and entry["in"] and entry["in_1"] for entry in others)
    assert all(entry["literal_in"] and entry["literal_in_1"] for entry in others)


def test_a_feeder_ends_its_own_queue_only() -> None:
    with stopped_at_the_end() as emp:
        emp.queue_cust_dict_std_create(("short", 1), ("long", 1))
        std = emp.queue_cust_dict_std
        emp.start(
            **configuration("says_worker.py", say="read_own", PROCS_MAX=2, RESULTS_STORE=True, ROWS_MAX=1)
        )
        emp.run_q_feeder(generator=iter([1]), input_q=std["short"])
        emp.proc_list[0].join()
        assert emp.begin_proc_shutdown is False
        emp.run_q_feeder(generator=iter(range(5)), input_q=std["long"])
        wait_for_shutdown(emp)
        assert {key: len(results) for key, results in results_of(emp).items()} == {"short": 2, "long": 6}


@pytest.mark.parametrize("said_to", ["start", "run_q_feeder"])
def test_stop_msg_disable_sends_no_stop_lists(said_to: str) -> None:
    said: dict[str, Any] = {"stop_msg_disable": True}
    at_start, at_feeder = (said, {}) if said_to == "start" else ({}, said)
    with stopped_at_the_end() as emp:
        emp.queue_cust_dict_std_create(("told", 4))
        emp.start(**configuration("says_worker.py", say="tell_or_empty", PROCS_MAX=2), **at_start)
        emp.run_q_feeder(generator=iter([1]), **at_feeder)
        told = [emp.queue_cust_dict_std["told"].get() for _ in range(2)]
        assert sorted(map(str, told)) == sorted(["Empty", str([INPUT + ";_TID_0;", 1, "STOP"])])


# -- printing and counting -------------------------------------------------------------------------


def test_what_is_put_into_the_print_queue_is_printed_whole_and_kept(capsys: Console) -> None:
    emp = run("print_things", [1])
    out = capsys.readouterr().out
    assert "\n{'a': [1, 2]}\nline one\n  line two\n('a tuple', 1)\nNone\n" in out
    assert [message for message in emp.print_q_box if message is None or "\tgen" not in str(message)][:4] == [
        {"a": [1, 2]}, "line one\n  line two", ("a tuple", 1), None,
    ]  # fmt: skip


def test_the_manager_prints_by_its_queue_too(capsys: Console) -> None:
    with stopped_at_the_end() as emp:
        emp.start(**configuration("says_worker.py", say="rows"))
        emp.mp_print_q.put("\tDownload large list")
        emp.run_q_feeder(generator=iter([1]))
        wait_for_shutdown(emp)
    assert "\n\tDownload large list\n" in capsys.readouterr().out


def test_lines_of_several_workers_do_not_interleave(capsys: Console) -> None:
    run("print_blocks", range(40), ROWS_MAX=1, PROCS_MAX=2)
    lines = capsys.readouterr().out.splitlines()
    starts = [number for number, line in enumerate(lines) if line.startswith("block ")]
    assert len(starts) == 41
    for start in starts:
        assert lines[start + 1 : start + 4] == [f"  {part} of {lines[start]}" for part in range(3)]


def test_messages_of_the_info_queue_are_kept_and_counted_without_info_enable() -> None:
    emp = run("eta", range(5), ROWS_MAX=2)
    assert list(emp.info_q_box.values()) == [["PERF_HEADER_ETA" + emp.proc_list[0].name, 2]] * 2 + [
        ["PERF_HEADER_ETA" + emp.proc_list[0].name, 1]
    ]


def test_the_info_thread_never_shows_more_than_all(capsys: Console) -> None:
    # workers of 1.0 count the STOP row too: here 11 of 10 rows are reported done
    run("eta_with_stop", range(10), ROWS_MAX=3, INFO_ENABLE=True, INFO_THREAD_MAX=10)
    out = capsys.readouterr().out
    assert '[ "100.0%" done,  "0.0" seconds left ]' in out


@pytest.mark.parametrize("box", ["output_q_box", "print_q_box", "info_q_box"])
def test_boxes_are_bounded(box: str, capsys: Console) -> None:
    emp = run("flood", range(2 * BOX_MAX + 1), ROWS_MAX=500, PROCS_MAX=1)
    kept = getattr(emp, box)
    messages = list(kept.values()) if isinstance(kept, dict) else list(kept)
    assert BOX_MAX <= len(messages) <= 2 * BOX_MAX
    assert "last" in str(messages[-1]), "the newest are kept"


# -- findings --------------------------------------------------------------------------------------


def findings(out: str, label: str) -> list[str]:
    between = out.partition(f"\n--- Result for [{label}]---\n")[2].partition("\n    --- END ---\n")[0]
    return [line for line in between.split("\n") if line]


def test_results_print_shows_the_rows_of_all_results(capsys: Console) -> None:
    run("rows", [3, 1, 3, ""], RESULTS_PRINT=True, RESULT_LABEL="sorted not")
    assert findings(capsys.readouterr().out, "sorted not") == ["3", "1", "3"]


def test_results_print_shows_each_word_once_behind_three_dots(capsys: Console) -> None:
    run("dotted", ["schilfrohr", "rohrschilf", "schilfrohr"], RESULTS_PRINT=True, RESULT_LABEL="words")
    assert findings(capsys.readouterr().out, "words") == [" schilfrohr", " rohrschilf"]


def test_results_print_without_a_list_and_without_a_ticket(capsys: Console) -> None:
    run("no_ticket", ["x"], RESULTS_PRINT=True)
    assert findings(capsys.readouterr().out, 'add a "RESULT_LABEL" var') == ["['x']"]


def test_results_dict_print(capsys: Console) -> None:
    run("rows", [1, 2], RESULTS_STORE=True, RESULTS_DICT_PRINT=True)
    assert "\n{'mp_input_q (default)': [('_TID_0', [1, 2])]}\n" in capsys.readouterr().out


def test_print_findings_may_be_called(capsys: Console) -> None:
    emp = run("rows", [1], RESULTS_PRINT=True, RESULT_LABEL="again")
    capsys.readouterr()
    emp.print_findings()
    assert findings(capsys.readouterr().out, "again") == ["1"]
