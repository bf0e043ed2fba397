"""What a failure says: the cause in one phrase, the last lines of that worker, where its threads were."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path
from textwrap import dedent
from typing import Any, NamedTuple

import pytest

import eisenmp
from eisenmp.core.cpus import find_hierarchies
from eisenmp.core.stack import top
from eisenmp.manager import events
from eisenmp.testing import eventually

ENDS = Path(__file__).with_name("ends.py")
LIMIT = 100  #: seconds that a program of a test may take
PATIENCE = 60.0


@pytest.fixture(params=["spawn", "forkserver", "portable"])
def method(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """A way to start workers; its settings are those of `START`."""
    monkeypatch.setenv("EISENMP_PORTABLE", str(int(request.param == "portable")))
    return str(request.param)


def mp(method: str, worker: str = "end", **settings: Any) -> eisenmp.Mp:
    start = "spawn" if method == "portable" else method
    given = {
        "procs_max": 1,
        "rows_max": 1,
        "retries": {"death": 0},
        "on_error": "skip",
        "start_method": start,
    }
    return eisenmp.Mp(worker if ":" in worker else f"{ENDS}:{worker}", **{**given, **settings})


def failure(feed: eisenmp.Feed) -> Any:
    """The only one of the feed."""
    assert feed.wait(PATIENCE)
    (found,) = feed.failed
    assert found.error.cause == found.cause
    return found


# -- signals and exit codes ------------------------------------------------------------------------

PHRASES = {
    "segfault": ("was killed by signal 11 (SIGSEGV)", -11, "Fatal Python error: Segmentation fault"),
    "abort": ("was killed by signal 6 (SIGABRT)", -6, "Fatal Python error: Aborted"),
    "kill": ("was killed by signal 9 (SIGKILL)", -9, ""),
    "term": ("was killed by signal 15 (SIGTERM)", -15, ""),
    "leave": ("ended with exit code 7", 7, ""),
    "late": ("ended with exit code 1", 1, "Timeout ("),
}


@pytest.mark.parametrize("how", ["print", "write"])
def test_each_end_has_its_phrase_its_stack_and_its_lines(method: str, how: str) -> None:
    with mp(method) as emp:
        for number, (way, (phrase, code, title)) in enumerate(PHRASES.items()):
            # what the process before it in the slot has written is no part of the tail
            count = (2, 30)[number % 2]
            found = failure(emp.feed([[(how, way, count), way]]))
            assert found.cause == f"process {found.error.pid} {phrase}"
            assert found.error.exitcode == code
            assert found.output_tail.splitlines() == [f"{way} {line}" for line in range(count)][-20:]
            assert found.stack.startswith(title)
            assert bool(found.stack) is bool(title)
            if title:
                assert any(f"in {way}" in call for call in top(found.stack))
                assert f"in {way}" in str(found.error)
            else:
                assert "most recent call" not in str(found.error)


def test_lines_of_both_kinds_are_in_the_tail(method: str) -> None:
    with mp(method) as emp:
        found = failure(emp.feed([[("print", "said", 8), ("write", "written", 7), "segfault"]]))
    for word, count in (("said", 8), ("written", 7)):
        lines = [line for line in found.output_tail.splitlines() if line.startswith(word)]
        assert lines == [f"{word} {number}" for number in range(count)]
    assert "Fatal" not in found.output_tail
    assert "in segfault" in found.stack


# -- stacks that were asked for --------------------------------------------------------------------


def test_a_worker_that_is_asked_shows_its_stacks_and_works_on(
    method: str, capfd: pytest.CaptureFixture[str]
) -> None:
    shown: list[str] = []
    emp = mp(method, "wait")
    told, gate = emp.queue("told"), emp.queue("gate")
    emp.on(events.OutputLine, lambda event: shown.append(event.text))
    with emp:
        feed = emp.feed(["one", "two"])
        pid = told.get(timeout=PATIENCE)
        os.kill(pid, signal.SIGQUIT)
        eventually(lambda: any('ends.py", line' in text for text in shown))
        gate.put(None)
        results = iter(feed)
        assert next(results).value == ["one"]
        assert told.get(timeout=PATIENCE) == pid
        # a dump that was asked for earlier is not where it was when it was killed
        os.kill(pid, signal.SIGKILL)
        assert list(results) == []
        found = failure(feed)
    assert found.rows == ["two"]
    assert (found.stack, found.output_tail) == ("", "")


# -- starts that fail ------------------------------------------------------------------------------


@pytest.mark.parametrize("way", ["segfault", "leave", "kill"])
def test_a_start_that_fails_says_how(method: str, way: str, tmp_path: Path) -> None:
    module = tmp_path / "starts_badly.py"
    module.write_text(
        dedent(f"""
        from tests.faults import ends

        print("before the end")
        ends.{way}()
        """)
    )
    phrase, code, title = PHRASES[way]
    with pytest.raises(eisenmp.WorkerDied) as caught, mp(method, f"{module}:end") as emp:
        list(emp.feed([1]))
    error = caught.value
    assert f"cannot start: process {error.pid} {phrase}, before it had loaded its modules" in str(error)
    assert error.exitcode == code
    assert "before the end" in str(error)
    assert (f"in {way}" in str(error)) is bool(title)


PYTHON, C = "threading.Event().wait()", "sum(iter(int, 1))"


# in C the interpreter's lock is never let go: nothing that is written in Python could say where it hangs
@pytest.mark.parametrize(
    ("method", "call"),
    [("spawn", PYTHON), ("spawn", C), ("forkserver", PYTHON), ("portable", PYTHON)],
    indirect=["method"],
)
def test_a_start_that_hangs_says_where(method: str, call: str, tmp_path: Path) -> None:
    module = tmp_path / "hangs.py"
    module.write_text(f"import threading\n\n\ndef hang():\n    {call}\n\n\nhang()\n")
    with pytest.raises(eisenmp.WorkerDied) as caught, mp(method, f"{module}:end", start_timeout=3.0) as emp:
        list(emp.feed([1]))
    message = str(caught.value)
    assert "cannot start: it was not ready after start_timeout = 3.0 s\n" in message
    assert f'File "{module}", line ' in message
    assert " in hang" in message


# -- out of memory ---------------------------------------------------------------------------------

MEMORY = 100 << 20  #: bytes for a program and its workers
LIMITS = {
    1: ("memory.limit_in_bytes", "memory.memsw.limit_in_bytes"),
    2: ("memory.max", "memory.swap.max"),
}


class Cage(NamedTuple):
    """A cgroup with little memory: a process goes in by writing 0 to `entrance`."""

    folder: Path

    @property
    def entrance(self) -> Path:
        return self.folder / "cgroup.procs"


def build_cage() -> Cage | None:
    """In the innermost place where this process may have one; None where there is none."""
    try:
        texts = [Path("/proc/self", name).read_text() for name in ("cgroup", "mountinfo")]
    except OSError:
        return None
    for tree in find_hierarchies(*texts, wanted=frozenset(("memory",))):
        limit, swap = LIMITS[tree.version]
        for directory in reversed(tree.directories):
            folder = Path(directory, f"eisenmp-{uuid.uuid4().hex}")
            try:
                folder.mkdir()
            except OSError:
                continue
            try:
                (folder / limit).write_text(str(MEMORY))
                if (folder / swap).exists():
                    (folder / swap).write_text(str(MEMORY) if tree.version == 1 else "0")
                if os.access(folder / "cgroup.procs", os.W_OK):
                    return Cage(folder)
            except OSError:
                pass  # this level hands the controller down to nobody
            folder.rmdir()
    return None


@pytest.fixture
def cage() -> Iterator[Cage]:
    built = build_cage()
    if built is None:
        pytest.skip("no cgroup can be made here whose memory is limited")
    try:
        yield built
    finally:
        eventually(lambda: not built.entrance.read_text())
        built.folder.rmdir()


CAGED = """
    import sys

    import eisenmp

    def tell(*words):
        # at once: print() writes each word, and the lines of workers come in between
        sys.stdout.write("|".join(map(str, words)) + chr(10))

    entrance, ends, method = sys.argv[1:]
    with open(entrance, "w") as file:
        file.write("0")
    settings = dict(procs_max=2, rows_max=2, retries={"death": 0}, on_error="skip", start_method=method)
    with eisenmp.Mp(f"{ends}:end", **settings) as emp:
        for way in ("kill", "eat", "kill", "eat"):
            feed = emp.feed([[("print", way, 3), way]])
            feed.wait()
            (found,) = feed.failed
            tell(way, found.error.exitcode, found.output_tail.splitlines(), bool(found.stack))
            tell(found.cause.replace(f"process {found.error.pid} ", ""))
        tell(*[list(result.value) for result in emp.feed(range(3)).in_order()])
"""


def test_out_of_memory_is_told_from_other_kills(cage: Cage, method: str, tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text(dedent(CAGED))
    start = "forkserver" if method == "forkserver" else "spawn"
    done = subprocess.run(
        [sys.executable, str(program), str(cage.entrance), str(ENDS), start],
        capture_output=True,
        text=True,
        timeout=LIMIT,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    killed = "was killed by signal 9 (SIGKILL)"
    expected = []
    for way, cause in (("kill", killed), ("eat", f"{killed}: out of memory")) * 2:
        expected += [f"{way}|-9|{[f'{way} {line}' for line in range(3)]}|False", cause]
    lines = [line for line in done.stdout.splitlines() if not line.startswith("Process-")]
    assert lines == [*expected, "[0, 1]|[2]"]
