"""Processes that workers started and that left their process group, as with setsid: ended with the manager.

Every worker has a mark of its manager in its environment, and so has what it starts, whoever its parent is by
then. What has cleared its environment is found as long as it is a descendant of a worker that is killed.
Windows needs none of this: a job object holds all. Nor does a manager whose workers are in a cgroup.
"""

from __future__ import annotations

import os
import select
import sys
from time import monotonic

from ..core.record import NamedTuple
from ..wire import platform

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

MARK = "EISENMP_MANAGER"  #: the marks of all managers above, outermost first
PROC = "/proc"
ENVIRONMENT_MAX = 1 << 21  #: bytes; the system's own limit for one string and more
SHORT = 10.0  #: seconds in which the system does not give all its process numbers once round
ROUNDS_MAX = 5  #: looks for what was started during the one before
TICKS = 100  #: in a second, in what Linux tells to programs
YOUNG = 200.0  #: clock ticks in which a process may still start its program
KERNEL = [b"2"]  #: the parent of the kernel's own
LOOKS_MAX = 5  #: further looks at one that shows no environment
MOMENT = 0.002  #: seconds between them
PATIENCE = 1.0  #: seconds that a killed process may take to be gone


class Strays:
    """Those of one manager, from its start to its end."""

    def __init__(self) -> None:
        self.mark = os.urandom(8).hex()
        self._since = _last_number()
        self._started = monotonic()
        self._used = False
        self._noted: list[Suspect] = []

    def marked(self, environment: Mapping[str, str]) -> dict[str, str]:
        """The environment for a worker: the manager may be inside of another's worker."""
        self._used = True
        above = environment.get(MARK, "")
        return {**environment, MARK: f"{above} {self.mark}".strip()}

    def note(self, suspects: Iterable[Suspect]) -> None:
        """Descendants of a worker that is about to end: they are to end with the manager, marked or not."""
        self._noted += suspects

    def end(self) -> None:
        """SIGKILL for every process that has the mark, as far as this user may; the workers are gone."""
        if not self._used or sys.platform == "win32":
            return
        end(self._noted)
        for _ in range(ROUNDS_MAX):
            if not end(self._marked()):
                return

    def _marked(self) -> list[Suspect]:
        known = os.getpid()
        if not os.path.isdir(f"{PROC}/self/task"):
            return [suspect for suspect in _elsewhere(self.mark) if suspect.pid != known]
        found: list[Suspect] = []
        young = self._sift((pid for pid in self._numbers() if pid != known), found)
        for _ in range(LOOKS_MAX):
            if not young:
                break
            # one that has no environment may be about to get it, between two programs
            select.select((), (), (), MOMENT)
            young = self._sift(young, found)
        return found

    def _sift(self, pids: Iterable[int], found: list[Suspect]) -> list[int]:
        """Add those that have the mark; returns those that show no environment and have just been started."""
        mark = self.mark.encode()
        young: list[int] = []
        now = 0.0
        for pid in pids:
            # in this order: when the number is given away in between, the start time is another's
            started = started_at(pid)
            if not started:
                continue
            environment = _read(pid, "environ")
            if mark in environment:
                if mark in _value(environment):
                    found.append(Suspect(pid, started))
            elif not environment:
                now = now or _now()
                if started > now - YOUNG and _stat(pid)[1:2] != KERNEL:
                    young.append(pid)
        return young

    def _numbers(self) -> Iterator[int]:
        """The processes that may have been started since: of a manager that lived for moments few."""
        last = _last_number()
        short = monotonic() - self._started < SHORT and 0 < self._since <= last
        for name in os.listdir(PROC):
            if name.isdecimal() and (not short or self._since < int(name) <= last):
                yield int(name)


class Suspect(NamedTuple):
    """A process; the start time in clock ticks tells it from a later one of the same number."""

    pid: int
    started: float


def below(pid: int) -> list[Suspect]:
    """All descendants of the process that are in other groups than its own; none where there is no /proc."""
    found: list[Suspect] = []
    todo = [pid]
    while todo:
        for child in _children(todo.pop()):
            started = started_at(child)
            if started:
                todo.append(child)
                if _group(child) != pid:
                    found.append(Suspect(child, started))
    return found


