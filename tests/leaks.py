"""What a test leaves behind: processes, threads, descriptors, shared memory.

`before = snapshot()`, then the test, then `leaked(before)`: a tuple of `Leak`, empty when all is gone.
Things that are on their way out get a grace, by waiting on them and not by sleeping. Where there is no
/proc (macOS, Windows) only threads are seen.
"""

from __future__ import annotations

import ctypes
import gc
import os
import select
import signal
import threading
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from pathlib import Path
from sys import _current_frames
from typing import NamedTuple

GRACE = 5.0  # seconds that a leaving process or thread gets; a test that leaves nothing never waits
STRANGERS_GRACE = 0.5  # seconds that a name in /dev/shm gets that nobody holds
PROC = Path("/proc")
HAS_PROC = Path("/proc/self/task").is_dir()
SHM = "/dev/shm"
#: Begins of names that multiprocessing and joblib leave when a program is killed together with its resource
#: tracker: anybody on this machine may have. What a process of ours still has is seen as a mapping all the same.
LEFT_BY_OTHERS = ("sem.mp-", "sem.loky-", "joblib_memmapping_folder_")
PR_SET_CHILD_SUBREAPER = 36


class Process(NamedTuple):
    """One process; the start time (clock ticks) tells it from a later one of the same pid."""

    pid: int
    started: int


class Leak(NamedTuple):
    """One thing left behind; `kind` is process, thread, descriptor or memory."""

    kind: str
    text: str

    def __str__(self) -> str:
        return f"{self.kind}: {self.text}"


class Snapshot(NamedTuple):
    """What this process holds at one moment."""

    processes: frozenset[Process]  # descendants of every depth, zombies included
    threads: frozenset[threading.Thread | int]  # an int is the ident of a thread unknown to threading
    descriptors: dict[int, str]
    shm: frozenset[str]  # names in /dev/shm
    mappings: frozenset[str]  # mapped memfds, deleted files and files of /dev/shm


def snapshot() -> Snapshot:
    """What this process holds now; takes well under a millisecond."""
    return Snapshot(
        frozenset(process for process, _ in _descendants()),
        frozenset(_threads()),
        _descriptors(),
        _shm(),
        _mappings(),
    )


def leaked(before: Snapshot, grace: float = GRACE) -> tuple[Leak, ...]:
    """What is there now and was not before; empty when all is gone within `grace` seconds."""
    if not (found := _compare(before)):
        return ()
    gc.collect()  # a cycle that waits for the collector is garbage, not a leak
    deadline = time.monotonic() + grace
    strangers = deadline - grace + min(grace, STRANGERS_GRACE)
    while (left := deadline - time.monotonic()) > 0 and (found := _compare(before)):
        threads = [thread for thread in _threads() if thread not in before.threads]
        processes = _new_processes(before)
        if threads:
            _wait_thread(threads[0], left)
        elif processes:
            _wait_processes(processes, left)
        elif _new_shm(before) and time.monotonic() < strangers:
            # a name of a stranger who has just been killed: its resource tracker is about to unlink it
            threading.Event().wait(0.01)
        else:
            break  # descriptors and memory do not leave by themselves
    return _compare(before) if found else ()


def clean_up(before: Snapshot) -> None:
    """End every new process, so that the next test starts clean.

    The rest is simply part of the next snapshot. Threads cannot be ended; a descriptor or mapping belongs to
    an object that would close it a second time, perhaps after its number was given away; and a name in
    /dev/shm may be that of a stranger who opens it by name when he needs it, a lock of multiprocessing for one.
    """
    while processes := _new_processes(before):
        for process in processes:
            _kill(process.pid)
        _wait_processes(processes, GRACE)


def adopt_orphans() -> None:
    """Make orphaned descendants children of this process, so that a grandchild cannot hide behind init."""
    if HAS_PROC:
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def is_gone(pid: int) -> bool:
    """True when no such process runs; a zombie runs no more, nor does one that is being reaped."""
    return (state := _stat(pid)) is None or state[1] in ("Z", "X")


def wait_gone(pid: int, timeout: float = 10.0) -> bool:
    """True as soon as the process (of any parent) has ended, False after `timeout` seconds."""
    if is_gone(pid):
        return True
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    try:
        select.select([descriptor], [], [], timeout)
    finally:
        os.close(descriptor)
    return is_gone(pid)


# -- what is new ---------------------------------------------------------------------------------


def _compare(before: Snapshot) -> tuple[Leak, ...]:
    return (
        *(Leak("process", _describe(process)) for process in _new_processes(before)),
        *(Leak("thread", _name(thread)) for thread in _threads() if thread not in before.threads),
        *(Leak("descriptor", f"{number} -> {target}") for number, target in _new_descriptors(before)),
        *(Leak("memory", f"{SHM}/{name}") for name in _new_shm(before)),
        *(Leak("memory", f"mapped {text}") for text in sorted(_mappings() - before.mappings)),
    )


def _new_processes(before: Snapshot) -> list[Process]:
    """Running descendants; a zombie is gone, and if it is ours its entry is collected here."""
    running = []
    for process, is_zombie in _descendants():
        if process in before.processes:
            continue  # its owner may still ask for the exit code
        if is_zombie:
            _reap(process.pid)
        else:
            running.append(process)
    return running


