"""Ctrl-C, SIGTERM, SIGHUP and SIGQUIT: once drains, twice kills, wherever the program is at that moment."""

from __future__ import annotations

import itertools
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

import eisenmp
from tests import leaks

from .program import command, descendants, program, workers

ENDS = {signal.SIGINT: -signal.SIGINT, signal.SIGTERM: 130, signal.SIGHUP: 130}

HEAD = """
    import itertools, sys
    import eisenmp
    from workers import say
    from eisenmp.manager.events import Draining

    def numbers():
        yield from itertools.count()

"""

WAYS = {
    "iterates": """
        for ticket, value in emp.feed(numbers()):
            say("got", value)
    """,
    "in_order": """
        for ticket, value in emp.feed(numbers()).in_order():
            say("got", value)
    """,
    "list": """
        for result in list(emp.feed(numbers())):
            print("never")
    """,
    "waits": """
        emp.on(eisenmp.manager.events.ChunkDone, lambda event: say("got", event.ticket.number))
        emp.feed(numbers()).wait()
    """,
    "leaves": """
        emp.on(eisenmp.manager.events.ChunkDone, lambda event: say("got", event.ticket.number))
        emp.feed(numbers())
    """,
    "joins": """
        emp.on(eisenmp.manager.events.ChunkDone, lambda event: say("got", event.ticket.number))
        emp.feed(numbers())
        emp.join()
    """,
    "gets": """
        emp.on(eisenmp.manager.events.ChunkDone, lambda event: say("got", event.ticket.number))
        emp.feed(numbers())
        emp.queue("nothing").get()
    """,
    "polls": """
        emp.on(eisenmp.manager.events.ChunkDone, lambda event: say("got", event.ticket.number))
        emp.feed(numbers())
        while not emp.begin_proc_shutdown:
            pass
    """,
}


def managed(body: str, worker: str = "held", settings: str = "") -> str:
    """A program that does this inside of a manager's block; the text is indented by 8."""
    return f"""{HEAD}
    with eisenmp.Mp("workers.py:{worker}", rows_max=1, procs_max=2{settings}) as emp:
        emp.on(Draining, lambda event: say("draining", event.workers))
{body}
    print("went on")
    """


@pytest.mark.parametrize("number", ENDS, ids=lambda number: number.name)
@pytest.mark.parametrize("way", WAYS)
def test_the_first_signal_drains(tmp_path: Path, way: str, number: signal.Signals) -> None:
    """What runs ends and counts, nothing else is started, then comes the exception."""
    with program(tmp_path, managed(WAYS[way])) as started:
        started.until("running", count=2)
        below = descendants(started.pid)
        assert len(workers(started.pid)) == 2
        started.send(number)
        started.until("draining")
        started.open_gate()
        assert started.end() == ENDS[number]
    if way != "list":
        assert sorted(started.values("got")) == sorted(started.values("running"))
    assert "went on" not in started.text and "never" not in started.text
    assert ("KeyboardInterrupt" in started.text) is (number == signal.SIGINT)
    assert all(leaks.wait_gone(pid) for pid in below)


@pytest.mark.parametrize("way", ["iterates", "waits", "joins", "gets"])
def test_a_signal_that_does_not_interrupt_the_main_thread_is_seen(tmp_path: Path, way: str) -> None:
    """Nor does one that comes between the last look of the interpreter and the system call; here none does."""
    deaf = """
        import signal
        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
        """
    with program(tmp_path, managed(deaf + WAYS[way])) as started:
        started.until("running", count=2)
        started.send(signal.SIGINT)
        started.until("draining")
        started.open_gate()
        assert started.end() == 130, "it cannot end itself by a signal that it blocks"
    assert sorted(started.values("got")) == sorted(started.values("running"))


@pytest.mark.parametrize("number", ENDS, ids=lambda number: number.name)
def test_the_second_signal_kills(tmp_path: Path, number: signal.Signals) -> None:
    with program(tmp_path, managed(WAYS["iterates"], settings=", grace=3600")) as started:
        started.until("running", count=2)
        workers = descendants(started.pid)
        started.send(number)
        started.until("draining")
        assert not any(leaks.is_gone(worker) for worker in workers)
        started.send(number)
        assert started.end() == ENDS[number]
    assert started.values("got") == []
    assert all(leaks.wait_gone(worker) for worker in workers)


