"""The smaller commands, and what holds for all."""

from __future__ import annotations

import io
import json
import os
import select
import subprocess
import sys
from importlib.metadata import entry_points
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import eisenmp as package
from eisenmp.cli import checks, exitcodes, main
from eisenmp.cli.exitcodes import DONE, FAILED, INTERRUPTED, USAGE
from eisenmp.engine.cpus import explain
from eisenmp.examples import EXAMPLES

from .conftest import Command, program


def test_version(eisenmp: Command) -> None:
    assert eisenmp("--version") == (DONE, f"{package.__version__}\n", "")


@pytest.mark.parametrize("arguments", [[], ["--help"], ["-h"]])
def test_help(eisenmp: Command, monkeypatch: pytest.MonkeyPatch, arguments: list[str]) -> None:
    monkeypatch.setenv("COLUMNS", "120")
    outcome = eisenmp(*arguments)
    assert (outcome.code, outcome.err) == (DONE, "")
    for text in ("run", "examples", "cpus", "doctor", *exitcodes.MEANING.values()):
        assert text in outcome.out
    assert exitcodes.MEANING.keys() == {0, 1, 2, 3, 130}


def test_as_a_module_and_as_a_script() -> None:
    process = program("--version")
    assert process.communicate()[0].strip() == package.__version__
    assert process.returncode == DONE
    script = next(iter(entry_points(group="console_scripts", name="eisenmp")))
    assert script.load() is main


