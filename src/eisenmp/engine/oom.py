"""How many processes the kernel has ended for want of memory, in the own cgroup or on this machine."""

from __future__ import annotations

import os

from ..core.cpus import find_hierarchies
from ..core.oom import kills_in

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

MEMORY = frozenset(("memory",))
FILES = {1: "memory.oom_control", 2: "memory.events"}


class Counter:
    """The `oom_kill` count that rises when a worker runs out of memory.

    It is the one of the innermost level of the own cgroup that has any: version 1 counts a process only in
    the cgroup that it is in, and version 2 also in those above, where others count as well. A level without
    the controller has no count; its processes belong to the one above. Where no cgroup counts, such as in the
    root of version 2, it is the count of the machine. `root` is the directory that holds `proc` and `sys`.
    """

    def __init__(self, root: str = "/") -> None:
        self.path = ""  #: nothing where nobody counts
        self.own = False  #: what it counts is of the own cgroup
        for path, own in _candidates(root):
            if _kills(path) is not None:
                self.path, self.own = path, own
                break

    def read(self) -> int | None:
        """The count of now; None when it cannot be known."""
        return _kills(self.path) if self.path else None


def _candidates(root: str) -> Iterator[tuple[str, bool]]:
    cgroup, mountinfo = (_read(_under(root, f"/proc/self/{name}")) for name in ("cgroup", "mountinfo"))
    for tree in find_hierarchies(cgroup, mountinfo, wanted=MEMORY):
        for directory in reversed(tree.directories):
            yield _under(root, f"{directory}/{FILES[tree.version]}"), True
    yield _under(root, "/proc/vmstat"), False


def _under(root: str, path: str) -> str:
    return os.path.join(root, path.lstrip("/"))


def _kills(path: str) -> int | None:
    return kills_in(_read(path))


def _read(path: str) -> str:
    try:
        with open(path, encoding="utf-8", errors="surrogateescape") as file:
            return file.read()
    except OSError:
        return ""  # not Linux, hidden, or a level without that controller
