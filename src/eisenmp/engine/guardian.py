"""A process that outlives the manager by moments, and ends what is in the cgroup of its workers.

A shell, for it takes a tenth of an interpreter's memory and time. It waits in a session of its own, deaf to
all signals, without any descriptor of the manager but the end of a pipe, which nobody ever writes to.
"""

from __future__ import annotations

import os
import sys

from . import process
from .strays import Suspect, end, started_at

SHELL = "/bin/sh"
#: $1 is the directory. The number 0 is that of a process that cannot be seen; to `kill` it is the own group.
SCRIPT = """
cd /
read -r nothing
finish() {
    for below in "$1"/*/; do
        if [ -d "$below" ]; then finish "${below%/}"; fi
    done
    if ! [ -e "$1/cgroup.kill" ]; then
        while read -r pid; do
            if [ "$pid" -gt 0 ]; then kill -9 "$pid"; fi
        done <"$1/cgroup.procs"
    fi
    rmdir "$1"
}
if [ -e "$1/cgroup.kill" ]; then echo 1 >"$1/cgroup.kill"; fi
rounds=0
while [ -d "$1" ] && [ "$rounds" -lt 500 ]; do
    finish "$1"
    rounds=$((rounds + 1))
    if [ -d "$1" ]; then sleep 0.01; fi
done
"""


class Guardian:
    """The one of a manager."""

    def __init__(self) -> None:
        self._theirs, self._life_line = os.pipe()
        self._pid = 0
        self._started = 0.0

    def start(self, cgroup: str) -> None:
        """Start it. Raises OSError or NotImplementedError where that cannot be."""
        if sys.platform == "win32":
            raise OSError("there are no cgroups on Windows")
        signals = __import__("_signal")
        self._theirs = process.high(self._theirs)
        nothing = process.high(os.open(os.devnull, os.O_RDWR))
        try:
            actions: list[tuple[int, ...]] = [
                (os.POSIX_SPAWN_DUP2, descriptor, number)
                for number, descriptor in enumerate((self._theirs, nothing, nothing))
            ]
            actions += [(os.POSIX_SPAWN_CLOSE, number) for number in _inheritable()]
            self._pid = os.posix_spawn(
                SHELL,
                ["sh", "-c", SCRIPT, "eisenmp:guardian", cgroup],
                {"PATH": os.environ.get("PATH", os.defpath)},
                file_actions=actions,
                setsid=True,
                setsigmask=signals.valid_signals() - {signals.SIGCHLD},
                setsigdef=(signals.SIGCHLD,),
            )
        finally:
            os.close(nothing)
        self._started = started_at(self._pid)

    def dismiss(self) -> None:
        """End it: what it is for is done."""
        if self._pid:
            end([Suspect(self._pid, self._started)])
            process.exit_code(self._pid, wait=True)
        self.abandon()

    def abandon(self) -> None:
        """In a copy of the program made by os.fork(): it must not be this copy that it waits for."""
        os.close(self._theirs)
        os.close(self._life_line)


def _inheritable() -> list[int]:
    """The descriptors besides the first three that a program would have from this one."""
    found = []
    for name in os.listdir("/proc/self/fd"):
        try:
            if int(name) > 2 and os.get_inheritable(int(name)):
                found.append(int(name))
        except OSError:
            continue  # the one that listed them, or closed meanwhile
    return found
