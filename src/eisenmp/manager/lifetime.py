"""Managers end with the program at interpreter exit, and never by a copy of it made by os.fork()."""

from __future__ import annotations

import atexit
import os
import sys
from threading import Lock

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .mp import Mp

_live: dict[Mp, int] = {}
_lock = Lock()
_hooked = False


def register(manager: Mp) -> None:
    """See to it that the manager is ended when the interpreter exits."""
    global _hooked
    with _lock:
        _live[manager] = os.getpid()
        if not _hooked:
            _hooked = True
            atexit.register(_at_exit)
            if hasattr(os, "register_at_fork"):
                os.register_at_fork(after_in_child=_after_fork)


def unregister(manager: Mp) -> None:
    with _lock:
        _live.pop(manager, None)


def pid_of(manager: Mp) -> int | None:
    """The process that the manager belongs to; None when it is not open."""
    return _live.get(manager)


def _at_exit() -> None:
    """Stop managers with idle chunk workers; wait for those with an open feed or inside a server."""
    for manager in list(_live):
        try:
            if _interrupted():
                _stop_now(manager)
            else:
                manager.at_exit()
        except KeyboardInterrupt:
            _stop_now(manager)
        except Exception as error:  # what ended a feed is said; the exit goes on
            if not manager.collector.legacy:  # else it was said when it happened
                print(f"eisenmp: {type(error).__name__}: {error}", file=sys.stderr)
            manager.stop(grace=0.0)


def _interrupted() -> bool:
    """Whether a Ctrl-C ends the program: the interpreter keeps the type of what it has shown last."""
    kind = getattr(sys, "last_type", None)
    return isinstance(kind, type) and issubclass(kind, KeyboardInterrupt)


def _stop_now(manager: Mp) -> None:
    while True:
        try:
            manager.stop(grace=0.0)
            return
        except KeyboardInterrupt:
            continue  # who presses Ctrl-C again wants the same


def _after_fork() -> None:
    """In the child of a fork the managers are dead: their descriptors are closed and nothing else is done."""
    global _lock
    _lock = Lock()
    for manager in list(_live):
        manager.abandon()
    _live.clear()