def end(suspects: Iterable[Suspect]) -> bool:
    """SIGKILL them, and wait until they are gone; whether there was one."""
    send = getattr(__import__("_signal"), "pidfd_send_signal", None)
    if sys.platform == "win32" or send is None or not hasattr(select, "poll"):
        for pid, started in suspects:
            _kill_by_number(pid, started)
        return False
    poll = select.poll()
    descriptors = []
    try:
        for pid, started in suspects:
            descriptor = platform.pidfd(pid)
            if descriptor is None:
                _kill_by_number(pid, started)
                continue
            descriptors.append(descriptor)
            # the descriptor holds on to the process: if it is the right one now, it stays that
            if started_at(pid) == started and _kill(send, descriptor):
                poll.register(descriptor, select.POLLIN)
            else:
                os.close(descriptors.pop())
        until = monotonic() + PATIENCE
        left = list(descriptors)
        while left and (remaining := until - monotonic()) > 0:
            for descriptor, _ in poll.poll(remaining * 1000):
                poll.unregister(descriptor)
                left.remove(descriptor)
    finally:
        for descriptor in descriptors:
            os.close(descriptor)
    return bool(descriptors)


def _kill(send: Callable[[int, int], None], descriptor: int) -> bool:
    try:
        send(descriptor, platform.SIGKILL)
    except OSError:
        return False  # it is gone, or another user's
    return True


def _kill_by_number(pid: int, started: float) -> None:
    if os.path.isdir(PROC) and started_at(pid) != started:
        return
    try:
        os.kill(pid, platform.SIGKILL)
    except OSError:
        return


def _read(pid: int, name: str) -> bytes:
    """A file of the process; nothing when it is gone or another user's."""
    try:
        descriptor = os.open(f"{PROC}/{pid}/{name}", os.O_RDONLY)
    except OSError:
        return b""
    try:
        parts = []
        while part := os.read(descriptor, ENVIRONMENT_MAX):
            parts.append(part)
        return b"".join(parts)
    except OSError:
        return b""
    finally:
        os.close(descriptor)


def _now() -> float:
    """In clock ticks since the start of the system."""
    with open(f"{PROC}/uptime", "rb") as file:
        return float(file.read().split()[0]) * TICKS


def _value(environment: bytes) -> bytes:
    """The marks in an environment, which is that of the moment when the process started its program."""
    for entry in environment.split(b"\0"):
        name, _, value = entry.partition(b"=")
        if name == MARK.encode():
            return value
    return b""


def _stat(pid: int) -> list[bytes]:
    return _read(pid, "stat").rpartition(b")")[2].split()


def started_at(pid: int) -> float:
    """When it was started, in clock ticks; 0 when it does not run any more."""
    fields = _stat(pid)
    return 0.0 if not fields or fields[0] in b"ZX" else float(fields[19])


def _group(pid: int) -> int:
    fields = _stat(pid)
    return int(fields[2]) if fields else 0


def _children(pid: int) -> list[int]:
    children: list[int] = []
    try:
        tasks = os.listdir(f"{PROC}/{pid}/task")
    except OSError:
        return children  # it has ended
    for task in tasks:
        # the kernel lists a child under the thread that started it
        children.extend(map(int, _read(pid, f"task/{task}/children").split()))
    return children


def _last_number() -> int:
    """The number that the system gave to the last process; 0 when it does not say so."""
    try:
        with open(f"{PROC}/loadavg", "rb") as file:
            return int(file.read().split()[4])
    except (OSError, ValueError, IndexError):
        return 0


def _elsewhere(mark: str) -> list[Suspect]:
    """Where there is no /proc, with psutil."""
    try:
        import psutil
    except ImportError:
        return []
    found = []
    for process in psutil.process_iter():
        try:
            if mark in process.environ().get(MARK, ""):
                found.append(Suspect(process.pid, process.create_time()))
        except (psutil.Error, OSError):
            continue  # gone, or another user's
    return found
