"""`emp.proc_list`: its objects look like processes; ended by the program they stay ended, else they come back."""

from __future__ import annotations

import os
import signal
from typing import Any

import pytest

import eisenmp
from tests import leaks
from tests.compat.managers import configuration, puppet, stopped_at_the_end, wait_for_shutdown

INPUT = "mp_input_q (default)"


def test_names_pids_and_life() -> None:
    with puppet(PROCS_MAX=2) as told:
        processes = told.emp.proc_list
        first = int(processes[0].name.removeprefix("Process-"))
        assert [process.name for process in processes] == [f"Process-{first}", f"Process-{first + 1}"]
        assert all(process.is_alive() and process.exitcode is None for process in processes)
        assert all(not process.daemon for process in processes)
        assert [os.getpgid(process.pid) for process in processes] == [process.pid for process in processes]
        assert told.emp.proc_list[0] is processes[0], "the same object each time"
        processes[0].join(timeout=0.01)
        assert processes[0].is_alive()
        for _ in processes:
            told.calls.put(None)
        for process in processes:
            process.join()
        assert [(process.is_alive(), process.exitcode) for process in processes] == [(False, 0), (False, 0)]
        wait_for_shutdown(told.emp)
        assert [process.exitcode for process in told.emp.proc_list] == [0, 0]


@pytest.mark.parametrize("how", ["kill", "terminate"])
def test_ended_by_the_program_a_slot_stays_empty_and_others_get_its_lists(how: str) -> None:
    with stopped_at_the_end() as emp:
        emp.queue_cust_dict_std_create(("taken", 2), ("go_on", 2))
        emp.start(**configuration("held_worker.py", PROCS_MAX=2, ROWS_MAX=1, RESULTS_STORE=True))
        emp.run_q_feeder(generator=iter(range(6)))
        std = emp.queue_cust_dict_std
        taken = [std["taken"].get() for _ in range(2)]
        victim = next(process for process in emp.proc_list if process.name == taken[0])
        getattr(victim, how)()
        victim.join()
        assert victim.exitcode == -(signal.SIGKILL if how == "kill" else signal.SIGTERM)
        for _ in range(2):
            std["go_on"].put(None)
        wait_for_shutdown(emp)
        results = emp.e_utilsResult.result_dict[INPUT]
        assert sorted(number for number, _ in results) == [f"_TID_{n}" for n in range(7)], "each list once"
        assert {name for _, name in results} == {taken[1]}
        assert not victim.is_alive()
        assert emp.stop_list == [taken[1]]


def test_all_killed_as_the_documentation_does_it(capsys: pytest.CaptureFixture[str]) -> None:
    with stopped_at_the_end() as emp:
        emp.queue_cust_dict_std_create(("taken", 2), ("go_on", 2))
        emp.start(**configuration("held_worker.py", PROCS_MAX=2, ROWS_MAX=1))
        feed = emp.run_q_feeder(generator=iter(range(6)))
        for _ in range(2):
            emp.queue_cust_dict_std["taken"].get()
        for p in emp.proc_list:
            p.kill()
        wait_for_shutdown(emp)
        assert [process.exitcode for process in emp.proc_list] == [-9, -9]
        with pytest.raises(eisenmp.EisenmpError, match="not done"):
            emp.join()
    assert len(feed.missing) >= 2
    assert "Processes are down." in capsys.readouterr().out


def test_killed_before_anything_was_fed() -> None:
    with puppet(PROCS_MAX=3) as told:
        pids = [process.pid for process in told.emp.proc_list]
        for process in told.emp.proc_list:
            process.kill()
        wait_for_shutdown(told.emp)
        assert all(leaks.is_gone(pid) for pid in pids)


def test_killed_by_others_it_is_replaced_and_keeps_its_identity() -> None:
    with stopped_at_the_end() as emp:
        emp.queue_cust_dict_std_create(("taken", 2), ("go_on", 2))
        emp.start(**configuration("held_worker.py", PROCS_MAX=1, ROWS_MAX=2, RESULTS_STORE=True))
        emp.run_q_feeder(generator=iter(range(5)))
        std = emp.queue_cust_dict_std
        (process,) = emp.proc_list
        before: tuple[Any, ...] = (process.name, process.pid)
        assert std["taken"].get() == process.name
        os.kill(process.pid, signal.SIGKILL)
        # the replacement takes the same list again, under the same name
        assert std["taken"].get() == process.name
        assert process.is_alive()
        assert (process.name, process.pid) != before
        assert process.name == before[0]
        std["go_on"].put(None)
        wait_for_shutdown(emp)
        results = emp.e_utilsResult.result_dict[INPUT]
        assert results == [(f"_TID_{number}", process.name) for number in range(3)]
        assert emp.stop_list == [process.name]


def test_a_replacement_agrees_with_itself_about_its_identity() -> None:
    with puppet() as told:
        (process,) = told.emp.proc_list
        worker_id, name, pid, of_multiprocessing = told.ask("identity")
        assert (name, pid, of_multiprocessing) == (process.name, process.pid, process.name)
        os.kill(pid, signal.SIGKILL)
        assert leaks.wait_gone(pid)
        again = told.ask("identity")
        assert again[0] == worker_id
        assert (again[1], again[3]) == (name, name)
        assert again[2] == process.pid != pid


def test_end_proc_waits_for_all() -> None:
    with puppet(PROCS_MAX=2) as told:
        for _ in range(2):
            told.calls.put(None)
        told.emp.end_proc()
        assert not any(process.is_alive() for process in told.emp.proc_list)
