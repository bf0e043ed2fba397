"""Servers in the style of 1.0: main() returns, the interpreter stays up, Ctrl-C ends everything."""

from __future__ import annotations

import os
import signal
import subprocess

import pytest

from tests import leaks
from tests.compat.managers import configuration, stopped_at_the_end, wait_for_shutdown
from tests.compat.running import descendants, free_ports, lines_until, page, start


def test_a_blocking_server_in_each_process() -> None:
    with free_ports(3) as ports, start("web.py", *ports) as program:
        lines = lines_until(program, "Server", count=3 + 1)  # and the line of main()

        assert sum(line.startswith("('HTTP Server, Time in sec: '") for line in lines) == 1, (
            "main() has returned"
        )
        answers = [page(port).split() for port in ports]
        assert {name for name, _ in answers} == {"radio_0", "radio_1", "radio_2"}
        workers = descendants(program)
        assert sorted(int(pid) for _, pid in answers) == sorted(workers)
        # what servers print later is shown too, long after main() has returned
        assert lines_until(program, "asked for /", count=1)
        page(ports[1], "/again")
        assert lines_until(program, "asked for /again")[-1] == "asked for /again: Process-2"

        ctrl_c(program)

        assert_all_gone(program, workers)


def test_each_process_takes_one_of_exactly_as_many_rows() -> None:
    # as ports are taken from a queue: nothing may be sent ahead to a worker that is inside its server
    with free_ports(3) as ports, start("exact.py", *ports) as program:
        lines_until(program, "serves ", count=3)

        assert sorted(page(port) for port in ports) == sorted(map(str, ports))

        ctrl_c(program)


def test_threaded_servers_outlive_the_call_of_their_worker() -> None:
    with free_ports(12) as ports, start("sites.py", *ports) as program:
        lines = lines_until(program, "--- END ---")

        assert any("main() exits" in line for line in lines)
        assert {line.strip() for line in lines if "exit WORKER" in line} == {"exit WORKER 1", "exit WORKER 2"}
        assert [page(port) for port in ports] == [f"0 {port}" for port in ports[:6]] + [
            f"1 {port}" for port in ports[6:]
        ], "blue ports in the process with START_SEQUENCE_NUM 0, yellow ones in the other"
        workers = descendants(program)
        assert len(workers) == 2
        assert lines_until(program, f"page of port {ports[11]}")

        ctrl_c(program)

        assert_all_gone(program, workers)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL], ids=["SIGTERM", "SIGKILL"])
def test_nothing_outlives_a_manager_that_is_killed(number: signal.Signals) -> None:
    with free_ports(3) as ports, start("web.py", *ports) as program:
        lines_until(program, "started http://", count=3)
        workers = descendants(program)
        assert len(workers) == 3

        os.kill(program.pid, number)

        # what waits at its exit ends in order after a SIGTERM, and says so
        assert program.wait() == (130 if number == signal.SIGTERM else -number)
        assert all(leaks.wait_gone(pid) for pid in workers)


def test_a_second_ctrl_c_during_the_first_leaves_nothing_either() -> None:
    with free_ports(3) as ports, start("web.py", *ports) as program:
        lines_until(program, "started http://", count=3)
        workers = descendants(program)

        ctrl_c(program)
        assert leaks.wait_gone(workers[0])
        ctrl_c(program)

        assert_all_gone(program, workers)


def ctrl_c(program: subprocess.Popen[str]) -> None:
    """As a terminal does it: SIGINT to the whole group of the program."""
    os.killpg(program.pid, signal.SIGINT)


def assert_all_gone(program: subprocess.Popen[str], workers: list[int]) -> None:
    _, err = program.communicate()
    assert "Traceback" not in err
    assert "leaked" not in err
    assert all(leaks.wait_gone(pid) for pid in workers)


def test_threads_that_outlive_the_call_of_their_worker_go_on_reading() -> None:
    with stopped_at_the_end() as emp:
        emp.queue_cust_dict_std_create(("jobs", 1))
        emp.start(**configuration("late_reader_worker.py", PROCS_MAX=2, ROWS_MAX=2, RESULTS_STORE=True))
        wait_for_shutdown(emp)
        assert len(emp.stop_list) == 2, "both have confirmed their stop"
        assert all(process.is_alive() for process in emp.proc_list), "and both are still there"
        emp.run_q_feeder(generator=iter(range(21)), input_q=emp.queue_cust_dict_std["jobs"])
        emp.join()
        results = emp.e_utilsResult.result_dict["jobs"]
        assert sorted(row for _, rows in results for row in rows) == list(range(21))
        assert len({number for number, _ in results}) == 11


def test_ctrl_c_ends_a_program_that_polls_for_the_end_of_its_work() -> None:
    with start("busy.py") as program:
        lines_until(program, "took a list", count=2)
        workers = descendants(program)
        assert len(workers) == 2

        ctrl_c(program)  # once, although a feeder has more

        _, err = program.communicate()
        assert err.rstrip().endswith("KeyboardInterrupt")
        assert program.returncode == -signal.SIGINT
        assert all(leaks.wait_gone(pid) for pid in workers)
