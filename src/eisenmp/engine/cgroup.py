"""The cgroup of a manager's workers: all that they start is in it, and does not leave it by setsid or a fork.

It is made below the own cgroup where that may be written, in the hierarchy of version 2 or in one of
version 1 that limits nothing. A guardian ends what is in it when the manager was killed.
"""

from __future__ import annotations

import os
import select
from time import monotonic

from ..core.cpus import find_hierarchies
from . import process
from .guardian import Guardian
from .strays import PATIENCE, Suspect, end, started_at

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

#: of version 1: in those a process has no less than in the cgroup above
HARMLESS = frozenset(("freezer", "name=systemd", "pids"))
PREFIX = "eisenmp-"
ROUNDS_MAX = 5  #: looks for what was started during the one before
MOMENT = 0.002  #: seconds between attempts to remove what was just emptied


class Cgroup:
    """One that is there, from the first worker of a manager to its end."""

    def __init__(self, path: str) -> None:
        """Make it. Raises OSError where that may not be."""
        self.path = path
        # its pipe is there before anything else: a copy of the program must know it, whenever it is made
        self._guardian = Guardian()
        try:
            os.mkdir(path)
            try:
                #: a process that writes 0 to it is in it
                self.entrance = process.high(os.open(f"{path}/cgroup.procs", os.O_WRONLY))
            except OSError:
                os.rmdir(path)
                raise
        except OSError:
            self._guardian.abandon()
            raise

    def guard(self) -> None:
        """Have its processes ended after this one, however that ends."""
        try:
            self._guardian.start(self.path)
        except (OSError, NotImplementedError):
            return  # there is no /bin/sh, or no room for it: as where there is no cgroup

    def close(self) -> bool:
        """End all that is in it, and remove it. False when something may have been started outside of it."""
        try:
            known = os.path.isdir(self.path)
            self._kill()
            return self._remove() and known
        finally:
            os.close(self.entrance)
            self._guardian.dismiss()

    def abandon(self) -> None:
        """In a copy of the program made by os.fork(): let go of the descriptors."""
        os.close(self.entrance)
        self._guardian.abandon()

    def _kill(self) -> None:
        try:
            with open(f"{self.path}/cgroup.kill", "wb", buffering=0) as file:
                file.write(b"1")
        except OSError:
            pass  # version 1, or a kernel before 5.14: one by one
        for _ in range(ROUNDS_MAX):
            if not end(self._processes()):
                return

    def _processes(self) -> Iterator[Suspect]:
        for folder in _tree(self.path):
            try:
                with open(f"{folder}/cgroup.procs", "rb") as file:
                    pids = [int(line) for line in file]
            except OSError:
                continue  # removed meanwhile
            for pid in pids:
                # it is 0 when it cannot be seen from here
                if pid and (since := started_at(pid)):
                    yield Suspect(pid, since)

    def _remove(self) -> bool:
        until = monotonic() + PATIENCE
        while not remove(self.path):
            if monotonic() > until:
                return False
            select.select((), (), (), MOMENT)
        return True


def make(mark: str) -> Cgroup | None:
    """A cgroup for the workers of a manager of this process; None where there may be none."""
    own = os.getpid()
    for place in places():
        try:
            # for a process to go from one cgroup to another, what is above both must be writable
            with open(f"{place}/cgroup.procs", "r+b", buffering=0) as file:
                if str(own).encode() not in file.read().split():
                    continue  # what is seen of the hierarchy is another part of it
            clear(place)
            return Cgroup(f"{place}/{PREFIX}{own}-{started_at(own):.0f}-{mark}")
        except OSError:
            continue
    return None


def places() -> list[str]:
    """The directories of the own cgroup, best first: in version 2 the kernel ends all in one at once."""
    texts = []
    for name in ("cgroup", "mountinfo"):
        try:
            with open(f"/proc/self/{name}", encoding="utf-8", errors="surrogateescape") as file:
                texts.append(file.read())
        except OSError:
            return []  # not Linux, or hidden
    trees = [tree for tree in find_hierarchies(*texts, wanted=HARMLESS) if tree.controllers <= HARMLESS]
    trees.sort(key=lambda tree: (-tree.version, sorted(tree.controllers)))
    return [tree.directories[-1] for tree in trees]


def clear(place: str) -> None:
    """Remove what managers have left that were killed together with their guardians, if nothing is in it."""
    for name in os.listdir(place):
        if name.startswith(PREFIX):
            pid, _, rest = name.removeprefix(PREFIX).partition("-")
            since = rest.partition("-")[0]
            if pid.isdecimal() and f"{started_at(int(pid)):.0f}" != since:
                remove(f"{place}/{name}")


def remove(path: str) -> bool:
    """Remove the cgroup and those below it; False when something is in one of them."""
    for folder in reversed(list(_tree(path))):
        try:
            os.rmdir(folder)
        except FileNotFoundError:
            continue
        except OSError:
            return False
    return True


def _tree(path: str) -> Iterator[str]:
    """The directory and all below it, each after the one that it is in."""
    todo = [path]
    while todo:
        folder = todo.pop()
        yield folder
        try:
            with os.scandir(folder) as entries:
                todo += [entry.path for entry in entries if entry.is_dir(follow_symlinks=False)]
        except OSError:
            continue  # removed meanwhile
