"""A worker starts light, and so does the manager: what real processes have imported, by their own word."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from textwrap import dedent

import pytest

import eisenmp

HEAVY = {
    "argparse",
    "asyncio",
    "cloudpickle",
    "dataclasses",
    "enum",
    "http",
    "inspect",
    "json",
    "logging",
    "msgspec",
    "multiprocessing",
    "psutil",
    "re",
    "rich",
    "selectors",
    "socket",
    "ssl",
    "subprocess",
    "typing",
    "urllib",
}  #: whole packages; none may be in a worker that does not import it by itself
PARTS_OF_THE_MANAGER = {"cli", "dashboard", "engine", "examples", "manager", "servers", "testing", "utils"}
CORE_OF_A_WORKER = {"chunk", "messages", "queues", "record", "span", "ticket"}
HEAVY_FOR_A_MANAGER = {"cloudpickle", "dataclasses", "psutil", "rich", "typing"}

# Each answers with the names of all that its process has imported. A result in which __main__ is named is
# looked at more closely, with more imports, so that one is left out.
WORKERS = """
    import sys

    import eisenmp

    def loaded():
        return sorted(set(sys.modules) - {"__main__"})

    @eisenmp.worker
    def of_chunks(toolbox, rows):
        return loaded()

    def of_cycles(toolbox):
        chunk = toolbox.next_chunk()
        if chunk is None:
            return False
        toolbox.send(loaded())
        return True

    def of_rows(row):
        return loaded()

    def of_lists(toolbox):
        header, *rows = toolbox.mp_input_q.get()
        stop = toolbox.STOP_MSG in rows
        toolbox.print("rows", *rows)
        print("printed")
        toolbox.mp_info_q.put([toolbox.PERF_HEADER_ETA, len(rows)])
        toolbox.mp_output_q.put([toolbox.OUTPUT_HEADER + header, loaded()])
        return not stop

    @eisenmp.worker
    def of_tools(toolbox, rows):
        toolbox.batch_1["audio_lg"].put([toolbox.tools["words"] & {"a"}, toolbox.WORKER_NAME, toolbox.ticket])
        return loaded()