def _new_descriptors(before: Snapshot) -> Iterator[tuple[int, str]]:
    # Counted by target: a log file that was closed and opened again under another number is no leak.
    now = _descriptors()
    surplus = Counter(now.values()) - Counter(before.descriptors.values())
    for number, target in sorted(now.items()):
        if surplus[target] and before.descriptors.get(number) != target:
            surplus[target] -= 1
            yield number, target


def _new_shm(before: Snapshot) -> list[str]:
    # /dev/shm is everybody's: a name that a stranger holds open or mapped is the stranger's.
    names = sorted(_shm() - before.shm)
    return [name for name in names if not _held_elsewhere(f"{SHM}/{name}")] if names else []


# -- what is there -------------------------------------------------------------------------------


def _descendants() -> Iterator[tuple[Process, bool]]:
    """Every descendant, and whether it is a zombie."""
    todo = [os.getpid()] if HAS_PROC else []
    while todo:
        for child in _children(todo.pop()):
            if state := _stat(child):
                yield Process(child, state[0]), state[1] in ("Z", "X")
                todo.append(child)


def _children(pid: int) -> list[int]:
    found: list[int] = []
    try:
        for task in os.listdir(f"/proc/{pid}/task"):
            # The kernel lists a child under the thread that started it.
            found.extend(map(int, _read(f"/proc/{pid}/task/{task}/children").split()))
    except (FileNotFoundError, ProcessLookupError):
        return found  # it has ended meanwhile
    return found


def _stat(pid: int) -> tuple[int, str] | None:
    """Start time and state letter of a process, None when it is gone."""
    try:
        fields = _read(f"/proc/{pid}/stat").rpartition(b")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return int(fields[19]), fields[0].decode()


def _threads() -> Iterator[threading.Thread | int]:
    # The interpreter's own list also has threads that threading never saw or has already forgotten.
    known = {thread.ident: thread for thread in threading.enumerate()}
    for ident in _current_frames():
        yield known.get(ident, ident)


def _descriptors() -> dict[int, str]:
    found = {}
    for number in os.listdir("/proc/self/fd") if HAS_PROC else ():
        try:
            found[int(number)] = os.readlink(f"/proc/self/fd/{number}")
        except FileNotFoundError:
            continue  # the one that listed the directory
    return found


def _shm() -> frozenset[str]:
    try:
        return frozenset(name for name in os.listdir(SHM) if not name.startswith(LEFT_BY_OTHERS))
    except FileNotFoundError:
        return frozenset()


def _mappings(pid: str = "self") -> frozenset[str]:
    data = _read(f"/proc/{pid}/maps") if HAS_PROC else b""
    if b"(deleted)" not in data and b"/dev/shm/" not in data:
        return frozenset()
    lines = [
        line for line in data.decode(errors="replace").splitlines() if "(deleted)" in line or SHM in line
    ]
    # Inode and path without the addresses: one region counts once, in however many pieces it is mapped.
    return frozenset(" ".join(line.split(maxsplit=5)[4:]) for line in lines)


# -- one of them ---------------------------------------------------------------------------------


def _wait_thread(thread: threading.Thread | int, timeout: float) -> None:
    if isinstance(thread, (int, threading._DummyThread)):
        threading.Event().wait(min(timeout, 0.005))  # nothing to wait on: the interpreter tells no one
    else:
        thread.join(timeout)


def _wait_processes(processes: Iterable[Process], timeout: float) -> None:
    """Wait until one of these ends."""
    with ExitStack() as stack:
        waiter = select.poll()
        for process in processes:
            try:
                descriptor = os.pidfd_open(process.pid)
            except ProcessLookupError:
                return
            stack.callback(os.close, descriptor)
            waiter.register(descriptor, select.POLLIN)
        waiter.poll(timeout * 1000)


def _reap(pid: int) -> None:
    try:
        os.waitpid(pid, os.WNOHANG)
    except ChildProcessError:
        return  # another process's zombie


def _kill(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return


def _describe(process: Process) -> str:
    try:
        command = _read(f"/proc/{process.pid}/cmdline").replace(b"\0", b" ").decode(errors="replace").strip()
    except (FileNotFoundError, ProcessLookupError):
        command = "ended"
    return f"{process.pid} ({command[:200]})"


def _name(thread: threading.Thread | int) -> str:
    return f"raw thread {thread}" if isinstance(thread, int) else repr(thread)


def _held_elsewhere(path: str) -> bool:
    """True when a process that is not this one or its descendant has the file (or one below it) in use."""
    ours = {os.getpid(), *(process.pid for process, _ in _descendants())}
    try:
        # who made a semaphore has it mapped under the name that it had then
        inode = f"{os.stat(path).st_ino} {SHM}/"
    except FileNotFoundError:
        return True  # a stranger has unlinked it meanwhile
    for entry in PROC.iterdir():
        if not entry.name.isdigit() or int(entry.name) in ours:
            continue
        try:
            links = list((entry / "fd").iterdir())
            mapped = _mappings(entry.name)
        except (FileNotFoundError, ProcessLookupError, PermissionError):
            continue  # gone, or not ours to read
        targets = []
        for link in links:
            try:
                targets.append(os.readlink(link))
            except OSError:
                continue  # closed meanwhile; the others count all the same
        if any(target.startswith(path) for target in targets) or any(
            path in text or text.startswith(inode) for text in mapped
        ):
            return True
    return False


def _read(path: str) -> bytes:
    with open(path, "rb", buffering=0) as file:
        return file.readall()
