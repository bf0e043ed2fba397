"""What is set before the user's code runs in a worker: environment, cores, title, streams, folder."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import eisenmp
from eisenmp.engine.cpus import usable_cores, usable_cpus
from eisenmp.manager.crew import THREAD_VARIABLES
from eisenmp.wire.platform import portable

PATIENCE = 30.0

# What the module finds at its import, and what its mate finds afterwards.
WORKER = """
import os
import sys

def look():
    with open("/proc/self/comm") as file:
        title = file.read().strip()
    with open("/proc/self/cmdline") as file:
        arguments = file.read().split("\\0")
    return {
        "environment": dict(os.environ), "cores": tuple(sorted(os.sched_getaffinity(0))), "title": title,
        "arguments": arguments, "group": os.getpgrp(), "folder": os.getcwd(),
        "stdin": os.readlink("/proc/self/fd/0"), "name": __name__, "path": list(sys.path),
    }

AT_IMPORT = look()

def report(toolbox):
    toolbox.seen.put((toolbox.START_SEQUENCE_NUM, toolbox.WORKER_NAME, os.getpid(), AT_IMPORT, look()))

def work(toolbox):
    return False
"""

Report = tuple[int, str, int, dict[str, Any], dict[str, Any]]
Look = Callable[..., list[Report]]

pytestmark = pytest.mark.skipif(not usable_cores(), reason="this system does not tell a process's cores")


@pytest.fixture
def look(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Look:
    """Start workers with these settings; what they found, by slot."""
    for name in THREAD_VARIABLES:
        monkeypatch.delenv(name, raising=False)
    path = tmp_path / "module.py"
    path.write_text(WORKER)

    def looked(**settings: Any) -> list[Report]:
        settings = {"procs_max": 2, **settings}
        if settings.get("start_method") == "forkserver":
            monkeypatch.delenv("EISENMP_PORTABLE", raising=False)
        emp = eisenmp.Mp(f"{path}:work", f"{path}:report", **settings)
        seen = emp.queue("seen", maxsize=16)
        with emp:
            return sorted(seen.get(timeout=PATIENCE) for _ in range(settings["procs_max"]))

    return looked


FORKED = pytest.mark.skipif(sys.platform != "linux", reason="workers are forked on Linux only")
METHODS = ["spawn", pytest.param("forkserver", marks=FORKED)]


def threads(report: Report) -> dict[str, str | None]:
    return {name: report[3]["environment"].get(name) for name in THREAD_VARIABLES}


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("procs", [1, 2, 3])
def test_the_cores_are_shared_out_among_the_threads_of_libraries(look: Look, method: str, procs: int) -> None:
    share = str(max(1, usable_cpus() // procs))
    for report in look(procs_max=procs, start_method=method):
        assert threads(report) == dict.fromkeys(THREAD_VARIABLES, share)


@pytest.mark.parametrize("method", METHODS)
def test_threads_max_holds_for_all_libraries(
    look: Look, method: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MKL_NUM_THREADS", "5")
    for report in look(threads_max=3, start_method=method):
        assert threads(report) == dict.fromkeys(THREAD_VARIABLES, "3")
    assert os.environ["MKL_NUM_THREADS"] == "5", "the environment of the manager stays as it is"


def test_a_variable_of_the_user_stays(look: Look, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MKL_NUM_THREADS", "5")
    share = str(max(1, usable_cpus() // 2))
    for report in look():
        assert threads(report) == {**dict.fromkeys(THREAD_VARIABLES, share), "MKL_NUM_THREADS": "5"}


def test_what_the_user_sets_for_openmp_holds_for_the_libraries_that_follow_it(
    look: Look, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "4,2")
    for report in look():
        assert threads(report) == {**dict.fromkeys(THREAD_VARIABLES), "OMP_NUM_THREADS": "4,2"}


@pytest.mark.parametrize("method", METHODS)
def test_environment_and_folder_are_those_of_the_manager(
    look: Look, method: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OF_THE_USER", "ä=1")
    monkeypatch.chdir(tmp_path)
    for report in look(start_method=method):
        assert report[3]["environment"]["OF_THE_USER"] == "ä=1"
        assert report[3]["folder"] == str(tmp_path)


def test_pin_core_binds_each_slot_to_one_core_before_the_import(look: Look) -> None:
    before = os.sched_getaffinity(0)
    cores = usable_cores()
    reports = look(procs_max=3, pin="core")
    assert [report[3]["cores"] for report in reports] == [(cores[slot % len(cores)],) for slot in range(3)]
    assert os.sched_getaffinity(0) == before, "the manager itself is not bound"


def test_pin_takes_the_cores_of_a_list_in_turn(look: Look) -> None:
    last = usable_cores()[-1]
    assert [report[3]["cores"] for report in look(pin=[last])] == [(last,)] * 2


def test_without_pin_all_cores_may_be_used(look: Look) -> None:
    for report in look():
        assert report[3]["cores"] == usable_cores()


@FORKED
def test_forked_workers_are_bound_before_their_mates_are_called(look: Look) -> None:
    cores = usable_cores()
    reports = look(procs_max=3, pin="core", start_method="forkserver")
    assert [report[4]["cores"] for report in reports] == [(cores[slot % len(cores)],) for slot in range(3)]
    assert [report[3]["cores"] for report in reports] == [cores] * 3, "the zygote is not bound"


def test_a_core_that_is_not_there_is_refused_before_any_process_starts(look: Look) -> None:
    missing = usable_cores()[-1] + 1000
    with pytest.raises(eisenmp.SettingsError, match=f"pin names core {missing}"):
        look(pin=[usable_cores()[0], missing])


def test_a_worker_has_its_title_before_the_import(look: Look) -> None:
    for report in look():
        slot, name, _, at_import, _ = report
        assert at_import["title"] == f"eisenmp:{name}"[:15], slot
        assert f"eisenmp:{name}" in at_import["arguments"]


def test_a_worker_leads_its_own_group_and_reads_nothing(look: Look) -> None:
    for _, _, pid, at_import, _ in look():
        assert at_import["group"] == pid
        assert portable() or at_import["stdin"] == "/dev/null"


def test_the_module_has_its_own_name_and_the_path_of_the_manager(look: Look) -> None:
    for _, _, _, at_import, _ in look():
        assert at_import["name"] == "module"
        assert [entry for entry in sys.path if entry and entry not in at_import["path"]] == []


def test_a_variable_set_in_the_shell_is_seen_too(tmp_path: Path) -> None:
    """The whole way, from the command line of the user."""
    (tmp_path / "module.py").write_text(WORKER)
    program = tmp_path / "program.py"
    program.write_text(
        "import eisenmp\n"
        "emp = eisenmp.Mp('module.py:work', 'module.py:report', procs_max=1)\n"
        "seen = emp.queue('seen', maxsize=4)\n"
        "with emp:\n"
        "    environment = seen.get(timeout=60)[3]['environment']\n"
        "print(environment['OPENBLAS_NUM_THREADS'], environment['OF_THE_SHELL'])\n"
    )
    shell = {**os.environ, "OPENBLAS_NUM_THREADS": "6", "OF_THE_SHELL": "yes"}
    result = subprocess.run(
        [sys.executable, str(program)], env=shell, cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert result.stdout.split() == ["6", "yes"]
