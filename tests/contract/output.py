"""What workers print. Only for engines whose workers are processes: others print by themselves."""

from __future__ import annotations

import io
from collections import Counter
from contextlib import redirect_stderr, redirect_stdout

from .engines import Contestant
from .suite import own_process


@own_process
def lines_arrive_whole_under_the_name_of_the_worker(engine: Contestant) -> None:
    """Of two threads in each of two workers, every line printed in several pieces."""
    shown = io.StringIO()
    with redirect_stdout(shown), engine.mp(rows_max=1) as emp:
        names = {slot.name for slot in emp.proc_list}
        assert len(list(emp.feed([("say", f"w{number}", 50) for number in range(4)]))) == 4
    lines = shown.getvalue().splitlines()
    assert {line.partition(" | ")[0] for line in lines} <= names
    counted = Counter(line.partition(" | ")[2] for line in lines)
    expected = [
        f"w{number}-{mark}-{line}-{'x' * 40}-end"
        for number in range(4)
        for mark in "ab"
        for line in range(50)
    ]
    assert counted == Counter(expected)


@own_process
def output_past_python_arrives_too(engine: Contestant) -> None:
    shown = io.StringIO()
    with redirect_stderr(shown), engine.mp(rows_max=1, procs_max=1) as emp:
        name = emp.proc_list[0].name
        rows = [
            ("say_raw", "two\nlines\n"),
            ("say_raw", "a half "),
            ("say_raw", "line\n"),
            ("say_raw", "the rest"),
        ]
        assert len(list(emp.feed(rows))) == 4
    assert shown.getvalue() == "".join(
        f"{name} | {line}\n" for line in ("two", "lines", "a half line", "the rest")
    )


@own_process
def what_is_logged_arrives_under_the_name_of_the_worker(engine: Contestant) -> None:
    shown = io.StringIO()
    with redirect_stderr(shown), engine.mp(rows_max=1, procs_max=1) as emp:
        name = emp.proc_list[0].name
        assert len(list(emp.feed([("log", "one"), ("log", "two\nlines")]))) == 2
    assert shown.getvalue() == "".join(
        f"{name} | {line}\n" for line in ("careful: one", "careful: two", "lines")
    )


@own_process
def a_line_without_an_end_is_shown_at_the_end(engine: Contestant) -> None:
    shown = io.StringIO()
    with redirect_stdout(shown), engine.mp(rows_max=1, procs_max=1) as emp:
        name = emp.proc_list[0].name
        assert len(list(emp.feed([("say_half", "one "), ("say_half", "half")]))) == 2
    assert shown.getvalue() == f"{name} | one half\n"
