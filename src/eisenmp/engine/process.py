"""Starting the interpreter of a worker, and learning how it ended."""

from __future__ import annotations

import os
import sys

from ..core.record import NamedTuple
from ..wire import platform

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from .base import Launch

HERE = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
#: `-m` would import runpy, which costs 3 ms, and put the working directory first on the path
#: nothing of what is imported first is ever garbage, and looking for it costs 2 ms
PATH = "import gc,sys;gc.disable();sys.path.insert(0,sys.argv.pop(1));"
MAIN = "from eisenmp.child.__main__ import main;main()"
#: with the descriptor of a cgroup; a zygote must not have had a second thread when it forks
JOIN = "from eisenmp.child.cgroup import join;join(int(sys.argv.pop(1)),alone=sys.argv[1]=='zygote');"


class Ends(NamedTuple):
    """The worker's ends of its descriptors."""

    socket: int
    life_line: int
    output: int


def interpreter_flags() -> list[str]:
    """The options of this interpreter that a worker should run under too."""
    flags = sys.flags
    options = ["-P"]
    if flags.optimize:
        options.append("-" + "O" * flags.optimize)
    if flags.no_user_site:
        options.append("-s")
    if flags.ignore_environment:
        options.append("-E")
    if flags.no_site:
        options.append("-S")
    if flags.dont_write_bytecode:
        options.append("-B")
    if flags.bytes_warning:
        options.append("-" + "b" * flags.bytes_warning)
    options.extend(f"-W{option}" for option in sys.warnoptions)
    for name, value in sys._xoptions.items():
        options.append(f"-X{name}" if value is True else f"-X{name}={value}")
    return options


def command(name: str, arguments: Sequence[str], entrance: int = -1) -> list[str]:
    """The command line of a worker; its name stands there for `ps`. `entrance`: of the cgroup to join."""
    if entrance < 0:
        code, here = PATH + MAIN, [HERE]
    else:
        code, here = PATH + JOIN + MAIN, [HERE, str(entrance)]
    return [sys.executable, *interpreter_flags(), "-c", code, *here, *arguments, f"eisenmp:{name}"]


def spawn(launch: Launch, ends: Ends, role: str = "fd") -> int:
    """Start the interpreter with the ends, in a process group of its own; returns the pid.

    Descriptors are handed over by file actions, never by making them inheritable: a process that another
    thread starts at the same moment must not get them. Affinity is inherited from the starting thread.
    The role is what the process is told first: "fd" for a worker, or "zygote".
    """
    if sys.platform == "win32":
        raise OSError("Windows takes the portable path")
    arguments = command(launch.name, [role, str(ends.socket), str(ends.life_line)], launch.entrance)
    nothing = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
    actions = [(os.POSIX_SPAWN_DUP2, nothing, 0), (os.POSIX_SPAWN_DUP2, ends.output, 1)]
    actions.append((os.POSIX_SPAWN_DUP2, ends.output, 2))
    entrance = () if launch.entrance < 0 else (launch.entrance,)
    for descriptor in (ends.socket, ends.life_line, *entrance, *launch.descriptors):
        actions.append((os.POSIX_SPAWN_DUP2, descriptor, descriptor))
    bound = getattr(os, "sched_getaffinity", lambda pid: None)(0) if launch.cores else None
    try:
        if bound is not None:
            platform.set_affinity(launch.cores)
        return os.posix_spawn(
            sys.executable,
            arguments,
            dict(launch.environment),
            file_actions=actions,
            setpgroup=0,
        )
    finally:
        if bound is not None:
            platform.set_affinity(tuple(bound))
        os.close(nothing)


def exit_code(pid: int, wait: bool) -> int | None:
    """Reap a child of this process: its exit code, negative for a signal; None when someone else did."""
    try:
        ended, status = os.waitpid(pid, 0 if wait else getattr(os, "WNOHANG", 0))
    except ChildProcessError:
        return None
    return os.waitstatus_to_exitcode(status) if ended else None


def has_ended(sentinel: int, patience: float) -> bool:
    """Whether the process of the pidfd ends within `patience` seconds."""
    if sys.platform == "win32":
        raise OSError("there are no pidfds on Windows")
    import select

    poll = select.poll()
    poll.register(sentinel, select.POLLIN)
    return bool(poll.poll(patience * 1000))


def unblock(descriptor: int) -> None:
    """Have reads return at once when there is nothing."""
    if sys.platform != "win32":
        os.set_blocking(descriptor, False)


def signal_group(pid: int, number: int) -> None:
    """Signal the process group that the worker leads; nobody, where there is no process."""
    if pid <= 0:
        return  # to the system that is this very group
    for target in (-pid, pid):
        try:
            os.kill(target, number)
        except (ProcessLookupError, PermissionError):
            continue
        return


def ask_for_stacks(pid: int) -> None:
    """Have the worker write its stacks: the worker alone, for others would die of the signal.

    So would one whose interpreter is not up yet; where the system tells that, it is let alone.
    """
    import signal

    number = getattr(signal, "SIGQUIT", None)
    if number is not None and _catches(pid, number):
        try:
            os.kill(pid, number)
        except (ProcessLookupError, PermissionError):
            return


def _catches(pid: int, number: int) -> bool:
    """Whether the process handles the signal; True where nobody says so."""
    try:
        with open(f"/proc/{pid}/status") as status:
            for line in status:
                name, _, mask = line.partition(":")
                if name == "SigCgt":
                    return bool(int(mask, 16) >> (number - 1) & 1)
    except OSError:
        pass  # not Linux, or it is gone
    return True


def high(descriptor: int) -> int:
    """The descriptor, moved out of the way of 0, 1 and 2, which the worker has its own for."""
    if descriptor > 2 or sys.platform == "win32":
        return descriptor
    import fcntl

    moved: int = fcntl.fcntl(descriptor, fcntl.F_DUPFD_CLOEXEC, 3)
    os.close(descriptor)
    return moved
