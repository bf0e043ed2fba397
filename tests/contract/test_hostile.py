"""What programs and workers do to an engine: forks, grandchildren, closed descriptors, signals, full tables."""

from __future__ import annotations

import os
import resource
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

import eisenmp
from eisenmp.core.messages import Message
from eisenmp.engine import process
from eisenmp.engine.base import Launch, Lost
from eisenmp.engine.local import LocalEngine
from eisenmp.engine.portable import PortableEngine
from tests import leaks

from .engines import ENGINES, HERE, LOCAL, PORTABLE, Contestant
from .feeding import LONG
from .suite import TOLD

ROOT = HERE.parents[1]
HOSTILE = str(HERE / "hostile.py")
PROCESSES = [engine for engine in ENGINES if engine.processes and not engine.apart]


@pytest.fixture(params=PROCESSES, ids=lambda engine: engine.name)
def engine(request: pytest.FixtureRequest) -> Iterator[Contestant]:
    contestant: Contestant = request.param
    with contestant.chosen():
        yield contestant


def environment() -> dict[str, str]:
    """For a program of its own, which finds the tests and the package where this one does."""
    path = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))
    return {**os.environ, "PYTHONPATH": path}


def hostile(engine: Contestant, name: str, **settings: Any) -> eisenmp.Mp:
    return engine.mp(f"{HOSTILE}:{name}", rows_max=1, **settings)


@pytest.fixture
def fifo(tmp_path: Path) -> Path:
    """Whoever reads it lives until the test ends: `held_open` is its writer."""
    path = tmp_path / "fifo"
    os.mkfifo(path)
    return path


@contextmanager
def held_open(fifo: Path) -> Iterator[None]:
    descriptor = os.open(fifo, os.O_RDWR)
    try:
        yield
    finally:
        os.close(descriptor)


# what workers start


def test_a_process_left_behind_with_the_output_hinders_nobody(engine: Contestant, fifo: Path) -> None:
    """It left the worker's group, and holds the other end of the pipe that the manager reads."""
    with held_open(fifo), hostile(engine, "leaves_child", procs_max=1) as emp:
        values = [r.value for r in emp.feed([(str(fifo), True), (str(fifo), False)]).in_order()]
        child = int(Path(f"{fifo}.pid").read_text())
        assert values[1] == child
        assert not leaks.is_gone(child)
    assert leaks.wait_gone(child)


def test_what_a_worker_started_in_its_group_ends_with_it(engine: Contestant, fifo: Path) -> None:
    with held_open(fifo):
        with hostile(engine, "starts_child", procs_max=1) as emp:
            child = [r.value for r in emp.feed([str(fifo)])][0]
            os.kill(emp.proc_list[0].pid, signal.SIGKILL)
            assert leaks.wait_gone(child)
            second = [r.value for r in emp.feed([str(fifo)])][0]
            assert not leaks.is_gone(second)
        assert leaks.wait_gone(second)


def test_a_worker_may_fork(engine: Contestant, capsys: pytest.CaptureFixture[str]) -> None:
    """The copy prints, and ends, without a word into the worker's connection."""
    emp = hostile(engine, "forks")
    told = emp.queue(TOLD, maxsize=99)
    with emp:
        assert [r.value for r in emp.feed(range(20)).in_order()] == [(number, 3) for number in range(20)]
        assert told.qsize() == 0
    lines = [line.partition(" | ")[2] for line in capsys.readouterr().err.splitlines()]
    assert sorted(lines) == sorted(f"copy of {number}" for number in range(20))


def test_a_worker_that_becomes_another_program_is_replaced(engine: Contestant, fifo: Path) -> None:
    """The end of its connection tells, where the end of its process does not."""
    with held_open(fifo), hostile(engine, "becomes_another", procs_max=1) as emp:
        assert [r.value for r in emp.feed([str(fifo)])] == ["again"]


# what the program does


