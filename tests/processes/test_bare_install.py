"""`pip install --no-deps` where nothing else is: what runs there, and what says which library it needs."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from textwrap import dedent
from typing import NamedTuple

import pytest

from tests import leaks
from tests.once import once

ROOT = Path(__file__).resolve().parents[2]
LIMIT = 60  #: seconds; a program that hangs is ended and fails its test
BUILD_LIMIT = 300
LIBRARIES = ("cloudpickle", "cyclopts", "psutil", "rich", "numpy", "setproctitle")
ENTRY = "import sys; from eisenmp.cli import main; sys.exit(main())"


class Bare(NamedTuple):
    """A virtual environment with eisenmp and nothing else, and how its command `eisenmp` is called."""

    python: Path
    command: tuple[str, ...]


class Done(NamedTuple):
    """How a program ended, and what it wrote."""

    code: int
    out: str
    err: str


Run = Callable[..., Done]


@pytest.fixture(scope="session")
def bare(tmp_path_factory: pytest.TempPathFactory) -> Bare:
    """The wheel of this checkout, built once, in a fresh environment."""
    python, *command = once(tmp_path_factory, "bare", made)
    return Bare(Path(python), tuple(command))


def made(folder: Path) -> list[str]:
    """The interpreter of the environment, and how `eisenmp` is called there."""
    environment = folder / "environment"
    assert call(sys.executable, "-m", "venv", "--without-pip", environment).code == 0
    scripts = environment / ("Scripts" if os.name == "nt" else "bin")
    python = scripts / ("python.exe" if os.name == "nt" else "python")
    wheel = built_wheel(folder)
    if wheel is not None:
        installed = pip("--python", python, "install", "--no-deps", "--no-index", wheel)
        assert installed.code == 0, installed.err
        return [str(python), str(scripts / "eisenmp")]
    # neither a package index nor the build backend: what would be in the wheel, without its metadata
    where = call(python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'), end='')")
    leave_out = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "src" / "eisenmp", Path(where.out, "eisenmp"), ignore=leave_out)
    return [str(python), str(python), "-c", ENTRY]


def built_wheel(folder: Path) -> Path | None:
    """Built with a backend from the index, else with one that is installed here; None without either."""
    for options in ((), ("--no-build-isolation",)):
        pip("wheel", "--no-deps", "--retries", "1", *options, "--wheel-dir", folder, ROOT)
        if wheels := list(folder.glob("*.whl")):
            return wheels[0]
    return None


def pip(*arguments: str | Path) -> Done:
    """pip of this environment."""
    options = ("--quiet", "--disable-pip-version-check", "--no-input")
    return call(sys.executable, "-m", "pip", *options, *arguments, limit=BUILD_LIMIT)


def call(*command: str | Path, folder: Path | None = None, limit: float = LIMIT) -> Done:
    """Run to the end. Nothing of this environment's Python settings goes along."""
    names = [name for name in os.environ if name.startswith(("PYTHON", "EISENMP_")) or name == "VIRTUAL_ENV"]
    kept = {name: value for name, value in os.environ.items() if name not in names or "PORTABLE" in name}
    done = subprocess.run(
        list(map(str, command)),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        encoding="utf-8",
        cwd=folder,
        env=kept,
        timeout=limit,
        check=False,
    )
    return Done(done.returncode, done.stdout, done.stderr)


@pytest.fixture
def run(bare: Bare, tmp_path: Path) -> Run:
    """Run the text of a program; further files by their name without the ending."""

    def run(program: str, **files: str) -> Done:
        for name, text in {"program": program, **files}.items():
            (tmp_path / f"{name}.py").write_text(dedent(text), encoding="utf-8")
        return call(bare.python, "program.py", folder=tmp_path)

    return run


def test_nothing_else_is_installed(run: Run) -> None:
    """Otherwise the other tests would show nothing."""
    done = run(f"""
        from importlib.util import find_spec
        from pathlib import Path

        import eisenmp

        home = Path(eisenmp.__file__)
        print(*(name for name in {LIBRARIES!r} if find_spec(name)), sep=",")
        print(home.parts[-3:], home.with_name("py.typed").exists())
    """)
    assert done == Done(0, "\n('site-packages', 'eisenmp', '__init__.py') True\n", "")