def test_grace_is_what_running_chunks_have(tmp_path: Path) -> None:
    with program(tmp_path, managed(WAYS["iterates"], settings=", grace=0.05")) as started:
        started.until("running", count=2)
        workers = descendants(started.pid)
        started.send(signal.SIGTERM)
        assert started.end() == 130
    assert started.values("got") == []
    assert all(leaks.wait_gone(worker) for worker in workers)


def test_a_worker_that_takes_all_in_one_cycle_ends_it(tmp_path: Path) -> None:
    with program(tmp_path, managed(WAYS["iterates"], "by_itself", ", grace=3600")) as started:
        started.until("running", count=2)
        started.send(signal.SIGINT)
        started.until("draining")
        started.open_gate()
        assert started.end() == -signal.SIGINT
    assert sorted(started.values("got")) == sorted(started.values("running"))


BODIES = {
    # in a loop over results: a second later
    "body": """
        for ticket, value in emp.feed(itertools.count()):
            say("in the body")
            pass_gate("body")
            print("went on")
    """,
    # nowhere near a manager: at once
    "elsewhere": """
        emp.feed(itertools.count())
        say("in the body")
        pass_gate("body")
        print("went on")
    """,
    "loop": """
        emp.feed(itertools.count())
        say("in the body")
        while True:
            pass
    """,
}


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=lambda number: number.name)
@pytest.mark.parametrize("where", BODIES)
def test_code_of_the_program_is_interrupted_too(tmp_path: Path, where: str, number: signal.Signals) -> None:
    body = "        from workers import pass_gate\n" + BODIES[where].strip("\n")
    with program(tmp_path, managed(body, "same")) as started:
        started.close_gate("body")
        started.until("in the body")
        if where != "loop":
            started.until_at_gate()
        workers = descendants(started.pid)
        started.send(number)
        assert started.end() == ENDS[number]
    assert "went on" not in started.text
    assert all(leaks.wait_gone(worker) for worker in workers)


def test_a_loop_that_comes_back_in_time_has_all_results(tmp_path: Path) -> None:
    """The signal comes while it is busy with a result; the chunks that run then are not lost to it."""
    body = """
        from workers import pass_gate
        for ticket, value in emp.feed(numbers()):
            if not value:
                say("in the body")
                while emp.dispatcher.drain is None:
                    pass
            say("got", value)
    """
    worker = """
    @eisenmp.worker
    def held_later(toolbox, rows):
        if rows[0]:
            say("running", rows[0], os.getpid())
            pass_gate()
        return rows[0]
    """
    with program(tmp_path, managed(body, "held_later"), workers=worker) as started:
        started.until("running", count=2)
        started.send(signal.SIGINT)
        started.until("draining")
        started.open_gate()
        assert started.end() == -signal.SIGINT
    assert sorted(started.values("got")) == sorted([0, *started.values("running")])


def test_rows_of_imap_come_up_to_the_first_gap(tmp_path: Path) -> None:
    text = """
    import itertools, eisenmp
    from workers import say
    for row in eisenmp.imap("workers.py:held_row", itertools.count(), rows_max=1, procs_max=2):
        say("got", row)
    """
    with program(tmp_path, text) as started:
        started.until("running", count=2)
        started.send(signal.SIGINT)
        started.open_gate()
        assert started.end() == -signal.SIGINT
    ran = set(started.values("running"))
    assert started.values("got") == list(itertools.takewhile(ran.__contains__, itertools.count()))


