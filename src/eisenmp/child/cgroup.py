"""Joining the cgroup that a manager has made for its workers: what they start is in it too."""

from __future__ import annotations

import _thread
import os

_joining = _thread.allocate_lock()


def join(descriptor: int, *, alone: bool) -> None:
    """Begin to join by the descriptor of its `cgroup.procs`, which is closed. `alone`: without a thread.

    The kernel takes milliseconds to move a process, without any work: meanwhile this one imports its modules.
    """
    _joining.acquire()
    if not alone:
        try:
            _thread.start_new_thread(_join, (descriptor,))
            return
        except RuntimeError:
            pass  # the system has no room for a thread
    _join(descriptor)


def wait_until_joined() -> None:
    """Return when what this process starts will be in the cgroup, if there is one."""
    with _joining:
        return


def _join(descriptor: int) -> None:
    try:
        os.write(descriptor, b"0")
    except OSError:
        pass  # somebody has removed it, and the manager looks for strays in another way
    finally:
        os.close(descriptor)
        _joining.release()
