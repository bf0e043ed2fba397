"""Workers that do what an engine has to bear."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import eisenmp
from eisenmp import ToolBox

READS = "import sys; sys.stdin.read()"


def start(fifo: str, **options: Any) -> int:
    """A process that lives until nobody holds the FIFO open; its output is the worker's."""
    with open(fifo) as held:
        child = subprocess.Popen([sys.executable, "-S", "-c", READS], stdin=held, **options)
    child.returncode = 0  # nobody waits for it here
    return child.pid


@eisenmp.worker
def leaves_child(toolbox: ToolBox, rows: Any) -> int:
    """Start a process outside of the own group, then die; the next attempt gives its pid."""
    fifo, dies = rows[0]
    path = Path(f"{fifo}.pid")
    if dies and not path.exists():
        path.write_text(str(start(fifo, start_new_session=True)))
        os.kill(os.getpid(), 9)
    return int(path.read_text())


@eisenmp.worker
def starts_child(toolbox: ToolBox, rows: Any) -> int:
    return start(rows[0])


@eisenmp.worker
def forks(toolbox: ToolBox, rows: Any) -> tuple[int, int]:
    """A copy of this process prints, tries to use a queue, and leaves by itself."""
    pid = os.fork()
    if not pid:
        code = 1
        try:
            print("copy of", rows[0])
            toolbox.queue("told").put("from the copy")
        except eisenmp.Stopped:
            code = 3
        finally:
            os._exit(code)
    _, status = os.waitpid(pid, 0)
    return rows[0], os.waitstatus_to_exitcode(status)


@eisenmp.worker
def becomes_another(toolbox: ToolBox, rows: Any) -> str:
    """The same process with another program in it, the first time."""
    path = Path(f"{rows[0]}.count")
    if path.exists():
        return "again"
    path.write_text("")
    os.dup2(os.open(rows[0], os.O_RDONLY), 0)
    os.execv(sys.executable, [sys.executable, "-S", "-c", READS])