def test_without_a_block_the_exit_of_the_interpreter_drains(tmp_path: Path) -> None:
    text = """
    import itertools, eisenmp
    from workers import say
    from workers import pass_gate
    from eisenmp.manager.events import ChunkDone, Draining
    emp = eisenmp.Mp("workers.py:held", rows_max=1, procs_max=2).start()
    emp.on(ChunkDone, lambda event: say("got", event.ticket.number))
    emp.on(Draining, lambda event: say("draining"))
    emp.feed(itertools.count())
    pass_gate("body")
    """
    for number, code in ENDS.items():
        with program(tmp_path, text) as started:
            started.close_gate("body")
            started.until("running", count=2)
            started.until_at_gate()
            started.send(number)
            started.until("draining")
            started.open_gate()
            assert started.end() == code
        assert sorted(started.values("got")) == sorted(started.values("running"))


def test_a_program_that_only_waits_at_its_exit_is_drained(tmp_path: Path) -> None:
    """Its code has ended; the interpreter stays for the feed. The exit code is no more than settled then."""
    text = """
    import itertools, eisenmp
    from workers import say
    from eisenmp.manager.events import ChunkDone, Draining
    emp = eisenmp.Mp("workers.py:held", rows_max=1, procs_max=2).start()
    emp.on(ChunkDone, lambda event: say("got", event.ticket.number))
    emp.on(Draining, lambda event: say("draining"))
    emp.feed(itertools.count())
    """
    for number, code in {signal.SIGINT: 0, signal.SIGTERM: 130}.items():
        with program(tmp_path, text) as started:
            started.until("running", count=2)
            started.send(number)
            started.until("draining")
            started.open_gate()
            assert started.end() == code
        assert sorted(started.values("got")) == sorted(started.values("running"))


@pytest.mark.parametrize("daemon", [False, True])
def test_a_manager_of_another_thread_does_not_keep_the_program_up(tmp_path: Path, daemon: bool) -> None:
    text = f"""
    import itertools, threading, eisenmp
    from workers import say
    from eisenmp.manager.events import ChunkDone

    def own():
        with eisenmp.Mp("workers.py:same", rows_max=1, procs_max=2) as emp:
            try:
                for ticket, value in emp.feed(itertools.count()):
                    if not value:
                        say("iterates")
            except eisenmp.Stopped:
                say("stopped")

    thread = threading.Thread(target=own, daemon={daemon})
    thread.start()
    thread.join()
    """
    with program(tmp_path, text) as started:
        started.until("iterates")
        workers = descendants(started.pid)
        started.send(signal.SIGINT)
        assert started.end() == -signal.SIGINT
    assert "KeyboardInterrupt" in started.text
    assert all(leaks.wait_gone(worker) for worker in workers)


def test_several_managers_are_drained_together(tmp_path: Path) -> None:
    text = """
    import itertools, eisenmp
    from workers import say
    from eisenmp.manager.events import ChunkDone, Draining
    managers = [eisenmp.Mp("workers.py:held", rows_max=1, procs_max=1) for _ in range(2)]
    for emp in managers:
        emp.on(ChunkDone, lambda event: say("got", event.ticket.number))
        emp.on(Draining, lambda event: say("draining"))
    with managers[0], managers[1]:
        for emp in managers:
            feed = emp.feed(itertools.count())
        feed.wait()
    """
    with program(tmp_path, text) as started:
        started.until("running", count=2)
        started.send(signal.SIGINT)
        started.until("draining", count=2)
        started.open_gate()
        assert started.end() == -signal.SIGINT
    # what was sent ahead may have begun before it was called back
    assert sorted(started.values("got")) == sorted(started.values("running"))
    assert started.values("got").count(0) == 2


def test_a_generator_that_blocks_is_left_behind(tmp_path: Path) -> None:
    text = """
    import threading, eisenmp
    from workers import say

    def stuck():
        yield 0
        say("stuck")
        threading.Event().wait()

    with eisenmp.Mp("workers.py:same", rows_max=1, procs_max=1) as emp:
        for ticket, value in emp.feed(stuck()):
            say("got", value)
    """
    with program(tmp_path, text) as started:
        started.until("stuck")
        started.until("got")
        started.send(signal.SIGINT)
        assert started.end() == -signal.SIGINT
    assert "does not return from next()" in started.text


# who else has handlers


def handlers() -> list[object]:
    return [
        signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)
    ]


