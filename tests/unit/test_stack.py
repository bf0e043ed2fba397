"""Dumps of faulthandler among other lines: real ones of this interpreter, and those of later versions."""

from __future__ import annotations

import subprocess
import sys

import pytest

from eisenmp.core.stack import LINES_MAX, Stack, top

SEGFAULT = """\
Fatal Python error: Segmentation fault

Thread 0x00007f72df1eb6c0 (most recent call first):
  File "/lib/threading.py", line 327 in wait
  File "/lib/threading.py", line 1002 in _bootstrap

Current thread 0x00007f72e0484b80 (most recent call first):
  File "/lib/ctypes/__init__.py", line 519 in string_at
  File "work.py", line 13 in deep
  File "work.py", line 12 in find
  ...

Extension modules: numpy._core._multiarray_umath, numpy.linalg._umath_linalg (total: 2)"""

NEWER = """\
Fatal Python error: Bus error

Thread 0x00007f72df1eb6c0 [Thread-1 (wait)] (most recent call first):
  File "/lib/threading.py", line 327 in wait

Current thread 0x00007f72e0484b80 [python] (most recent call first):
  Garbage-collecting
  File "work.py", line 12 in find

Current thread's C stack trace (most recent call first):
  Binary file "/opt/python/python", at _Py_DumpStack+0x42 [0x5b27f7d7147e]
  <truncated rest of calls>"""

WITHOUT_A_LOCK = """\
Fatal Python error: Segmentation fault

<Cannot show all threads while the GIL is disabled>
Stack (most recent call first):
  File "work.py", line 9 in find

Current thread's C stack trace (most recent call first):
  <cannot get C stack on this system>"""

ABORTED = """\
Fatal Python error: _Py_CheckRecursiveCall: Cannot recover from stack overflow.
Python runtime state: initialized

Current thread 0x00007f72e0484b80 (most recent call first):
  <no Python frame>"""

WINDOWS = """\
Windows fatal exception: access violation

Current thread 0x00000abc (most recent call first):
  File "work.py", line 7 in find"""

ASKED = """\
Thread 0x00007f72df1eb6c0 (most recent call first):
  File "/lib/threading.py", line 327 in wait

Current thread 0x00007f72e0484b80 (most recent call first):
  File "work.py", line 3 in hang"""

LATER = "Timeout (0:00:05)!\n" + ASKED
DUMPS = {
    "segfault": SEGFAULT,
    "newer": NEWER,
    "without a lock": WITHOUT_A_LOCK,
    "aborted": ABORTED,
    "windows": WINDOWS,
    "asked": ASKED,
    "later": LATER,
}


def sifted(text: str) -> tuple[Stack, list[str]]:
    """The stack of a text, and its other lines."""
    stack = Stack()
    return stack, [line for line in text.splitlines() if not stack.take(line)]


@pytest.mark.parametrize("dump", DUMPS.values(), ids=DUMPS)
def test_a_dump_is_found_between_other_lines(dump: str) -> None:
    before, after = ["one", "", '  File "x.py", line 3', "two"], ["three", "  ...", "", "four"]
    stack, others = sifted("\n".join([*before, dump, *after]))
    assert stack.text == dump
    assert others == before + after
    assert stack.unasked is (dump is not ASKED)


@pytest.mark.parametrize("dump", DUMPS.values(), ids=DUMPS)
def test_the_last_dump_counts(dump: str) -> None:
    """Also right behind one of the same kind, since a dump has no end of its own."""
    for other in DUMPS.values():
        if other.startswith("Thread") and dump.startswith("Thread"):
            other = other.replace("hang", "spin")
        stack, others = sifted(f"{other}\n{dump}")
        assert (stack.text, others) == (dump, [])


def test_what_resembles_a_dump_and_is_none() -> None:
    lines = [
        "Traceback (most recent call last):",
        '  File "work.py", line 12, in find',
        "ValueError: (most recent call first):",
        "Thread 7 has ended",
        "Timeout (5 s) is near",
        "Current thread count: 4",
        "Extension modules: none",
        "",
    ]
    stack, others = sifted("\n".join(lines) + "\n")
    assert (stack.text, stack.unasked, others) == ("", False, lines)


def test_a_traceback_right_behind_a_dump_is_none_of_it() -> None:
    traceback = ["Traceback (most recent call last):", '  File "work.py", line 12, in find', "ValueError: no"]
    stack, others = sifted("\n".join([ASKED, *traceback]))
    assert (stack.text, others) == (ASKED, traceback)


def test_the_innermost_calls() -> None:
    assert top(SEGFAULT, 2) == [
        'File "/lib/ctypes/__init__.py", line 519 in string_at',
        'File "work.py", line 13 in deep',
    ]
    assert top(NEWER) == ["Garbage-collecting", 'File "work.py", line 12 in find']
    assert top(WITHOUT_A_LOCK) == ['File "work.py", line 9 in find']
    assert top(ABORTED) == ["<no Python frame>"]
    assert top("") == []
    # no thread was running when a timer rang: the main one is the last
    assert top(LATER.replace("Current thread", "Thread")) == ['File "work.py", line 3 in hang']


def test_many_threads_do_not_fill_the_memory() -> None:
    frame = '  File "work.py", line 1 in wait'
    threads = [
        f"Thread 0x{number:x} (most recent call first):\n" + f"{frame}\n" * 50 for number in range(100)
    ]
    current = 'Current thread 0xfff (most recent call first):\n  File "work.py", line 2 in find'
    stack, others = sifted("\n".join([*threads, current]))
    assert others == []
    lines = stack.text.splitlines()
    assert len(lines) == LINES_MAX + 2
    assert top(stack.text) == ['File "work.py", line 2 in find']


PROGRAM = """
import ctypes, faulthandler, os, signal, threading

faulthandler.enable(2)

def wait(event):
    event.wait()

def find(depth):
    if depth:
        find(depth - 1)
    os.write(2, b"before\\n")
    %s

threading.Thread(target=wait, args=(threading.Event(),), daemon=True).start()
find(120)
"""


@pytest.mark.parametrize(
    ("how", "title"),
    [
        ("ctypes.string_at(0)", "Fatal Python error: Segmentation fault"),
        ("os.abort()", "Fatal Python error: Aborted"),
        ("signal.raise_signal(signal.SIGBUS)", "Fatal Python error: Bus error"),
        ("faulthandler.dump_traceback_later(1e-3, exit=True); wait(threading.Event())", "Timeout ("),
    ],
)
def test_of_a_real_process(how: str, title: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM % how], stderr=subprocess.PIPE, text=True, check=False
    )
    assert done.returncode != 0
    stack, others = sifted(done.stderr)
    assert others == ["before"]
    assert stack.unasked
    assert stack.text.startswith(title)
    assert '  File "<string>", line 13 in find' in stack.text.splitlines()
    if title.startswith("Fatal"):
        assert any("in find" in call for call in top(stack.text))
