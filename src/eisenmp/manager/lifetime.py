"""Managers end with the program at interpreter exit, and never by a copy of it made by os.fork()."""

from __future__ import annotations

import atexit
import os
import sys
import threading
from threading import Lock

from .signals import INTERRUPTED, signals

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

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
            _before_joining(_end_interrupted)
            if hasattr(os, "register_at_fork"):
                os.register_at_fork(after_in_child=_after_fork)


def unregister(manager: Mp) -> None:
    with _lock:
        _live.pop(manager, None)


def live() -> list[Mp]:
    """The managers of this process that are open."""
    return list(_live)


def pid_of(manager: Mp) -> int | None:
    """The process that the manager belongs to; None when it is not open."""
    return _live.get(manager)


def _before_joining(call: Callable[[], None]) -> None:
    """Call it at interpreter exit before threads are joined; one that iterates may take for ever."""
    register: Callable[..., None] | None = getattr(threading, "_register_atexit", None)
    if register is not None:
        try:
            register(call)
        except RuntimeError:
            return  # the exit has begun, and the thread that opens a manager now goes on


def _end_interrupted() -> None:
    signals.leaving = True
    for manager in list(_live):
        if _interrupted() or manager.draining:
            _stop_now(manager)


def _at_exit() -> None:
    """Stop managers with idle chunk workers; wait for those with an open feed or inside a server."""
    signals.leaving = True
    for manager in list(_live):
        try:
            if _interrupted() or manager.draining:
                _stop_now(manager)
            else:
                manager.at_exit()
        except (KeyboardInterrupt, SystemExit):
            _stop_now(manager)
        except Exception as error:  # what ended a feed is said; the exit goes on
            if not manager.collector.legacy:  # else it was said when it happened
                print(f"eisenmp: {type(error).__name__}: {error}", file=sys.stderr)
            manager.stop(grace=0.0)
    if signals.terminates and signals.late:
        _leave()


def _leave() -> None:
    """End the process by its exit code, which the interpreter has settled before a SIGTERM came."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (AttributeError, OSError, ValueError):
            continue  # closed, or there is none
    os._exit(INTERRUPTED)


def _interrupted() -> bool:
    """Whether a Ctrl-C ends the program: the interpreter keeps the type of what it has shown last."""
    kind = getattr(sys, "last_type", None)
    return isinstance(kind, type) and issubclass(kind, KeyboardInterrupt)


def _stop_now(manager: Mp) -> None:
    try:
        manager.stop_interrupted()
        return
    except (KeyboardInterrupt, SystemExit):
        pass  # who presses Ctrl-C again does not want to wait
    while True:
        try:
            manager.stop(grace=0.0)
            return
        except (KeyboardInterrupt, SystemExit):
            continue


def _after_fork() -> None:
    """In the child of a fork the managers are dead: their descriptors are closed and nothing else is done."""
    global _lock
    _lock = Lock()
    for manager in list(_live):
        manager.abandon()
    _live.clear()
    signals.forget()
