"""How a fault strikes the process that it is in. Manager and workers read which one from the environment."""

from __future__ import annotations

import json
import os
import sys

VARIABLE = "FAULT"
RUNS, STRIKES, SPARED, MARK = "runs", "strikes", "spared", "mark"  #: files of the row's folder
EXIT_CODE, OS_EXIT_CODE = 5, 6
STEP = 8 << 20  #: bytes
MEMORY = 320 << 20  #: bytes that a fault of memory takes: far more than any limit
IN_THE_MANAGER = ("sending", "result")
RAISED = "the fault has struck"


class Struck(Exception):
    """What a fault raises."""


class Fault:
    """Where it strikes and how; `once` in all, or whoever comes there."""

    def __init__(self, where: str, how: str, *, once: bool, folder: str, manager: int) -> None:
        self.where = where
        self.how = how
        self.once = once
        self.folder = folder
        self.manager = manager

    @property
    def text(self) -> str:
        """For the environment of the workers."""
        return json.dumps(vars(self))


def strike(where: str) -> None:
    """Strike, if this is the place; the journal has a line of it before."""
    text = os.environ.get(VARIABLE)
    if text is None:
        return
    fault = Fault(**json.loads(text))
    if fault.where != where:
        return
    if (os.getpid() == fault.manager) != (where in IN_THE_MANAGER):
        note(fault.folder, SPARED, where)
        return
    if fault.once and not _first(os.path.join(fault.folder, MARK)):
        return
    note(fault.folder, STRIKES, str(os.getpid()))
    HOWS[fault.how]()


def note(folder: str, file: str, line: str) -> None:
    """A line at the end of a file, whole, whoever else writes there."""
    descriptor = os.open(os.path.join(folder, file), os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(descriptor, f"{line}\n".encode())
    os.close(descriptor)


def noted(folder: str, file: str) -> list[str]:
    """The lines of a file; none when nobody wrote one."""
    try:
        with open(os.path.join(folder, file)) as lines:
            return lines.read().splitlines()
    except FileNotFoundError:
        return []


def _first(path: str) -> bool:
    try:
        os.close(os.open(path, os.O_CREAT | os.O_EXCL))
    except FileExistsError:
        return False
    return True


# how


def _raise() -> None:
    raise Struck(RAISED)


def _exit() -> None:
    sys.exit(EXIT_CODE)


def _os_exit() -> None:
    os._exit(OS_EXIT_CODE)


def _kill() -> None:
    os.kill(os.getpid(), 9)


def _segfault() -> None:
    import ctypes
    import resource

    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    ctypes.string_at(0)


def _stop() -> None:
    import signal

    os.kill(os.getpid(), signal.SIGSTOP)


def _hang() -> None:
    import threading

    threading.Event().wait()


def _grow() -> None:
    kept = [b"x" * STEP for _ in range(MEMORY // STEP)]
    _hang()
    del kept


HOWS = {
    "raise": _raise,
    "sys.exit": _exit,
    "os._exit": _os_exit,
    "SIGKILL": _kill,
    "SIGSEGV": _segfault,
    "SIGSTOP": _stop,
    "hang": _hang,
    "memory": _grow,
}


# what strikes on its way through pickle


class Guilty:
    """The row that is struck: when it is sent, when it is opened, or by what the worker does about it."""

    def __init__(self, number: int) -> None:
        self.number = number

    def __reduce__(self) -> tuple[object, ...]:
        strike("sending")
        return _open_row, (self.number,)


def _open_row(number: int) -> Guilty:
    strike("unpickling")
    return Guilty(number)


class Answer:
    """What the worker makes of it: strikes when it is pickled there or opened in the manager."""

    def __init__(self, number: int) -> None:
        self.number = number

    def __reduce__(self) -> tuple[object, ...]:
        strike("pickling")
        return _open_answer, (self.number,)


def _open_answer(number: int) -> int:
    strike("result")
    return number


class Tool:
    """Strikes when it is opened."""

    def __reduce__(self) -> tuple[object, ...]:
        return _open_tool, ()


def _open_tool() -> str:
    strike("tools")
    return "the tool"


class Spoken:
    """Strikes when it is printed."""

    def __str__(self) -> str:
        strike("print")
        return "spoken"
