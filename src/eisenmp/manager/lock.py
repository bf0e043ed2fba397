"""One manager at a time: the lock beside a ledger, which the system takes back from whoever dies."""

from __future__ import annotations

import os

from ..wire.platform import lock_alone

SUFFIX = "-lock"
PID_PLACE = 1  #: the first byte is what some systems lock; who wants to read the rest may


class Lock:
    """The file `PATH-lock`, held until `release`. Raises OSError where it cannot be made.

    It is not the ledger itself: closing a second descriptor of that would end the locks that SQLite holds.
    """

    def __init__(self, path: str) -> None:
        self.path = path + SUFFIX
        self._descriptor = -1

    def acquire(self) -> bool:
        """Whether the lock is ours now."""
        while True:
            descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o600)
            if not lock_alone(descriptor):
                os.close(descriptor)
                return False
            if self._is_there(descriptor):
                break
            os.close(descriptor)  # it was removed by the one who held it before
        os.ftruncate(descriptor, 0)
        os.lseek(descriptor, 0, os.SEEK_SET)
        try:
            os.write(descriptor, b" %d\n" % os.getpid())
        except OSError:
            pass  # a full disk: who holds the lock cannot be read, and it is held all the same
        self._descriptor = descriptor
        return True

    def holder(self) -> str:
        """In words, who holds it."""
        try:
            with open(self.path, "rb") as file:
                file.seek(PID_PLACE)
                pid = file.read(20).strip().decode()
        except (OSError, ValueError):
            pid = ""
        return f"process {pid}" if pid.isdecimal() else "another process"

    def release(self) -> None:
        """Let go of it and remove the file."""
        if self._descriptor < 0:
            return
        try:
            os.unlink(self.path)
        except OSError:
            pass  # some systems do not remove what is open; it is locked by nobody then
        self.abandon()

    def abandon(self) -> None:
        """Close the descriptor; in a copy of the program the lock stays with the one that has it."""
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)

    def _is_there(self, descriptor: int) -> bool:
        try:
            return os.path.samestat(os.fstat(descriptor), os.stat(self.path))
        except FileNotFoundError:
            return False