def test_a_copy_of_the_program_leaves_the_workers_alone(engine: Contestant) -> None:
    with engine.mp(rows_max=1) as emp:
        assert len(list(emp.feed(range(20)))) == 20
        read, write = os.pipe()
        pid = os.fork()
        if not pid:
            try:
                emp.stop()
                emp.feed([1])
            except eisenmp.Stopped:
                os.write(write, b"stopped")
            finally:
                os._exit(0)
        os.waitpid(pid, 0)
        os.close(write)
        with os.fdopen(read, "rb") as told:
            assert told.read() == b"stopped"
        assert len(list(emp.feed(range(20)))) == 20
        assert all(slot.is_alive() for slot in emp.proc_list)


@pytest.mark.parametrize("how", ["waits", "computes"])
def test_workers_end_with_the_program(engine: Contestant, how: str, fifo: Path) -> None:
    """Killed without a word, while a copy of it made by os.fork() lives on."""
    program = subprocess.Popen(
        [sys.executable, str(HERE / "program.py"), engine.name, how, str(fifo)],
        cwd=ROOT, env=environment(), stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    with held_open(fifo), program:
        assert program.stdout is not None
        workers = [int(word) for word in program.stdout.readline().split()]
        assert len(workers) == 2
        program.kill()
        assert all(leaks.wait_gone(pid) for pid in workers)


def test_a_stopped_worker_ends_with_the_program(fifo: Path) -> None:
    """By the life line: it cannot do anything itself."""
    program = subprocess.Popen(
        [sys.executable, str(HERE / "program.py"), "local", "waits", str(fifo)],
        cwd=ROOT, env=environment(), stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    with held_open(fifo), program:
        assert program.stdout is not None
        workers = [int(word) for word in program.stdout.readline().split()]
        for pid in workers:
            os.kill(pid, signal.SIGSTOP)
        program.kill()
        assert all(leaks.wait_gone(pid) for pid in workers)


def test_a_thousand_descriptors_are_no_limit(engine: Contestant) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 4096), hard))
    many = [os.open(os.devnull, os.O_RDONLY) for _ in range(1100)]
    try:
        with engine.mp(rows_max=1) as emp:
            assert len(list(emp.feed(range(100)))) == 100
    finally:
        for descriptor in many:
            os.close(descriptor)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_a_full_table_of_descriptors_ends_the_start(engine: Contestant) -> None:
    """With the system's own words, and nothing is left."""
    emp = engine.mp(procs_max=50)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (len(os.listdir("/proc/self/fd")) + 25, hard))
    try:
        with pytest.raises(OSError, match="Too many open files"):
            emp.start()
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_workers_that_cannot_start_end_the_run(engine: Contestant, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/bin/false")
    with pytest.raises(eisenmp.WorkerDied, match="cannot start: process .* exit code 1"):
        with engine.mp() as emp:
            list(emp.feed([1]))
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    if engine.name != "forkserver":
        with pytest.raises(FileNotFoundError):
            engine.mp().start()


def test_a_system_without_room_for_a_process_is_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """Then the run ends with the system's own words; until then the other workers go on."""

    def refuse(*arguments: object) -> int:
        raise BlockingIOError("no more processes")

    with pytest.raises(eisenmp.EisenmpError, match="cannot be started: no more processes"):
        with LOCAL.chosen(), LOCAL.mp(rows_max=1) as emp:
            assert len(list(emp.feed(range(10)))) == 10
            monkeypatch.setattr(process, "spawn", refuse)
            os.kill(emp.proc_list[0].pid, signal.SIGKILL)
            assert len(list(emp.feed(range(50)))) == 50
            os.kill(emp.proc_list[1].pid, signal.SIGKILL)
            list(emp.feed(range(10)))


def run_program(engine: Contestant, how: str) -> str:
    run = subprocess.run(
        [sys.executable, str(HERE / "program.py"), engine.name, how, ""],
        cwd=ROOT, env=environment(),
        stdout=subprocess.PIPE, timeout=LONG, check=False, text=True,
    )  # fmt: skip
    assert run.returncode == 0
    return run.stdout


def test_a_program_without_standard_descriptors_has_workers(engine: Contestant) -> None:
    """Its new descriptors get the numbers 0 to 2, which the workers have their own for."""
    assert run_program(engine, "closed") == "20"


@pytest.mark.parametrize("how", ["blocks", "ignores"])
def test_signals_that_the_program_does_not_take_end_the_workers(engine: Contestant, how: str) -> None:
    assert run_program(engine, how) == "200 [-15, -15]\n"


def test_a_program_that_ignores_its_children_gets_all_results(engine: Contestant) -> None:
    """Then nobody can learn the exit codes of one's own children."""
    code = -15 if engine.name == "forkserver" else None
    assert run_program(engine, "children") == f"200 {[code] * 2}\n"


@pytest.mark.parametrize("name", ["local", "portable"])
def test_a_program_that_resets_sigpipe_survives_its_workers(name: str) -> None:
    assert run_program(Contestant(name), "pipe") == "survived\n"


def test_signals_of_the_program_do_not_interrupt_the_loop() -> None:
    """Every system call that the loop waits in is interrupted again and again."""
    rung: list[int] = []
    before = signal.signal(signal.SIGALRM, lambda number, frame: rung.append(number))
    signal.setitimer(signal.ITIMER_REAL, 0.001, 0.001)
    try:
        with LOCAL.chosen(), LOCAL.mp(rows_max=1) as emp:
            assert [r.value for r in emp.feed(range(2000)).in_order()] == [[n] for n in range(2000)]
            assert len(list(emp.feed([("busy", 0.02)] * 4))) == 4
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0.0)
        signal.signal(signal.SIGALRM, before)
    assert rung


