"""The queues of 1.0 from the manager, from workers, from their threads, and between workers."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterator
from typing import Any

import pytest

import eisenmp
from eisenmp import Stopped
from tests.compat.managers import Puppet, configuration, module, puppet, stopped_at_the_end, wait_for_shutdown

SIDES = ["manager", "worker"]


@pytest.fixture(scope="module")
def shared() -> Iterator[Puppet]:
    """One worker for the whole module; tests leave the queues empty."""
    with stopped_at_the_end() as emp:
        emp.queue_cust_dict_std_create(("calls", 8), ("replies", 8), ("one", 1), ("three", 3))
        emp.queue_cust_dict_category_create(("cat", "q", 2))
        emp.start(**configuration("puppet_worker.py"))
        emp.mp_print_q.put("the collector's thread runs before the first test looks at threads")
        told = Puppet(emp)
        told.ask("identity")
        yield told


def do(told: Puppet, side: str, name: str, method: str, *arguments: Any, **keywords: Any) -> Any:
    """Call a method of the queue here, or have the worker do it; an error comes as ('raised', its name)."""
    if side == "worker":
        if keywords:
            return told.ask("on_queue_with", name, method, keywords)
        return told.ask("on_queue", name, method, *arguments)
    try:
        return getattr(find(told.emp, name), method)(*arguments, **keywords)
    except Exception as error:
        return "raised", type(error).__name__


def find(emp: eisenmp.Mp, name: str) -> Any:
    category, _, short = name.rpartition("|")
    if category:
        return emp.queue_cust_dict_cat[category][short]
    return emp.queue_cust_dict_std.get(short) or getattr(emp, short)


NAMES = ["mp_input_q", "mp_tools_q", "three", "cat|q"]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("putter", SIDES)
@pytest.mark.parametrize("getter", SIDES)
def test_put_and_get(shared: Puppet, name: str, putter: str, getter: str) -> None:
    value = {"n": [1, 2], "of": putter}
    assert do(shared, putter, name, "put", value) is None
    assert do(shared, getter, name, "get") == value


@pytest.mark.parametrize("side", SIDES)
@pytest.mark.parametrize("name", NAMES)
def test_empty_and_qsize(shared: Puppet, side: str, name: str) -> None:
    assert do(shared, side, name, "empty") is True
    assert do(shared, side, name, "qsize") == 0
    do(shared, side, name, "put", 1)
    assert do(shared, side, name, "empty") is False
    assert do(shared, side, name, "qsize") == 1
    assert do(shared, side, name, "get") == 1
    assert do(shared, side, name, "empty") is True


@pytest.mark.parametrize("side", SIDES)
def test_full_and_put_nowait(shared: Puppet, side: str) -> None:
    assert do(shared, side, "three", "full") is False
    for number in range(3):
        assert do(shared, side, "three", "put_nowait", number) is None
    assert do(shared, side, "three", "full") is True
    assert do(shared, side, "three", "put_nowait", 3) == ("raised", "Full")
    assert do(shared, side, "three", "put", 3, False) == ("raised", "Full")
    assert do(shared, side, "three", "put", obj=3, timeout=0.01) == ("raised", "Full")
    assert [do(shared, side, "three", "get") for _ in range(3)] == [0, 1, 2], "in the order of the puts"
    assert do(shared, side, "three", "full") is False


@pytest.mark.parametrize("side", SIDES)
@pytest.mark.parametrize("name", NAMES)
def test_get_from_an_empty_queue(shared: Puppet, side: str, name: str) -> None:
    assert do(shared, side, name, "get_nowait") == ("raised", "Empty")
    assert do(shared, side, name, "get", False) == ("raised", "Empty")
    assert do(shared, side, name, "get", timeout=0.01) == ("raised", "Empty")
    do(shared, side, name, "put", "late")
    assert do(shared, side, name, "get_nowait") == "late"


def test_the_errors_are_those_of_the_standard_library(shared: Puppet) -> None:
    blue = shared.emp.queue_cust_dict_std["one"]
    with pytest.raises(queue.Empty):
        blue.get(timeout=0.01)
    blue.put(1)
    with pytest.raises(queue.Full):
        blue.put(2, timeout=0.01)
    assert blue.get() == 1


def test_a_put_waits_for_room_and_a_get_for_an_object(shared: Puppet) -> None:
    one = shared.emp.queue_cust_dict_std["one"]
    shared.tell("on_queue", "one", "get")
    one.put("first")
    assert shared.answer() == "first"
    one.put("second")
    shared.tell("on_queue", "one", "put", "third")
    assert one.get() == "second"
    assert shared.answer() is None
    assert one.get() == "third"


@pytest.mark.parametrize("putter", SIDES)
def test_several_threads_of_the_manager(shared: Puppet, putter: str) -> None:
    got: list[int] = []
    one = shared.emp.queue_cust_dict_std["one"]
    threads = [threading.Thread(target=lambda: got.append(one.get())) for _ in range(4)]
    for thread in threads:
        thread.start()
    if putter == "worker":
        assert shared.ask("put_all", "one", [1, 2, 3, 4]) is None
    else:
        for number in 1, 2, 3, 4:
            one.put(number)
    for thread in threads:
        thread.join()
    assert sorted(got) == [1, 2, 3, 4]


def test_several_threads_of_a_worker(shared: Puppet) -> None:
    shared.tell("in_threads", "three", 5)
    for number in range(5):
        shared.emp.queue_cust_dict_std["three"].put(number)
    assert shared.answer() == [0, 1, 2, 3, 4]


def test_what_a_worker_puts_arrives_while_a_thread_of_it_waits(shared: Puppet) -> None:
    shared.tell("say_and_join", "said in between", "one")
    while "said in between" not in shared.emp.print_q_box:
        threading.Event().wait(0.01)
    shared.emp.queue_cust_dict_std["one"].put(None)
    assert shared.answer() is None


def test_from_one_worker_to_another() -> None:
    with stopped_at_the_end() as emp:
        emp.queue_cust_dict_std_create(("ping", 1), ("pong", 1), ("told", 1))
        emp.start(**configuration("ping_worker.py", PROCS_MAX=2))
        assert emp.queue_cust_dict_std["told"].get() == [number * 2 for number in range(50)]
        wait_for_shutdown(emp)


def test_queues_nested_anywhere_in_the_variables_are_the_same_queues() -> None:
    with stopped_at_the_end() as emp:
        emp.queue_cust_dict_std_create(("calls", 8), ("replies", 8), ("com_out", 1))
        emp.queue_cust_dict_category_create(("audio", "out", 1))
        std, cat = emp.queue_cust_dict_std, emp.queue_cust_dict_cat
        emp.start(
            **configuration("puppet_worker.py"),
            user_dict={
                "com": {"out": std["com_out"]},
                "radio": [("x", cat["audio"]["out"])],
                "in": emp.mp_input_q,
            },
            own=std["com_out"],
        )
        told = Puppet(emp)
        for path, name in (
            (["user_dict", "com", "out"], "com_out"),
            (["user_dict", "radio", 0, 1], "audio|out"),
            (["user_dict", "in"], "mp_input_q (default)"),
            (["own"], "com_out"),
        ):
            assert told.ask("look_up", path) == name
        assert told.ask("on_nested", ["user_dict", "com", "out"], "put", "hello") is None
        assert std["com_out"].get() == "hello"


def test_a_queue_sent_through_a_queue_is_found_by_name_on_both_sides(shared: Puppet) -> None:
    three = shared.emp.queue_cust_dict_std["three"]
    shared.emp.mp_tools_q.put({"reply": three})
    assert shared.ask("reply_into", "mp_tools_q", "done") is None
    assert three.get() == "done"


def test_a_full_queue_that_nobody_reads_does_not_hold_up_the_end() -> None:
    with stopped_at_the_end() as emp:
        emp.queue_cust_dict_std_create(("unread", 1), ("also_unread", 1))
        emp.queue_cust_dict_std["unread"].put("stays")
        emp.start(**configuration("collect_worker.py", PROCS_MAX=3, RESULTS_STORE=True, ROWS_MAX=1))
        emp.run_q_feeder(generator=iter(range(20)))
        wait_for_shutdown(emp)
        assert len(emp.e_utilsResult.result_dict["mp_input_q (default)"]) == 21
        assert emp.queue_cust_dict_std["unread"].qsize() == 1


def test_a_put_to_a_stopped_manager_is_an_error() -> None:
    with puppet() as told:
        calls = told.calls
    with pytest.raises(Stopped):
        calls.put(1)
    with pytest.raises(Stopped):
        calls.get()


# -- mp_process_q ----------------------------------------------------------------------------------


@pytest.mark.parametrize("message", ["STOP_PROC", ["STOP_PROC"], ("STOP_PROC",)], ids=repr)
@pytest.mark.parametrize("side", SIDES)
def test_stop_proc_stops_all_workers_after_the_running_cycle(side: str, message: object) -> None:
    with puppet(PROCS_MAX=3) as told:
        if side == "manager":
            told.emp.mp_process_q.put(message)
        else:
            # the cycle goes on to its end: the answer comes
            assert told.ask("on_queue", "mp_process_q", "put", message) is None
        wait_for_shutdown(told.emp)
        assert [process.exitcode for process in told.emp.proc_list] == [0, 0, 0]
        assert len(told.emp.stop_list) == 3


@pytest.mark.parametrize("side", SIDES)
def test_stop_proc_with_a_name_stops_that_worker(side: str) -> None:
    with puppet(PROCS_MAX=2) as told:
        ended, other = told.emp.proc_list
        message = ["STOP_PROC", ended.name]
        if side == "manager":
            told.emp.mp_process_q.put(message)
        else:
            told.ask("on_queue", "mp_process_q", "put", message)
        ended.join()
        assert (ended.exitcode, other.is_alive()) == (0, True)
        assert {told.ask("identity")[1] for _ in range(4)} == {other.name}


def test_the_running_cycle_of_a_stopped_worker_is_done_once_and_whole() -> None:
    for _ in range(5):
        with stopped_at_the_end() as emp:
            emp.queue_cust_dict_std_create(("calls", 8), ("replies", 8), ("many", 100))
            emp.start(**configuration("puppet_worker.py", PROCS_MAX=2))
            told = Puppet(emp)
            assert told.ask("put_and_be_stopped", "many", 50) is None
            # another worker answers, and nothing of the call was made a second time
            while len(emp.stop_list) < 1:
                assert told.ask("identity")
            assert emp.queue_cust_dict_std["many"].qsize() == 50


def test_other_texts_in_the_process_queue_do_nothing() -> None:
    with puppet() as told:
        for message in "import os; os._exit(3)", ["STOP_PROC", "Process-0"], None, ["STOP", "STOP_PROC"]:
            told.emp.mp_process_q.put(message)
        assert told.ask("identity")[2] == told.emp.proc_list[0].pid


def test_rows_that_nobody_takes_after_stop_proc_are_named(capsys: pytest.CaptureFixture[str]) -> None:
    with stopped_at_the_end() as emp:
        emp.start(worker_modules=[module("collect_worker.py")], PROCS_MAX=1, ROWS_MAX=1, read_q="mp_tools_q")
        feed = emp.run_q_feeder(generator=iter(range(9)))
        emp.mp_process_q.put("STOP_PROC")
        wait_for_shutdown(emp)
        with pytest.raises(eisenmp.EisenmpError, match="tickets of queue 'mp_input_q"):
            emp.join()
    assert feed.missing
    assert "not done" in capsys.readouterr().err
