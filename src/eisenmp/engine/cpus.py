"""How many CPUs this process may use on this machine, and why not more."""

from __future__ import annotations

import os

from ..core.cpus import Bound, cpuset_size, fewest, find_hierarchies, mark_binding, quota_cpus

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

SHARE = "EISENMP_CPUS"  #: variable of the environment: how many of its manager's CPUs are a worker's


def usable_cpus(root: str = "/") -> int:
    """The CPUs that this process may really use, at least 1: the fewest of affinity, cpusets and quotas.

    The cpuset and the quota of every level of the own cgroup count (versions 1 and 2); a quota of 1.5 CPUs
    counts as 2. In a worker it is no more than its share of the manager's CPUs. `root` is the directory that
    holds `proc` and `sys`.
    """
    return fewest(explain(root))


def usable_cores() -> tuple[int, ...]:
    """The numbers of the cores that this process may run on, in order; none where no one can tell."""
    affinity: Callable[[int], set[int]] | None = getattr(os, "sched_getaffinity", None)
    return () if affinity is None else tuple(sorted(affinity(0)))


def explain(root: str = "/", *, processors: int | None = None, affinity: int | None = None) -> list[Bound]:
    """Every bound of `usable_cpus()` with its source; the one that decides is marked.

    `processors` and `affinity` replace the numbers that the operating system tells.
    """
    number = processors or os.cpu_count()
    # The machine stands first and the affinity behind the cpusets: each narrows what comes after it, and the
    # mark belongs to the cause.
    bounds = [Bound("processors of the machine", "unknown" if number is None else str(number), number)]
    sets, quotas = _read_cgroups(root)
    bounds += sets
    if affinity is None and hasattr(os, "sched_getaffinity"):
        affinity = len(os.sched_getaffinity(0))
    if affinity is not None:
        bounds.append(Bound("CPU affinity of the process", str(affinity), affinity))
    return mark_binding([*bounds, *quotas, *_share()])


def _share() -> list[Bound]:
    """What a manager has left to this process, which is one of its workers."""
    text = os.environ.get(SHARE, "").strip()
    if not text:
        return []
    number = int(text) if text.isdecimal() and int(text) else None
    return [Bound(f"{SHARE}, a worker's share", text, number)]


def _read_cgroups(root: str) -> tuple[list[Bound], list[Bound]]:
    cgroup, mountinfo = (_text(root, f"/proc/self/{name}") for name in ("cgroup", "mountinfo"))
    sets: list[Bound] = []
    quotas: list[Bound] = []
    for tree in find_hierarchies(cgroup, mountinfo):
        first = tree.version == 1
        for directory in tree.directories:
            if "cpuset" in tree.controllers:
                names = ("cpuset.effective_cpus", "cpuset.cpus") if first else ("cpuset.cpus.effective",)
                found = [bound for name in names for bound in _bounds(root, directory, (name,), cpuset_size)]
                sets += found[:1]
            if "cpu" in tree.controllers:
                names = ("cpu.cfs_quota_us", "cpu.cfs_period_us") if first else ("cpu.max",)
                quotas += _bounds(root, directory, names, quota_cpus)
    return sets, quotas


def _bounds(
    root: str, directory: str, names: tuple[str, ...], size: Callable[[str], int | None]
) -> list[Bound]:
    source = f"{directory}/{names[0]}"
    try:
        text = " ".join(_read(root, f"{directory}/{name}").strip() for name in names)
    except FileNotFoundError:
        return []  # the usual case: a level without that controller
    except OSError as error:
        return [Bound(source, f"cannot be read: {error.strerror}", None)]
    return [Bound(source, text, size(text))]


def _text(root: str, path: str) -> str:
    try:
        return _read(root, path)
    except OSError:
        return ""  # not Linux, or hidden: no cgroup is known


def _read(root: str, path: str) -> str:
    with open(os.path.join(root, path.lstrip("/")), encoding="utf-8", errors="surrogateescape") as file:
        return file.read()