@pytest.mark.parametrize("kind", [LocalEngine, PortableEngine], ids=["local", "portable"])
def test_every_process_is_lost_once_whenever_it_is_killed(kind: type[LocalEngine | PortableEngine]) -> None:
    """One thread drives the loop while another starts processes and kills them at once."""
    engine, number = kind(), 24
    lost: list[int] = []
    engine.open()

    def drive() -> None:
        while len(lost) < number:
            lost.extend(event.wid for event in engine.poll(None) if isinstance(event, Lost))

    loop = threading.Thread(target=drive)
    loop.start()
    try:
        for wid in range(1, number + 1):
            # one of three is not killed: it ends because it cannot read what it is told
            pid = engine.spawn(wid, Launch(spec=b"no pickle", name=f"worker-{wid}", environment=os.environ))
            assert pid > 0
            if wid % 3:
                engine.send(wid, [Message(1, body=b"x" * 100_000)])
                (engine.kill if wid % 3 == 1 else engine.terminate)(wid)
        loop.join(LONG)
        assert sorted(lost) == list(range(1, number + 1))
    finally:
        engine.close(0.0)
        loop.join(LONG)


def test_a_hundred_megabytes_travel_both_ways() -> None:
    with LOCAL.chosen(), LOCAL.mp(rows_max=1, procs_max=1) as emp:
        size = 100_000_000
        ((_, answer),) = [r.value[0] for r in emp.feed([("digest", bytes(size), size)])]
        assert len(answer) == size


# strangers at the port of the portable path


def port_of(emp: eisenmp.Mp) -> int:
    listener: socket.socket = vars(emp.engine)["_listener"]
    return int(listener.getsockname()[1])


def test_strangers_at_the_port_are_not_let_in() -> None:
    with PORTABLE.chosen(), PORTABLE.mp(rows_max=1, procs_max=1) as emp:
        told = emp.queue(TOLD)
        strangers = [socket.create_connection(("127.0.0.1", port_of(emp))) for _ in range(70)]
        try:
            for stranger in strangers[::2]:
                stranger.sendall(b"let me in, I am a worker like all the others here are" * 2)
            emp.resize(2)
            assert len(list(emp.feed(range(20)))) == 20
            for stranger in strangers[::2]:
                # a challenge, then the end: no proof of the manager's
                received = stranger.recv(100)
                assert len(received) <= 32
                with suppress(ConnectionResetError):
                    assert stranger.recv(100) == b""
            assert told.empty()
        finally:
            for stranger in strangers:
                stranger.close()


def test_attempts_are_counted_across_processes() -> None:
    """The suite relies on it."""
    from .workers import attempts

    with tempfile.TemporaryDirectory() as folder:
        assert [attempts(f"{folder}/count") for _ in range(3)] == [0, 1, 2]