def test_handlers_are_there_as_long_as_a_manager_is(tmp_path: Path) -> None:
    (tmp_path / "w.py").write_text(
        "import eisenmp\n@eisenmp.worker\ndef f(toolbox, rows):\n    return rows\n"
    )
    before = handlers()
    with eisenmp.Mp(f"{tmp_path}/w.py:f", procs_max=1) as one:
        installed = handlers()
        assert not set(map(repr, installed)) & set(map(repr, before))
        with eisenmp.Mp(f"{tmp_path}/w.py:f", procs_max=1) as two:
            assert handlers() == installed
            assert len(list(two.feed(range(3)))) == 1
        assert handlers() == installed
        assert len(list(one.feed(range(3)))) == 1
    assert handlers() == before


def test_handlers_of_the_program_stay(tmp_path: Path) -> None:
    text = """
    import itertools, signal, eisenmp
    from workers import say
    rung = []
    signal.signal(signal.SIGTERM, lambda number, frame: rung.append(number))
    with eisenmp.Mp("workers.py:held", rows_max=1, procs_max=2) as emp:
        for ticket, value in emp.feed(range(2)):
            say("got", value, rung)
    """
    with program(tmp_path, text) as started:
        started.until("running", count=2)
        started.send(signal.SIGTERM)
        started.open_gate()
        assert started.end() == 0
    assert started.values("got") and "[15]" in started.text


def test_a_program_that_goes_on_may_go_on(tmp_path: Path) -> None:
    """As in a notebook: an interpreter that reads statements, and sets its own handler before each."""
    text = """
    import code, itertools, signal, sys, eisenmp
    from workers import say
    from eisenmp.manager.events import Draining

    class Kernel(code.InteractiveInterpreter):
        def runcode(self, statement):
            before = signal.signal(signal.SIGINT, signal.default_int_handler)
            try:
                super().runcode(statement)
            finally:
                signal.signal(signal.SIGINT, before)

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    kernel = Kernel(globals())
    for cell in sys.stdin:
        kernel.runsource(cell.replace(";;", "\\n") + "\\n", symbol="exec")
        say("cell done")
    """
    with program(tmp_path, text) as started:
        start = "emp = eisenmp.Mp('workers.py:held', rows_max=1, procs_max=2).start()"
        started.type(f"{start};; emp.on(Draining, lambda event: say('draining'))\n".replace(";; ", ";;"))
        started.until("cell done")
        for _ in range(2):
            started.type("for t, value in emp.feed(itertools.count()): say('got', value)\n")
            started.until("running", count=2)
            started.send(signal.SIGINT)
            started.until("draining")
            started.open_gate()
            started.until("KeyboardInterrupt")
            started.until("cell done")
            started.close_gate("gate")
        assert started.values("got")
        started.open_gate()
        started.type("say('sum', sum(value for t, value in emp.feed(range(10))))\n")
        started.until("sum 45")
        assert started.process.stdin is not None
        started.process.stdin.close()
        assert started.end() == 0


def test_workers_do_not_hear_the_terminal(tmp_path: Path) -> None:
    """Ctrl-C goes to the foreground group of the terminal: neither workers nor whom they start are in it."""
    worker = """
    @eisenmp.worker
    def starts(toolbox, rows):
        code = "import signal; print(signal.getsignal(signal.SIGINT) is signal.SIG_IGN)"
        ignored = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.strip()
        child = subprocess.Popen(["sleep", "inf"])
        say("running", child.pid, os.getpgid(child.pid) == os.getpgrp(), ignored)
        pass_gate()
        return child.poll() is None
    """
    body = """
        for ticket, value in emp.feed(range(1)):
            say("alive", value)
    """
    with program(tmp_path, managed(body, "starts"), terminal=True, workers=worker) as started:
        (line,) = started.until("running")
        assert line.endswith("True True")
        started.type("\x03")
        started.until("draining")
        started.open_gate()
        started.until("alive True")
        assert started.end() == -signal.SIGINT
    assert all(leaks.wait_gone(child) for child in started.values("running"))