def test_ctrl_c_outside_a_run(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(_arguments: list[str]) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr("eisenmp.cli.app.run_command_line", interrupted)
    assert main(["cpus"]) == INTERRUPTED


def test_without_its_library_the_command_line_names_it() -> None:
    code = (
        "import sys; sys.modules['cyclopts'] = None; from eisenmp.cli import main; sys.exit(main(['cpus']))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (USAGE, "")
    assert done.stderr == "eisenmp: the command line needs the library cyclopts: pip install cyclopts\n"


def test_a_list_whose_reader_has_seen_enough() -> None:
    reads, writes = os.pipe()
    os.close(reads)
    with program("examples", stdout=writes) as process:
        os.close(writes)
        assert process.communicate()[1] == ""
    assert process.returncode == FAILED


def test_a_console_that_cannot_show_a_character(folder: Path) -> None:
    (folder / "rows").write_text("\u6f22\n", encoding="utf-8")
    process = program("run", "workers.py:nam\u00e9", "--lines", "rows", env={"PYTHONIOENCODING": "ascii"})
    assert "'nam\\xe9'" in process.communicate()[1]
    assert process.returncode == USAGE


# cpus


def test_cpus(eisenmp: Command) -> None:
    outcome = eisenmp("cpus")
    assert (outcome.code, outcome.err) == (DONE, "")
    number, *bounds, legend = outcome.out.splitlines()
    assert int(number) == package.usable_cpus()
    expected = explain()
    assert [line[2:].startswith(bound.source) for line, bound in zip(bounds, expected, strict=True)] == [
        True
    ] * len(expected)
    assert [line[0] == "*" for line in bounds] == [bound.binding for bound in expected]
    assert legend == "* decides"


def test_cpus_as_json(eisenmp: Command) -> None:
    told = json.loads(eisenmp("cpus", "--json").out)
    assert told == {"cpus": package.usable_cpus(), "bounds": [bound._asdict() for bound in explain()]}


# examples


def test_examples_are_listed(eisenmp: Command) -> None:
    outcome = eisenmp("examples")
    assert (outcome.code, outcome.err) == (DONE, "")
    listed = {line.split()[0]: line.split(maxsplit=1)[1] for line in outcome.out.splitlines()}
    assert listed == {name: text for name, (_, text) in EXAMPLES.items()}
    told = json.loads(eisenmp("examples", "--json").out)
    assert {entry["name"]: (entry["module"], entry["description"]) for entry in told} == EXAMPLES


@pytest.mark.parametrize(
    "arguments", [[], ["--help"], ["a", "--json", "-x", "--", "--help"], ["--words", "-"]]
)
def test_an_example_gets_its_arguments_as_they_are(
    eisenmp: Command, monkeypatch: pytest.MonkeyPatch, arguments: list[str]
) -> None:
    given: list[list[str]] = []

    def example(arguments: list[str]) -> int:
        given.append(arguments)
        return 42

    module = ModuleType("tests_example")
    vars(module)["main"] = example
    monkeypatch.setitem(sys.modules, "tests_example", module)
    monkeypatch.setitem(EXAMPLES, "mine", ("tests_example", "one for a test"))
    assert eisenmp("examples", "mine", *arguments) == (42, "", "")
    assert given == [arguments]


def test_an_example_that_is_none(eisenmp: Command) -> None:
    outcome = eisenmp("examples", "prmie")
    assert outcome.code == USAGE
    assert outcome.error.startswith("there is no example 'prmie'; did you mean 'prime'?; the examples are ")


# doctor


def test_doctor(eisenmp: Command) -> None:
    outcome = eisenmp("doctor")
    assert (outcome.code, outcome.err) == (DONE, "")
    *lines, empty, verdict = outcome.out.splitlines()
    assert (empty, verdict) == ("", "eisenmp works here.")
    found = {line[9:23].strip(): line[:8].strip() for line in lines}
    assert set(found.values()) <= {"ok", "missing"}
    assert {name for name in found if not name.startswith("cgroup")} >= {
        "python", "system", "cpus", "fast path", "pidfd", "memfd", "epoll", "affinity", "life line",
        "/dev/shm", "open files", "own cgroup", "cloudpickle", "psutil", "rich", "cyclopts", "setproctitle", "numpy",
        "spawn",
    }  # fmt: skip
    assert found["spawn"] == "ok" and found["rich"] == "ok"


def test_doctor_as_json(eisenmp: Command) -> None:
    told = json.loads(eisenmp("doctor", "--json").out)
    assert told["works"] is True
    names = [check["name"] for check in told["checks"]]
    assert names[0] == "python" and "spawn" in names
    assert all(check["state"] in ("ok", "missing") and check["detail"] for check in told["checks"])


def test_doctor_on_a_machine_where_no_worker_starts(
    eisenmp: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checks, "WORKER", "no_such_module:count")
    outcome = eisenmp("doctor")
    assert outcome.code == FAILED
    assert outcome.out.splitlines()[-1].startswith("eisenmp does not work here: spawn")
    assert "failed   spawn          there is no module 'no_such_module'" in outcome.out
    told = json.loads(eisenmp("doctor", "--json").out)
    assert told["works"] is False


def test_doctor_where_things_are_missing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delattr(os, "pidfd_open", raising=False)
    monkeypatch.delattr(os, "memfd_create", raising=False)
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    monkeypatch.delattr(select, "epoll", raising=False)
    monkeypatch.setattr(checks, "portable", lambda: True)
    looks = (
        checks.check_pidfd,
        checks.check_memfd,
        checks.check_affinity,
        checks.check_epoll,
        checks.check_path,
    )
    assert {look().state for look in looks} == {checks.MISSING}
    assert checks.start_methods() == ("spawn",)
    monkeypatch.setattr(checks, "OLDEST", (99, 0))
    assert checks.check_python().state == checks.FAILED
    library = checks.check_library("no-such-library", "pip install no-such-library", "nothing")
    assert library == ("no-such-library", checks.MISSING, "for nothing: pip install no-such-library")
    assert checks.check_shared_memory(str(tmp_path / "none")).state == checks.MISSING
    assert checks.check_shared_memory(str(tmp_path)).state == checks.OK
    assert [check.state for check in checks.check_cgroups(str(tmp_path))] == [checks.MISSING]
    monkeypatch.setattr(checks.cgroup, "places", list)
    assert checks.check_own_cgroup().state == checks.MISSING


def test_doctor_makes_a_cgroup_for_workers(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[str] = []
    make = checks.cgroup.make

    def noted(mark: str) -> Any:
        found = make(mark)
        made.extend([found.path] if found is not None else ())
        return found

    monkeypatch.setattr(checks.cgroup, "make", noted)
    check = checks.check_own_cgroup()
    assert check.state == (checks.OK if made else checks.MISSING)
    monkeypatch.setattr(checks, "SHELL", "/nowhere/sh")
    assert checks.check_own_cgroup().state == checks.MISSING
    assert not any(os.path.exists(path) for path in made)


def test_doctor_sees_what_the_kernel_refuses(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: object) -> int:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "pidfd_open", refused, raising=False)
    check = checks.check_pidfd()
    assert check.state == checks.MISSING
    assert check.detail.startswith("Operation not permitted")


def test_ranges() -> None:
    assert checks._ranges({0, 1, 2, 3, 8, 10, 11}) == "0-3,8,10-11"
    assert checks._ranges(set()) == ""


def test_stdout_that_is_closed(eisenmp: Command, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "rows").write_text("a\n")
    monkeypatch.setattr(sys, "stdout", None)
    stderr = io.StringIO()
    monkeypatch.setattr(sys, "stderr", stderr)
    assert eisenmp("run", "workers.py:same", "--lines", "rows").code == USAGE
    assert stderr.getvalue() == "eisenmp: stdout is closed; -o FILE says where the results go\n"
    assert eisenmp("run", "workers.py:same", "--lines", "rows", "-o", "out.jsonl").code == DONE
