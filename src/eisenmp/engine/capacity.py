"""How much memory this process may use: the machine's, or what the own cgroup allows."""

from __future__ import annotations

import os

from ..core.cpus import find_hierarchies

MEMORY = frozenset(("memory",))
FILES = {1: "memory.limit_in_bytes", 2: "memory.max"}
UNKNOWN = 1 << 32  #: where the system does not tell


def memory(root: str = "/") -> int:
    """Bytes. `root` is the directory that holds `proc` and `sys`."""
    limits = [_of_machine()]
    cgroup, mountinfo = (_read(_under(root, f"/proc/self/{name}")) for name in ("cgroup", "mountinfo"))
    for tree in find_hierarchies(cgroup, mountinfo, wanted=MEMORY):
        for directory in tree.directories:
            text = _read(_under(root, f"{directory}/{FILES[tree.version]}")).strip()
            if text.isdecimal():  # and not 'max'
                limits.append(int(text))
    return min(limits)


def _of_machine() -> int:
    sysconf = getattr(os, "sysconf", None)
    if sysconf is None:
        return UNKNOWN
    try:
        return int(sysconf("SC_PAGE_SIZE")) * int(sysconf("SC_PHYS_PAGES"))
    except (ValueError, OSError):
        return UNKNOWN


def _under(root: str, path: str) -> str:
    return os.path.join(root, path.lstrip("/"))


def _read(path: str) -> str:
    try:
        with open(path, encoding="utf-8", errors="surrogateescape") as file:
            return file.read()
    except OSError:
        return ""  # not Linux, hidden, or a level without that controller
