"""Workers whose rows say what to do: an act and its arguments, or something that comes back as it is."""

from __future__ import annotations

import os
import signal
import threading
from pathlib import Path
from typing import Any

import eisenmp
from eisenmp import ToolBox


def pid(toolbox: ToolBox) -> int:
    return os.getpid()


def slot(toolbox: ToolBox) -> int:
    return toolbox.START_SEQUENCE_NUM


def gate(toolbox: ToolBox, word: object = None) -> object:
    """Say that it waits, and wait to be let through."""
    toolbox.queue("told").put(os.getpid() if word is None else word)
    toolbox.queue("gate").get()
    return os.getpid() if word is None else word


def fail(toolbox: ToolBox, times: int, path: str) -> list[int]:
    """Raise so many times, over all workers; then the slots that it was tried in."""
    tried = note(path, toolbox.START_SEQUENCE_NUM)
    if len(tried) <= times:
        raise ValueError(f"attempt {len(tried)}")
    return tried


def die(toolbox: ToolBox, times: int = -1, path: str = "") -> list[int]:
    """Be killed, so many times over all workers or always; then the slots that it was tried in."""
    tried = note(path, toolbox.START_SEQUENCE_NUM) if path else []
    if times < 0 or len(tried) <= times:
        os.kill(os.getpid(), signal.SIGKILL)
    return tried


def note(path: str, number: int) -> list[int]:
    """All that was noted there, with this."""
    with open(path, "a") as file:
        file.write(f"{number}\n")
    return [int(line) for line in Path(path).read_text().split()]


def heed(toolbox: ToolBox, word: str = "late") -> str:
    """Go on until it is not wanted any more."""
    toolbox.queue("told").put(os.getpid())
    pause = threading.Event()
    while not toolbox.cancelled:
        pause.wait(0.001)
    return word


def hang(toolbox: ToolBox) -> None:
    """Look at nothing, but leave signals to themselves."""
    toolbox.queue("told").put(os.getpid())
    threading.Event().wait()


def deaf(toolbox: ToolBox) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    hang(toolbox)


def stopped(toolbox: ToolBox) -> None:
    toolbox.queue("told").put(os.getpid())
    os.kill(os.getpid(), signal.SIGSTOP)


def hang_once(toolbox: ToolBox, path: str) -> list[int]:
    tried = note(path, toolbox.START_SEQUENCE_NUM)
    if len(tried) == 1:
        heed(toolbox)
    return tried


def report(toolbox: ToolBox, rows: int) -> None:
    """Wait at the gate, then say that so many rows are done."""
    gate(toolbox)
    toolbox.progress(rows)


def tool(toolbox: ToolBox, name: str) -> list[object]:
    return [os.getpid(), toolbox.tools[name]]


def take(toolbox: ToolBox, name: str, count: int = 1) -> list[object]:
    return [toolbox.queue(name).get() for _ in range(count)]


def take_and_wait(toolbox: ToolBox, name: str, count: int = 1) -> list[object]:
    taken = take(toolbox, name, count)
    gate(toolbox)
    return taken


def take_and_die(toolbox: ToolBox, name: str) -> None:
    toolbox.queue(name).get()
    os.kill(os.getpid(), signal.SIGKILL)


ACTS = {
    call.__name__: call
    for call in (
        pid, slot, gate, fail, die, heed, hang, deaf, stopped, hang_once, report, tool, take, take_and_wait,
        take_and_die,
    )
}  # fmt: skip


def perform(toolbox: ToolBox, row: Any) -> Any:
    if isinstance(row, tuple):
        name, *arguments = row
        return ACTS[name](toolbox, *arguments)
    return row


@eisenmp.worker
def act(toolbox: ToolBox, rows: Any) -> list[Any]:
    return [perform(toolbox, row) for row in rows]


def old(toolbox: ToolBox) -> bool:
    """Of the contract of 1.0: one chunk a call, until the last one of its feeder has come."""
    chunk = toolbox.next_chunk()
    if chunk is None:
        return False
    rows = [row for row in chunk.rows if row not in (toolbox.STOP_MSG,)]
    toolbox.send([os.getpid(), *(perform(toolbox, row) for row in rows)])
    return toolbox.STOP_MSG not in chunk.rows


def hold(toolbox: Any) -> None:
    """A mate that keeps its process from being ready while there is a file 'hold' in `folder`."""
    pause = threading.Event()
    while os.path.exists(f"{toolbox.folder}/hold"):
        Path(f"{toolbox.folder}/held").touch()
        pause.wait(0.005)


def row(number: int) -> int:
    """For `imap`: hangs at 617, and notes it."""
    if number == 617:
        with open(os.environ["HANGS"], "ab") as file:
            file.write(b".")
        threading.Event().wait()
    return number * 2


def take_and_die_alone(toolbox: ToolBox) -> bool:
    """A worker that takes no chunks."""
    take_and_die(toolbox, "things")
    return True


def door(toolbox: Any) -> bool:
    """As programs of 1.0 have it: a list, which goes back under its header, with the pid before the rows."""
    rows = toolbox.mp_input_q.get()
    sent = [os.getpid(), *(row for row in rows[1:] if row != toolbox.STOP_MSG)]
    toolbox.mp_output_q.put([toolbox.OUTPUT_HEADER + rows[0], sent])
    return toolbox.STOP_MSG not in rows