WORKER = """
    import eisenmp

    @eisenmp.worker
    def squares(toolbox, rows):
        if 13 in rows:
            raise ValueError("thirteen")
        return [row * row for row in rows]

    @eisenmp.worker
    def known(toolbox, rows):
        return sorted(toolbox.tools["words"].intersection(rows))

    def square(row):
        return row * row
"""


def test_a_feed_in_order(run: Run) -> None:
    program = """
        import eisenmp

        def numbers():
            for number in range(5):
                yield number

        with eisenmp.Mp("work.py:squares", rows_max=2) as emp:
            feed = emp.feed(numbers())
            for ticket, values in feed.in_order():
                print(ticket.number, values)
            print(feed.expected, feed.missing, feed.failed)
            print(sorted(sum((values for _, values in emp.feed(range(5))), [])))
    """
    expected = "0 [0, 1]\n1 [4, 9]\n2 [16]\n3 [] []\n[0, 1, 4, 9, 16]\n"
    assert run(program, work=WORKER) == Done(0, expected, "")


def test_imap_and_tools(run: Run) -> None:
    program = """
        import eisenmp
        import work

        print(list(eisenmp.imap(work.square, range(5), procs_max=2)))
        print(sorted(eisenmp.imap_unordered("work.py:square", iter(range(5)), procs_max=2)))
        with eisenmp.Mp(work.known, procs_max=2) as emp:
            emp.broadcast(words=frozenset(("ab", "cd")))
            print([values for _, values in emp.feed(["ab", "xy", "cd"])])
        print(eisenmp.usable_cpus() >= 1)
    """
    expected = "[0, 1, 4, 9, 16]\n[0, 1, 4, 9, 16]\n[['ab', 'cd']]\nTrue\n"
    assert run(program, work=WORKER) == Done(0, expected, "")


def test_a_failure_with_its_cause(run: Run) -> None:
    program = """
        import eisenmp

        with eisenmp.Mp("work.py:squares", rows_max=5, on_error="skip") as emp:
            feed = emp.feed(range(20))
            print(sorted(ticket.number for ticket, _ in feed))
            (failure,) = feed.failed
            print(failure.ticket.number, failure.rows, type(failure.error).__name__)
            print(repr(failure.error.__cause__))
    """
    assert run(program, work=WORKER) == Done(
        0, "[0, 1, 3]\n2 range(10, 15) WorkerFailed\nValueError('thirteen')\n", ""
    )


def test_queues_in_categories(run: Run) -> None:
    worker = """
        def encode(toolbox):
            sound = toolbox.batch_1["audio_lg"].get()
            toolbox.mp_print_q.put(f"encodes {sound}")
            toolbox.answers.put((toolbox.batch, sound.upper()))
            return sound != "end"
    """
    program = """
        import eisenmp

        emp = eisenmp.Mp("encoder.py:encode", procs_max=1, variables={"batch": 1})
        audio = emp.queue("audio_lg", category="batch_1", maxsize=5)
        answers = emp.queue("answers", maxsize=5)
        with emp:
            for sound in ("do", "re", "end"):
                audio.put(sound)
            print(*(answers.get(timeout=30) for _ in range(3)))
            print(answers.empty(), audio.qsize())
    """
    done = run(program, encoder=worker)
    assert (done.code, done.err) == (0, "")
    assert sorted(done.out.splitlines()) == [
        "(1, 'DO') (1, 'RE') (1, 'END')",
        "True 0",
        "encodes do",
        "encodes end",
        "encodes re",
    ]


def test_the_first_door(run: Run) -> None:
    worker = """
        def worker_entrance(toolbox):
            header, *rows = toolbox.mp_input_q.get()
            last = toolbox.STOP_MSG in rows
            numbers = [row for row in rows if row != toolbox.STOP_MSG]
            toolbox.mp_output_q.put([toolbox.OUTPUT_HEADER + header, sum(numbers) * toolbox.factor])
            return not last
    """
    program = """
        import os
        import time

        import eisenmp
        import eisenmp.utils.eisenmp_utils as e_utils

        class ModuleConfiguration:
            def __init__(self):
                folder = os.path.dirname(os.path.abspath(__file__))
                self.worker_modules = [
                    {"WORKER_PATH": os.path.join(folder, "adder.py"), "WORKER_REF": "worker_entrance"}
                ]
                self.PROCS_MAX = 2
                self.ROWS_MAX = 3
                self.RESULTS_STORE = True
                self.RESULTS_PRINT = True
                self.RESULT_LABEL = "sums"
                self.factor = 10

        modConf = ModuleConfiguration()
        emp = eisenmp.Mp()
        emp.start(**modConf.__dict__)
        emp.run_q_feeder(generator=(number for number in range(7)), input_q=emp.mp_input_q)
        while not emp.begin_proc_shutdown:
            time.sleep(0.01)
        emp.join()
        print(sorted(e_utils.Result.result_dict["mp_input_q (default)"]))
    """
    done = run(program, adder=worker)
    assert (done.code, done.err) == (0, "")
    assert "--- Result for [sums]---" in done.out
    assert "[('_TID_0', 30), ('_TID_1', 120), ('_TID_2', 60)]" in done.out


