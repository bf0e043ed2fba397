"""Ctrl-C and SIGTERM, where the main thread owns a manager: once drains, twice kills.

SIGHUP reloads the servers of managers that have port groups, and is like SIGTERM where none has.

The first signal drains all managers; then KeyboardInterrupt, or SystemExit(130), comes out of
whatever the main thread waits for in one of them. Is it elsewhere, in code of the user's, it is interrupted
there: at once, or in the body of a loop over results a second later, so that the loop can have the results of
the chunks that still run. The second signal kills the workers and interrupts at once; the third ends the
process. SIGQUIT shows the stacks of all workers that can show them, and of all threads here.

A handler runs between two bytecodes of the main thread, which may hold any lock: it takes none. It sets
marks, posts what is to be done to the loops of the managers, and raises only where no code of ours runs.
"""

from __future__ import annotations

import os
import sys
import threading

from ..wire import platform
from .alarm import Alarm

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import FrameType
    from typing import Any

    from .mp import Mp

INTERRUPTED = 130  #: the exit code
OWN = os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + os.sep
#: what stands between the user and a manager, and may be interrupted like a program of the user's
PROGRAMS = tuple(OWN + name for name in ("__main__.py", "cli" + os.sep, "examples" + os.sep))
_system: Any = __import__("_signal")  # `signal` itself costs 4 ms for its enums
ENDS = tuple(getattr(_system, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(_system, name))
SIGHUP: int | None = getattr(_system, "SIGHUP", None)
SIGQUIT: int | None = getattr(_system, "SIGQUIT", None)


class Signals:
    """The handlers of this process, shared by all managers that the main thread owns."""

    def __init__(self) -> None:
        self.managers: dict[Mp, None] = {}  #: that have the handlers installed
        self._before: dict[int, Any] = {}
        self._number = 0  # of the signal that interrupts; 0 for none
        self._count = 0
        self._delivered = False  # the main thread has got its exception
        self._pushing = False  # the next signal is our own
        self.leaving = False  #: the interpreter exits: its exit code is settled
        self.late = False  #: the signal came then
        self._alarm = Alarm()

    # for managers

    def enter(self, manager: Mp) -> None:
        """The manager is open: install handlers, if this is the main thread and nobody has any."""
        if is_main() and not platform.is_worker():
            if not self.managers:
                self.forgive()
            self.managers[manager] = None
            self.install()
            self._alarm.open()
            if self._alarm.descriptor >= 0:
                manager.engine.watch(self._alarm.descriptor, self._stir)

    def _stir(self) -> None:
        """A signal has come: the main thread is to look, whichever manager it waits for."""
        self._alarm.drain()
        for manager in list(self.managers):
            manager.dispatcher.pump.stir()

    def install(self) -> None:
        """Again where somebody, such as a notebook, has put the default back since; other handlers stay."""
        if not self.managers or not is_main():
            return
        for number in ENDS:
            default = _system.default_int_handler if number == platform.SIGINT else _system.SIG_DFL
            self._install(number, default, self._on_signal)
        if SIGQUIT is not None:
            self._install(SIGQUIT, _system.SIG_DFL, self._on_quit)

    def _install(self, number: int, default: Any, handler: Any) -> None:
        if _system.getsignal(number) == default:
            self._before[number] = default
            _system.signal(number, handler)

    def leave(self, manager: Mp) -> None:
        """The manager is stopped: the last one takes the handlers with it."""
        self.managers.pop(manager, None)
        if not self.managers and is_main():
            self._restore()
            self._alarm.close()

    def _restore(self) -> None:
        while self._before:
            number, before = self._before.popitem()
            if _system.getsignal(number) in (self._on_signal, self._on_quit):
                _system.signal(number, before)

    def forget(self) -> None:
        """In a copy of the program made by os.fork() there are no managers."""
        self.managers.clear()
        self._number = self._count = 0
        self._restore()
        self._alarm.close()

    # for those who wait

    @property
    def due(self) -> bool:
        """Whether the main thread is to be interrupted and was not yet."""
        return self._number != 0 and not self._delivered

    @property
    def terminates(self) -> bool:
        """Whether it is not Ctrl-C that ends the program."""
        return self._number not in (0, platform.SIGINT)

    def deliver(self) -> None:
        """Raise KeyboardInterrupt or SystemExit if this is the main thread and it is due."""
        if self.due and is_main():
            self._delivered, self.late = True, self.leaving
            raise KeyboardInterrupt if self._number == platform.SIGINT else SystemExit(INTERRUPTED)

    def forgive(self) -> None:
        """The program goes on after the exception, as a notebook does."""
        if self._delivered:
            self._number = self._count = 0
            self._delivered = False

    def push(self) -> bool:
        """Interrupt the main thread where it is, unless it is with us; False when that is not due."""
        if not self.due:
            return False
        number = self._number
        if _system.getsignal(number) == self._on_signal:
            self._pushing = True
            if hasattr(_system, "pthread_kill"):
                _system.pthread_kill(threading.main_thread().ident, number)  # also out of a system call
            else:
                __import__("_thread").interrupt_main(number)
        return True

    # in the main thread, between two bytecodes

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        if not self.managers:
            self._pass_on(number, frame)
            return
        if number == SIGHUP:
            reloading = [manager for manager in list(self.managers) if manager.reload_soon()]
            if reloading:
                return
        pushed, self._pushing = self._pushing, False
        inside = is_inside(frame)
        if not pushed:
            self._count_one(number, inside)
        if inside:
            return
        if self.leaving and self.due:
            # nobody could catch it: the interpreter waits for threads, which end with their feeds
            self._delivered = self.late = True
        elif pushed or self._count > 1 or not self._iterating():
            self.deliver()

    def _count_one(self, number: int, inside: bool) -> None:
        from .lifetime import live

        if self._delivered and not inside and all(manager.calm for manager in live()):
            # what the last one was for is done, and the program went on
            self._count = 0
        self._count += 1
        if self._count > 2:
            os._exit(INTERRUPTED)  # the workers end with their life lines
        self._number, self._delivered = number, False
        for manager in live():
            if self._count == 1:
                manager.interrupt()
            else:
                manager.hurry()

    def _iterating(self) -> bool:
        return any(manager.iterated for manager in list(self.managers))

    def _pass_on(self, number: int, frame: FrameType | None) -> None:
        """The last manager was stopped by another thread, which could not take the handlers away."""
        self._restore()
        self._alarm.close()
        if number == platform.SIGINT:
            _system.default_int_handler(number, frame)
        os.kill(os.getpid(), number)

    def _on_quit(self, number: int, frame: FrameType | None) -> None:
        if not self.managers:
            self._pass_on(number, frame)
            return
        from .lifetime import live

        for manager in live():
            manager.show_stacks(number)
        _dump()


def is_main() -> bool:
    """Whether this is the thread that signals reach."""
    return threading.get_ident() == threading.main_thread().ident


def is_inside(frame: FrameType | None) -> bool:
    """Whether code of a manager runs there, which must not be left in between."""
    while frame is not None:
        name = frame.f_code.co_filename
        if name.startswith(OWN) and not name.startswith(PROGRAMS):
            return True
        frame = frame.f_back
    return False


def catches(pid: int, number: int) -> bool:
    """Whether the process has a handler for the signal, as far as can be known."""
    try:
        with open(f"/proc/{pid}/status", "rb") as status:
            caught = next(line for line in status if line.startswith(b"SigCgt:"))
    except (OSError, StopIteration):
        return not os.path.isdir("/proc/self")
    return bool(int(caught.split()[1], 16) >> (number - 1) & 1)


def _dump() -> None:
    """The stacks of all threads of this process to stderr."""
    import faulthandler

    try:
        faulthandler.dump_traceback(sys.__stderr__ or 2)
    except (AttributeError, OSError, ValueError):
        return  # it is closed: nobody reads


signals = Signals()
