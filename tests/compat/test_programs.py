"""The documented programs of 1.0, as scripts of their own, run unchanged to their end."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.compat.running import PROGRAMS, run

PRIMES = [str(n) for n in range(10**6, 10**6 + 100) if all(n % divisor for divisor in range(2, 1000))]


def test_one_file_for_manager_and_worker() -> None:
    finished = run("primes.py")

    assert finished.code == 0, finished.err
    assert finished.err == ""
    assert list(finished.returned) == ["mp_input_q (default)"]
    results = finished.returned["mp_input_q (default)"]
    # 100 rows in lists of 7: 15 tickets, the last one ends with STOP
    assert sorted(number for number, _ in results) == sorted(f"_TID_{n}" for n in range(15))
    in_order = sorted(results, key=lambda result: int(result[0].removeprefix("_TID_")))
    assert [prime for _, primes in in_order for prime in primes] == PRIMES
    assert " ... Prime ['1000003']" in finished.out
    assert '%" done, ' in finished.out, "the info thread shows percent and time left"


def test_a_full_last_list_is_followed_by_one_with_nothing_but_stop(tmp_path: Path) -> None:
    program = tmp_path / "primes.py"
    program.write_text((PROGRAMS / "primes.py").read_text().replace("ROWS_MAX = 7", "ROWS_MAX = 10"))

    finished = run(program)

    results = finished.returned["mp_input_q (default)"]
    assert sorted(number for number, _ in results) == sorted(f"_TID_{n}" for n in range(11))
    assert dict(results)["_TID_10"] == []


@pytest.mark.parametrize("from_stdin", [False, True], ids=["script", "stdin"])
def test_queues_in_categories_and_no_guard(from_stdin: bool) -> None:
    finished = run("two_batches.py", from_stdin=from_stdin)

    assert finished.code == 0, finished.err
    results = finished.returned
    assert sorted(results) == ["batch_1|audio_lg", "batch_1|video_in", "batch_7|audio_lg", "batch_7|video_in"]
    for batch in "17":
        for kind in "audio_lg", "video_in":
            rows = results[f"batch_{batch}|{kind}"]
            expected = [(f"_TID_{n // 3}", f"{kind[0]}{batch}-{n}".encode()) for n in range(17)]
            assert rows == expected, "one worker per batch: the order of the rows"
    # three of twenty video rows are never read: their list is named, and nothing waits for it
    assert finished.err.count("1 tickets of queue 'batch_1|video_in' not done") == 1
    assert finished.err.count("1 tickets of queue 'batch_7|video_in' not done") == 1
    assert "audio_lg' not done" not in finished.err
    # the mate was called once in each process, before the worker
    assert finished.out.count(".. thread display interval 20s") == 2
    assert finished.out.count("['MainThread', 'Watchdog_") == 2
    assert "\n['MainThread']\n" in finished.out, "no thread of a manager that is down is left"


def test_several_managers_at_once_with_a_dictionary_for_each_process() -> None:
    finished = run("salads.py")

    assert finished.code == 0, finished.err
    assert finished.err == ""
    found = {
        key: sorted(word for _, words in results for word in words)
        for key, results in finished.returned.items()
    }
    assert found == {
        "amgno_mp_input_q (default)": ["mango"],
        "aet_mp_input_q (default)": ["ate", "eat", "tea"],
        "eors_mp_input_q (default)": ["rose", "sore"],
    }
    assert finished.out.count("Processes are down.") == 3
    # ids go on rising over the managers of a program
    assert all(f"\texit WORKER {number}\n" in finished.out for number in range(1, 7))
    aet = finished.out.partition("--- Result for [AET]---")[2].partition("--- END ---")[0]
    assert sorted(aet.split()) == ["ate", "eat", "tea"]


def test_more_processes_than_cores_and_keys_in_both_spellings() -> None:
    finished = run("average.py")

    assert finished.code == 0, finished.err
    results = dict(finished.returned["mp_input_q (default)"])
    assert len(results) == 13
    assert results["_TID_0"] == sum(n for n in range(20) if n % 10 not in (3, 7)) / 16
    assert results["_TID_12"] == sum(n for n in range(240, 250) if n % 10 not in (3, 7)) / 8
    assert all(f"\texit WORKER {number}\n" in finished.out for number in range(1, 6))
    assert "\n\tDownload large list\n" in finished.out


UNGUARDED = """\
import eisenmp
{import_first}
emp = eisenmp.Mp()
emp.start(worker_modules=[{{'WORKER_PATH': __file__, 'WORKER_REF': 'worker'}}], PROCS_MAX=2)


def worker(toolbox):
    return False


while not emp.begin_proc_shutdown:
    pass
print('the program has ended')
"""


def test_a_worker_that_stands_below_the_start_of_its_manager(tmp_path: Path) -> None:
    program = tmp_path / "upside_down.py"
    program.write_text(UNGUARDED.format(import_first=""))

    finished = run(program)

    assert "the program has ended" in finished.out
    assert finished.out.count("Create 2 processes.") == 1, "workers start no managers while they import"
    assert f"{program}: there is no 'worker' in it before line 4, where it starts a manager" in finished.err


def test_a_module_that_starts_a_manager_when_a_worker_imports_it(tmp_path: Path) -> None:
    (tmp_path / "beside.py").write_text("import eisenmp\n\n\neisenmp.Mp().start()\n")
    program = tmp_path / "imports_it.py"
    program.write_text(
        "import eisenmp\n"
        "if __name__ != '__main__':\n"
        "    import beside\n"
        "def worker(toolbox):\n"
        "    return False\n"
        "if __name__ == '__main__':\n"
        "    eisenmp.Mp(f'{__file__}:worker').start().join()\n"
    )

    finished = run(program)

    assert finished.code == 1
    assert "there is no 'worker' in it before line 3, where it starts a manager" in finished.err


def test_results_of_a_class_of_the_program_when_its_file_is_the_workers_too(tmp_path: Path) -> None:
    program = tmp_path / "own_class.py"
    program.write_text(
        "import eisenmp\n"
        "class Found:\n"
        "    pass\n"
        "def worker(toolbox):\n"
        "    lst = toolbox.mp_input_q.get()\n"
        "    toolbox.mp_output_q.put([toolbox.OUTPUT_HEADER + lst[0], Found()])\n"
        "    return False\n"
        "print('begins')\n"
        "emp = eisenmp.Mp()\n"
        "emp.start(worker_modules=[{'WORKER_PATH': __file__, 'WORKER_REF': 'worker'}], PROCS_MAX=1,\n"
        "          RESULTS_STORE=True)\n"
        "emp.run_q_feeder(generator=iter([1]))\n"
        "emp.join()\n"
        "(_, found), = emp.e_utilsResult.result_dict['mp_input_q (default)']\n"
        "print('RETURNED', type(found) is Found)\n"
    )

    finished = run(program)

    assert finished.returned is True, finished.err
    # once in the program, once in its worker, and not a third time for the result
    assert finished.out.count("begins") == 2