"""


@cache
def bare(*options: str) -> frozenset[str]:
    """What an interpreter of this environment imports before it runs anything: site, and its .pth files."""
    text = "import sys; print(*sys.modules)"
    command = [sys.executable, *options, "-c", text]
    return frozenset(subprocess.run(command, capture_output=True, text=True, check=True).stdout.split())


def of_packages(modules: Iterable[str], packages: set[str]) -> set[str]:
    """Those of the modules that belong to the packages."""
    return {name for name in modules if name.partition(".")[0] in packages}


def check_worker(modules: list[str]) -> None:
    """The report of a worker process."""
    # it is a report, and a whole one
    assert {"eisenmp.child.host", "eisenmp.child.toolbox", "eisenmp.wire.frames"} <= set(modules)
    assert of_packages(set(modules) - bare("-P"), HEAVY) == set()
    own = {name.split(".", 2)[1] for name in modules if name.startswith("eisenmp.")}
    assert own & PARTS_OF_THE_MANAGER == set()
    core = {name.split(".")[2] for name in modules if name.startswith("eisenmp.core.")}
    assert core == CORE_OF_A_WORKER


@pytest.fixture
def worker_file(tmp_path: Path) -> Path:
    """The workers, where only a worker process imports them."""
    file = tmp_path / "light_workers.py"
    file.write_text(dedent(WORKERS))
    return file


def test_the_lists_name_real_packages() -> None:
    """A name that is misspelt above would forbid nothing."""
    from importlib.util import find_spec

    optional = {"msgspec"}
    assert [name for name in HEAVY - optional if find_spec(name) is None] == []
    parts = {path.stem for path in Path(eisenmp.__file__).parent.iterdir()}
    assert {"cli", "engine", "examples", "manager", "utils"} <= parts
    core = {path.stem for path in Path(eisenmp.__file__, "..", "core").resolve().iterdir()}
    assert core > CORE_OF_A_WORKER


@pytest.mark.parametrize("name", ["of_chunks", "of_cycles"])
def test_a_worker_of_a_feed(worker_file: Path, name: str) -> None:
    with eisenmp.Mp(f"{worker_file}:{name}", procs_max=1) as emp:
        first, *_, last = [result.value for result in emp.feed(range(20), rows_max=1)]
    check_worker(first)
    check_worker(last)


def test_a_worker_of_imap(worker_file: Path) -> None:
    reports: list[list[str]] = list(eisenmp.imap(f"{worker_file}:of_rows", range(20), procs_max=1))
    check_worker(reports[-1])


def test_a_worker_with_tools_and_queues_in_categories(worker_file: Path) -> None:
    emp = eisenmp.Mp(f"{worker_file}:of_tools", procs_max=1)
    audio = emp.queue("audio_lg", category="batch_1", maxsize=5)
    with emp:
        emp.broadcast(words=frozenset("abc"))
        reports = [result.value for result in emp.feed(range(2), rows_max=1)]
        assert [audio.get(timeout=10)[0] for _ in reports] == [{"a"}, {"a"}]
    check_worker(reports[-1])


def test_a_worker_of_the_first_door(worker_file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    emp = eisenmp.Mp()
    modules = [{"WORKER_PATH": str(worker_file), "WORKER_REF": "of_lists"}]
    emp.start(worker_modules=modules, PROCS_MAX=1, ROWS_MAX=2, RESULTS_STORE=True)
    try:
        emp.run_q_feeder(generator=iter("abc"))
        emp.join(timeout=30)
    finally:
        emp.stop()
    (rows,) = emp.e_utilsResult.result_dict.values()
    assert [ticket for ticket, _ in rows] == ["_TID_0", "_TID_1"]
    check_worker(rows[-1][1])
    assert "printed" in capsys.readouterr().out


MANAGERS = {
    "import": "import eisenmp",
    "Mp": "import eisenmp; eisenmp.Mp",
    "settings": "import eisenmp; eisenmp.Mp(procs_max=2, retries={'death': 1}, variables={'a': 1})",
    "worker": "import eisenmp; eisenmp.worker(len)",
}


@pytest.mark.parametrize("program", MANAGERS.values(), ids=list(MANAGERS))
def test_a_manager_starts_light(program: str, tmp_path: Path) -> None:
    """`import eisenmp` and `eisenmp.Mp` leave the slow imports to what needs them."""
    modules = run(program, tmp_path)
    assert "eisenmp" in modules
    assert of_packages(modules - bare(), HEAVY_FOR_A_MANAGER) == set()


def test_importing_the_package_imports_no_part_of_it(tmp_path: Path) -> None:
    assert {name for name in run(MANAGERS["import"], tmp_path) if name.startswith("eisenmp")} == {"eisenmp"}


def test_a_whole_feed_starts_light(worker_file: Path, tmp_path: Path) -> None:
    """From nothing to the results: the way whose time is measured."""
    program = f"""
        import eisenmp

        with eisenmp.Mp({f"{worker_file}:of_chunks"!r}, procs_max=1, rows_max=1) as emp:
            assert len(list(emp.feed(iter(range(3))))) == 3
    """
    modules = run(dedent(program), tmp_path)
    assert any(name.startswith("eisenmp.engine.") for name in modules)
    assert of_packages(modules - bare(), HEAVY_FOR_A_MANAGER) == set()


REPORT = "import sys as _sys; _names = list(_sys.modules); import json as _json; print(_json.dumps(_names))"


def run(program: str, folder: Path) -> set[str]:
    """Run the program in an interpreter of its own; what it has imported at its end."""
    file = folder / "program.py"
    file.write_text(f"{program}\n{REPORT}\n")
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    done = subprocess.run(
        [sys.executable, str(file)], capture_output=True, text=True, env=environment, cwd=folder, timeout=60
    )
    assert (done.returncode, done.stderr) == (0, "")
    return set(json.loads(done.stdout))