def test_text_that_looks_like_the_name_of_the_program(run: Run) -> None:
    """Rows and results are data, whatever they say."""
    worker = """
        import eisenmp

        @eisenmp.worker
        def echo(toolbox, rows):
            return rows
    """
    program = """
        import eisenmp

        with eisenmp.Mp("echo.py:echo", procs_max=1) as emp:
            print([values for _, values in emp.feed(["__main__", "__mp_main__"])])
    """
    assert run(program, echo=worker) == Done(0, "[['__main__', '__mp_main__']]\n", "")


def test_a_function_of_the_program_needs_cloudpickle(run: Run) -> None:
    """And says so before any process starts."""
    done = run("""
        import eisenmp

        @eisenmp.worker
        def squares(toolbox, rows):
            return [row * row for row in rows]

        try:
            eisenmp.Mp(squares).start()
        except eisenmp.LoadError as error:
            print(error)
    """)
    assert (done.code, done.err) == (0, "")
    (message,) = done.out.splitlines()
    assert "squares" in message
    assert "cloudpickle" in message
    assert "install" in message


def test_the_command_line_needs_cyclopts(bare: Bare, tmp_path: Path) -> None:
    """One line, and the exit code of wrong use."""
    for arguments in (
        [],
        ["cpus"],
        ["run", "work.py:squares", "--lines", "rows.txt"],
        ["examples"],
        ["--help"],
    ):
        done = call(*bare.command, *arguments, folder=tmp_path)
        assert (done.code, done.out) == (2, ""), arguments
        (line,) = done.err.splitlines()
        assert line.startswith("eisenmp: ")
        assert "cyclopts" in line
        assert "pip install" in line


PROGRESS = """
    import eisenmp

    with eisenmp.Mp("work.py:squares", rows_max=1, procs_max=1, progress=True) as emp:
        print(sum(len(values) for _, values in emp.feed(range(10))))
"""


def test_progress_is_shown_in_plain_lines(run: Run) -> None:
    done = run(PROGRESS, work=WORKER)
    assert (done.code, done.out) == (0, "10\n")
    check_lines(done.err)


def test_progress_on_a_terminal_is_plain_without_rich(bare: Bare, tmp_path: Path) -> None:
    (tmp_path / "program.py").write_text(dedent(PROGRESS))
    (tmp_path / "work.py").write_text(dedent(WORKER))
    shown, terminal = os.openpty()
    try:
        done = subprocess.run(
            [bare.python, "program.py"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=terminal,
            cwd=tmp_path,
            env={**os.environ, "TERM": "xterm-256color"},
            timeout=LIMIT,
            check=False,
        )
        written = os.read(shown, 1 << 16).decode()
    finally:
        os.close(shown)
        os.close(terminal)
    assert (done.returncode, done.stdout) == (0, b"10\n")
    check_lines(written)


def check_lines(text: str) -> None:
    """The last line tells of all rows; no line is drawn over."""
    lines = text.splitlines()
    assert lines
    assert all(line.startswith("eisenmp: ") for line in lines)
    assert "10" in lines[-1]
    assert "100" in lines[-1]
    assert "\x1b" not in text


def test_nothing_runs_on(run: Run) -> None:
    """Ended by an error in the middle of a feed, a program leaves no worker."""
    program = """
        import eisenmp

        with eisenmp.Mp("work.py:squares", rows_max=1, procs_max=2) as emp:
            print(*(process.pid for process in emp.proc_list), flush=True)
            for ticket, values in emp.feed(iter(range(10))):
                raise SystemExit(7)
    """
    done = run(program, work=WORKER)
    assert done.code == 7
    assert all(leaks.wait_gone(int(pid)) for pid in done.out.split())