QUITS = """
    import faulthandler, signal

    @eisenmp.worker
    def quits(toolbox, rows):
        faulthandler.register(signal.SIGQUIT, file=open(os.dup(2), "w"), all_threads=True)
        say("running", rows[0], os.getpid())
        pass_gate()
        return rows[0]

    @eisenmp.worker
    def has_no_handler(toolbox, rows):
        if rows[0]:
            faulthandler.register(signal.SIGQUIT, file=open(os.dup(2), "w"), all_threads=True)
        else:
            faulthandler.unregister(signal.SIGQUIT)
            signal.signal(signal.SIGQUIT, signal.SIG_DFL)
        say("running", rows[0], os.getpid())
        pass_gate()
        return rows[0]
"""


@pytest.mark.parametrize("worker", ["quits", "has_no_handler"])
def test_sigquit_shows_all_stacks_and_the_program_goes_on(tmp_path: Path, worker: str) -> None:
    """A worker that would end by it is left alone."""
    body = """
        for ticket, value in emp.feed(range(2)):
            say("got", value)
    """
    with program(tmp_path, managed(body, worker), workers=QUITS) as started:
        started.until("running", count=2)
        started.send(signal.SIGQUIT)
        shown = started.until(f"in {worker}", count=2 if worker == "quits" else 1)
        assert all(" | " in line for line in shown), "under the name of the worker"
        started.open_gate()
        assert started.end() == 0
    own = [line for line in started.lines if " | " not in line]
    assert any("in <module>" in line for line in own), "and that of the program"
    assert sorted(started.values("got")) == [0, 1]
    assert "went on" in started.text


# the command


def run(*arguments: object) -> list[str]:
    return [sys.executable, "-m", "eisenmp", "run", *map(str, arguments)]


@pytest.mark.parametrize("order", ["", "--ordered"])
def test_the_command_writes_what_ran(tmp_path: Path, order: str) -> None:
    (tmp_path / "rows").write_text("".join(f"{number}\n" for number in range(100)))
    options = ["--lines", "rows", "--rows-max", 1, "--procs-max", 2, "--grace", 3600, "-o", "out.jsonl"]
    options += [order] if order else []
    with command(tmp_path, run("workers.py:held", *options), terminal=True) as started:
        started.until("running", count=2)
        started.type("\x03")
        started.until("waiting for 2 running chunks: Ctrl-C again kills")
        started.open_gate()
        assert started.end() == 130
    written = [json.loads(line)["value"] for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    assert sorted(map(int, written)) == sorted(started.values("running"))
    assert "Traceback" not in started.text


def test_the_command_is_killed_by_the_second(tmp_path: Path) -> None:
    (tmp_path / "rows").write_text("".join(f"{number}\n" for number in range(100)))
    options = ["--lines", "rows", "--rows-max", 1, "--procs-max", 2, "--grace", 3600, "-o", "out.jsonl"]
    with command(tmp_path, run("workers.py:held", *options), terminal=True) as started:
        started.until("running", count=2)
        workers = descendants(started.pid)
        started.type("\x03")
        started.until("Ctrl-C again kills")
        started.type("\x03")
        assert started.end() == 130
    assert "Traceback" not in started.text
    assert all(leaks.wait_gone(worker) for worker in workers)


def test_the_command_whose_reader_is_stuck_can_be_ended(tmp_path: Path) -> None:
    """It waits in a write to a pipe that is full; there the second signal interrupts it at the latest."""
    worker = """
    @eisenmp.worker
    def large(toolbox, rows):
        return "x" * 200_000
    """
    (tmp_path / "rows").write_text("".join(f"{number}\n" for number in range(100)))
    arguments = run("workers.py:large", "--lines", "rows", "--rows-max", 1, "--procs-max", 1)
    with command(tmp_path, arguments, workers=worker, stderr=subprocess.DEVNULL) as started:
        assert os.read(started._stdout, 1) == b"{"
        started.send(signal.SIGTERM)
        # its writes go on as far as the pipe has room, and nobody reads
        assert started.process.wait() == 130
