"""A file that lasts as long as somebody has it open: of a table without a path, or one that is being built,
or of shared memory where there are no memory files.

On Linux it has no name: nothing is left of a process that is killed. Others open it through /proc, as a
descriptor of the process that made it. Elsewhere it has a name and a lock; what an ended process has left is
removed when the next one is made.
"""

from __future__ import annotations

import os
import sys
from glob import escape, glob
from secrets import token_hex
from tempfile import gettempdir

from . import platform

SUFFIX = ".building"
SWEPT = "[0-9a-f]*"  #: how the rest of a name looks whose file is locked
UNLOCKED = "unlocked-"  #: and what it begins with where there are no locks, so that nobody sweeps it
TRIES = 10  #: names, should somebody sweep between the making of a file and its lock


class Place:
    """An open file, which belongs to nobody else. `path` is what it will be called in the end, if anything;
    `prefix` is what names begin with of those without a path. Raises OSError.
    """

    def __init__(self, path: str | None = None, *, prefix: str = "eisenmp-") -> None:
        self._owner = os.getpid()
        self._path = path
        self._name = ""  #: while it has one that is not the path
        self.descriptor = -1
        folder = gettempdir() if path is None else os.path.dirname(path)
        mode = 0o600 if path is None else 0o666
        if nameless():
            self.descriptor = _open_nameless(folder, mode)
        if self.descriptor < 0:
            if path is None:
                pattern, stem = os.path.join(escape(folder), prefix + SWEPT), prefix
            else:
                stem = f".{os.path.basename(path)}."
                pattern = os.path.join(escape(folder), escape(stem) + SWEPT + SUFFIX)
            for left in glob(pattern):
                platform.unlink_if_left(left)
            if not platform.can_lock():
                stem += UNLOCKED
            for tries in reversed(range(TRIES)):
                self._name = os.path.join(folder, stem + token_hex(8) + (SUFFIX if path is not None else ""))
                self.descriptor = os.open(self._name, os.O_RDWR | os.O_CREAT | os.O_EXCL | _BINARY, mode)
                if _is_ours(self.descriptor, self._name) or not tries:
                    break
                self.release()

    @property
    def address(self) -> str:
        """A path that any process of this user can open, as long as the place is not released."""
        return self._name or f"/proc/{self._owner}/fd/{self.descriptor}"

    def hide(self) -> None:
        """Nobody is to open it by a name any more: it is this process's descriptor alone."""
        name, self._name = self._name, ""
        if name and self._owner == os.getpid():
            try:
                os.unlink(name)
            except OSError:
                return  # somebody was faster

    def settle(self) -> None:
        """The table is whole: it gets its path, in the place of what is there; then the place is released."""
        path = self._path
        assert path is not None
        if not self._name:
            self._name = os.path.join(
                os.path.dirname(path), f".{os.path.basename(path)}.{token_hex(8)}{SUFFIX}"
            )
            # with a descriptor of a folder, which is not used here, os.link follows the link in /proc
            os.link(f"/proc/self/fd/{self.descriptor}", self._name, src_dir_fd=self.descriptor)
        os.replace(self._name, path)
        self._name = ""
        self.release()

    def release(self) -> None:
        """Remove the file, or what this process has of it."""
        descriptor, self.descriptor = self.descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)
        self.hide()


_BINARY = getattr(os, "O_BINARY", 0)


def nameless() -> bool:
    """Whether other processes of this user can open a descriptor of this one."""
    if sys.platform != "linux" or platform.portable():
        return False
    try:
        # of a process that has changed its user, all belongs to root
        return os.stat("/proc/self/fd").st_uid == os.geteuid()
    except OSError:
        return False


def _open_nameless(folder: str, mode: int) -> int:
    if sys.platform != "linux":
        return -1
    try:
        return os.open(folder or ".", os.O_TMPFILE | os.O_RDWR | os.O_CLOEXEC, mode)
    except OSError:
        return -1  # not every file system has that


def _is_ours(descriptor: int, name: str) -> bool:
    """Lock the new file; False when somebody who sweeps has taken it for one that was left behind."""
    return not platform.can_lock() or (platform.lock_alone(descriptor) and os.path.exists(name))
