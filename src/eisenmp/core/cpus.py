"""How many CPUs a process may use: the arithmetic, and the texts in which Linux says so."""

from __future__ import annotations

from .record import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable


CONTROLLERS = frozenset(("cpu", "cpuset"))
CPUS_MAX = 65_536  #: no machine has more; a range beyond is a slip that would fill the memory


class Bound(NamedTuple):
    """One limit: where it stands, what stands there, how many CPUs that allows (None: no limit)."""

    source: str
    value: str
    cpus: int | None
    binding: bool = False


class Hierarchy(NamedTuple):
    """A cgroup tree of the own process: version 1 or 2, controllers, directories with the outermost first."""

    version: int
    controllers: frozenset[str]
    directories: tuple[str, ...]


class _Mount(NamedTuple):
    version: int
    options: frozenset[str]
    root: str
    point: str


def fewest(bounds: Iterable[Bound]) -> int:
    """The number that all bounds allow, at least 1."""
    return max(1, min((bound.cpus for bound in bounds if bound.cpus is not None), default=1))


def mark_binding(bounds: Iterable[Bound]) -> list[Bound]:
    """The same bounds, the first of the tightest marked: lifting others alone would change nothing."""
    marked = list(bounds)
    limits = [bound.cpus for bound in marked if bound.cpus is not None]
    if limits:
        place = next(n for n, bound in enumerate(marked) if bound.cpus == min(limits))
        marked[place] = marked[place]._replace(binding=True)
    return marked


def quota_cpus(text: str) -> int | None:
    """CPUs that quota and period in microseconds, as in '150000 100000', allow, rounded up; None: no limit.

    That is the text of cpu.max of version 2, and of cpu.cfs_quota_us and cpu.cfs_period_us of version 1.
    """
    quota, _, period = text.strip().partition(" ")
    period = period or "100000"
    # 'max', '-1', and the empty file that some kernels show in a container: no limit.
    if not (quota.isdecimal() and period.isdecimal() and int(quota) and int(period)):
        return None
    return -(-int(quota) // int(period))


def parse_cpu_list(text: str) -> list[int]:
    """The numbers of '0-3,8', in their order and with their repetitions; ValueError if it is no such list."""
    numbers: list[int] = []
    for part in text.strip().split(",") if text.strip() else []:
        first, dash, last = part.strip().partition("-")
        end = last if dash else first
        if not (first.isdecimal() and end.isdecimal() and int(first) <= int(end) < CPUS_MAX):
            raise ValueError(f"{part!r} is not a number or a range of CPUs")
        numbers.extend(range(int(first), int(end) + 1))
    return numbers


def cpuset_size(text: str) -> int | None:
    """CPUs in a cpuset file; None if it is empty, which means that the group sets none."""
    try:
        return len(set(parse_cpu_list(text))) or None
    except ValueError:
        return None


def find_hierarchies(cgroup: str, mountinfo: str, *, wanted: frozenset[str] = CONTROLLERS) -> list[Hierarchy]:
    """The trees with one of these controllers, from the texts of /proc/self/cgroup and /proc/self/mountinfo.

    By default those that can limit CPUs.
    """
    mounts = _parse_mounts(mountinfo)
    found = []
    for line in cgroup.splitlines():
        number, _, rest = line.partition(":")
        names, colon, path = rest.partition(":")
        if not colon:
            continue
        controllers = frozenset(names.split(",")) if names else wanted
        if not controllers & wanted:
            continue
        version = 2 if number == "0" and not names else 1
        fitting = [m for m in mounts if m.version == version and (version == 2 or controllers <= m.options)]
        if fitting:
            found.append(Hierarchy(version, controllers, _levels(fitting, path)))
    return found


def _levels(mounts: list[_Mount], path: str) -> tuple[str, ...]:
    # A container's mount shows the part of the tree below its root. Of several mounts, the one with the
    # shortest root shows most levels. Outside of them all, or above the root of the own namespace ('/../x'),
    # only the top of a mount can be seen, and its limits are those of the container.
    inside = [(mount, _below(mount.root, path)) for mount in mounts]
    seen = [(len(mount.root), mount.point, below) for mount, below in inside if below is not None]
    _, point, below = min(seen) if seen else (0, mounts[-1].point, [])
    top = point.rstrip("/")
    return tuple("/".join((top, *below[:depth])) or "/" for depth in range(len(below) + 1))


def _below(root: str, path: str) -> list[str] | None:
    parts = [part for part in path.split("/") if part]
    roots = [part for part in root.split("/") if part]
    if parts[: len(roots)] != roots or ".." in parts[len(roots) :]:
        return None
    return parts[len(roots) :]


def _parse_mounts(mountinfo: str) -> list[_Mount]:
    mounts: dict[str, _Mount] = {}
    for line in mountinfo.splitlines():
        front, dash, back = line.partition(" - ")
        fields, kinds = front.split(" "), back.split(" ")
        if not dash or len(fields) < 5 or kinds[0] not in ("cgroup", "cgroup2"):
            continue
        version = 2 if kinds[0] == "cgroup2" else 1
        options = frozenset(kinds[-1].split(","))
        point = _unescape(fields[4])
        # Of two mounts at one place only the later can be seen.
        mounts[point] = _Mount(version, options, _unescape(fields[3]), point)
    return list(mounts.values())


def _unescape(text: str) -> str:
    for escape, character in (("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")):
        text = text.replace(escape, character)
    return text
