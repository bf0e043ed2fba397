"""The number of CPUs: arithmetic and texts, made-up machines in a directory, and the real machine."""

from __future__ import annotations

import contextlib
import json
import os
import pathlib
import subprocess
import sys
from collections.abc import Iterator

import pytest

from eisenmp.core.cpus import (
    Bound,
    cpuset_size,
    fewest,
    find_hierarchies,
    mark_binding,
    parse_cpu_list,
    quota_cpus,
)
from eisenmp.engine.cpus import explain, usable_cpus

V2 = "30 23 0:26 / /sys/fs/cgroup rw,nosuid,nodev,noexec,relatime shared:9 - cgroup2 cgroup2 rw,nsdelegate\n"
V1_CPU = "33 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw,relatime shared:14 - cgroup cgroup rw,cpu,cpuacct\n"
V1_CPUSET = "34 31 0:30 / /sys/fs/cgroup/cpuset rw,relatime - cgroup cgroup rw,cpuset\n"
V1_SYSTEMD = "35 31 0:31 / /sys/fs/cgroup/systemd rw,relatime - cgroup cgroup rw,xattr,name=systemd\n"
OTHERS = (
    "22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw\n31 23 0:28 / /sys/fs/cgroup ro - tmpfs tmpfs ro\n"
)


class Machine:
    """A directory with what Linux shows in /proc and /sys, on a machine of 64 processors."""

    def __init__(self, root: pathlib.Path, cgroup: str, mountinfo: str) -> None:
        self.root = root
        self.write("/proc/self/cgroup", cgroup)
        self.write("/proc/self/mountinfo", OTHERS + mountinfo)

    def write(self, path: str, text: str) -> None:
        file = self.root / path.lstrip("/")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)

    def explain(self, affinity: int = 64) -> list[Bound]:
        return explain(str(self.root), processors=64, affinity=affinity)

    def number(self, affinity: int = 64) -> int:
        return fewest(self.explain(affinity))

    def cause(self) -> str:
        (source,) = [bound.source for bound in self.explain() if bound.binding]
        return source


@pytest.mark.parametrize(
    ("text", "cpus"),
    [
        ("max 100000\n", None),
        ("100000 100000\n", 1),
        ("100001 100000\n", 2),
        ("150000 100000\n", 2),
        ("200000 100000\n", 2),
        ("1000 100000\n", 1),
        ("400000 50000\n", 8),
        ("250000\n", 3),
        ("-1 100000", None),
        ("0 100000", None),
        ("100000 0", None),
        ("100000 many", None),
        ("", None),
        ("\n", None),
    ],
)
def test_a_quota_rounds_up(text: str, cpus: int | None) -> None:
    assert quota_cpus(text) == cpus


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("0", [0]),
        ("0-3\n", [0, 1, 2, 3]),
        ("0-1,8,10-11", [0, 1, 8, 10, 11]),
        ("3,1,1", [3, 1, 1]),
        ("", []),
        (" \n", []),
    ],
)
def test_a_list_of_cpus(text: str, numbers: list[int]) -> None:
    assert parse_cpu_list(text) == numbers


@pytest.mark.parametrize("text", ["a", "1-", "-1", "3-1", "1,,2", "1;2", "0-9999999999"])
def test_a_bad_list_of_cpus_is_an_error(text: str) -> None:
    with pytest.raises(ValueError, match="is not a number or a range of CPUs"):
        parse_cpu_list(text)
    assert cpuset_size(text) is None


def test_a_cpuset_counts_each_cpu_once_and_empty_is_no_limit() -> None:
    assert cpuset_size("0-3,2,7\n") == 5
    assert cpuset_size("\n") is None


def test_fewest_is_at_least_one_and_only_one_cause_is_marked() -> None:
    bounds = [Bound("a", "", 8), Bound("b", "", None), Bound("c", "", 2), Bound("d", "", 2)]
    assert fewest(bounds) == 2
    assert [bound.source for bound in mark_binding(bounds) if bound.binding] == ["c"]
    assert fewest([]) == 1
    assert fewest([Bound("a", "", 0)]) == 1
    assert mark_binding([Bound("a", "", None)]) == [Bound("a", "", None)]


def test_levels_of_the_own_group_only() -> None:
    (tree,) = find_hierarchies("0::/a.slice/b.scope\n", OTHERS + V2)
    assert tree.version == 2
    assert tree.controllers == frozenset(("cpu", "cpuset"))
    assert tree.directories == (
        "/sys/fs/cgroup",
        "/sys/fs/cgroup/a.slice",
        "/sys/fs/cgroup/a.slice/b.scope",
    )


@pytest.mark.parametrize(
    ("path", "root", "directories"),
    [
        ("/", "/", ["/cg"]),
        ("/docker/abc", "/docker/abc", ["/cg"]),
        ("/docker/abc/sub", "/docker/abc", ["/cg", "/cg/sub"]),
        ("/docker/abcd", "/docker/abc", ["/cg"]),
        ("/elsewhere", "/docker/abc", ["/cg"]),
        ("/../sibling", "/", ["/cg"]),
        ("/../sibling/deep", "/../sibling", ["/cg", "/cg/deep"]),
        ("/a (deleted)", "/", ["/cg", "/cg/a (deleted)"]),
    ],
)
def test_the_root_of_a_container_mount_is_taken_off(path: str, root: str, directories: list[str]) -> None:
    (tree,) = find_hierarchies(f"0::{path}\n", f"30 23 0:26 {root} /cg rw - cgroup2 cgroup2 rw\n")
    assert list(tree.directories) == directories


def test_the_mount_that_shows_most_levels_is_taken() -> None:
    narrow = "40 23 0:26 /a/b /inner rw - cgroup2 cgroup2 rw\n"
    wide = "41 23 0:26 /a /outer rw - cgroup2 cgroup2 rw\n"
    for mounts in (narrow + wide, wide + narrow):
        (tree,) = find_hierarchies("0::/a/b\n", mounts)
        assert tree.directories == ("/outer", "/outer/b")


def test_a_mount_hidden_by_a_later_one_is_not_taken() -> None:
    hidden = "40 23 0:26 / /cg rw - cgroup2 cgroup2 rw\n"
    seen = "41 40 0:27 /a /cg rw - cgroup2 cgroup2 rw\n"
    (tree,) = find_hierarchies("0::/a/b\n", hidden + seen)
    assert tree.directories == ("/cg", "/cg/b")


def test_a_mount_point_with_a_space() -> None:
    (tree,) = find_hierarchies("0::/a\n", "30 23 0:26 / /my\\040cg rw - cgroup2 cgroup2 rw\n")
    assert tree.directories == ("/my cg", "/my cg/a")


@pytest.mark.parametrize(
    "texts", [("", ""), ("0::/a\n", ""), ("", V2), ("nonsense\n", "nonsense\n"), ("0::/a\n", V1_SYSTEMD)]
)
def test_texts_without_a_group_give_none(texts: tuple[str, str]) -> None:
    assert find_hierarchies(*texts) == []


def test_version_2_reads_every_level(tmp_path: pathlib.Path) -> None:
    machine = Machine(tmp_path, "0::/a.slice/b.scope\n", V2)
    assert machine.number() == 64
    machine.write("/sys/fs/cgroup/a.slice/b.scope/cpu.max", "800000 100000\n")
    assert machine.number() == 8
    machine.write("/sys/fs/cgroup/a.slice/cpu.max", "350000 100000\n")
    assert machine.number() == 4
    assert machine.cause() == "/sys/fs/cgroup/a.slice/cpu.max"
    machine.write("/sys/fs/cgroup/c.slice/cpu.max", "100000 100000\n")
    assert machine.number() == 4
    machine.write("/sys/fs/cgroup/a.slice/b.scope/cpu.max", "max 100000\n")
    assert machine.number() == 4
    machine.write("/sys/fs/cgroup/a.slice/cpu.max", "")
    assert machine.number() == 64


def test_version_2_reads_the_cpuset(tmp_path: pathlib.Path) -> None:
    machine = Machine(tmp_path, "0::/a/b\n", V2)
    machine.write("/sys/fs/cgroup/cpuset.cpus.effective", "0-63\n")
    machine.write("/sys/fs/cgroup/a/cpuset.cpus.effective", "0-2,32-34\n")
    assert machine.number() == 6
    assert machine.cause() == "/sys/fs/cgroup/a/cpuset.cpus.effective"
    assert machine.number(affinity=5) == 5


def test_version_1_reads_quota_and_cpuset_of_every_level(tmp_path: pathlib.Path) -> None:
    groups = "5:cpuset:/jobs\n4:cpu,cpuacct:/jobs/one\n3:memory:/jobs\n1:name=systemd:/x\n"
    machine = Machine(tmp_path, groups, V1_CPU + V1_CPUSET + V1_SYSTEMD)
    base = "/sys/fs/cgroup/cpu,cpuacct"
    for level, quota in (("", -1), ("/jobs", 250_000), ("/jobs/one", 1_000_000)):
        machine.write(f"{base}{level}/cpu.cfs_quota_us", f"{quota}\n")
        machine.write(f"{base}{level}/cpu.cfs_period_us", "100000\n")
    machine.write("/sys/fs/cgroup/cpuset/cpuset.cpus", "0-63\n")
    machine.write("/sys/fs/cgroup/cpuset/jobs/cpuset.cpus", "\n")
    machine.write("/sys/fs/cgroup/cpuset/jobs/cpuset.effective_cpus", "0-15\n")
    assert machine.number() == 3
    assert machine.cause() == f"{base}/jobs/cpu.cfs_quota_us"
    machine.write(f"{base}/jobs/cpu.cfs_quota_us", "-1\n")
    assert machine.number() == 10
    machine.write(f"{base}/jobs/one/cpu.cfs_quota_us", "-1\n")
    assert machine.number() == 16
    assert machine.cause() == "/sys/fs/cgroup/cpuset/jobs/cpuset.effective_cpus"


def test_hybrid_reads_both_trees(tmp_path: pathlib.Path) -> None:
    unified = V2.replace("/sys/fs/cgroup", "/sys/fs/cgroup/unified")
    machine = Machine(
        tmp_path, "4:cpu,cpuacct:/one\n1:name=systemd:/one\n0::/two\n", V1_CPU + V1_SYSTEMD + unified
    )
    machine.write("/sys/fs/cgroup/cpu,cpuacct/one/cpu.cfs_quota_us", "500000\n")
    machine.write("/sys/fs/cgroup/cpu,cpuacct/one/cpu.cfs_period_us", "100000\n")
    machine.write("/sys/fs/cgroup/unified/two/cgroup.procs", "1\n")
    assert machine.number() == 5
    machine.write("/sys/fs/cgroup/unified/two/cpuset.cpus.effective", "0-2\n")
    assert machine.number() == 3


def test_a_container_sees_its_limits_at_the_top_of_its_mount(tmp_path: pathlib.Path) -> None:
    own = V1_CPU.replace(" / /sys", " /docker/0af3 /sys")
    machine = Machine(tmp_path, "4:cpu,cpuacct:/docker/0af3\n", own)
    machine.write("/sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us", "150000\n")
    machine.write("/sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us", "100000\n")
    assert machine.number() == 2


def test_what_cannot_be_read_is_told_and_limits_nothing(tmp_path: pathlib.Path) -> None:
    machine = Machine(tmp_path, "0::/a\n", V2)
    machine.write("/sys/fs/cgroup/cpu.max", "300000 100000\n")
    # A directory in place of the file fails for root too, unlike a file without permission.
    (tmp_path / "sys/fs/cgroup/a/cpu.max").mkdir(parents=True)
    bounds = {bound.source: bound for bound in machine.explain()}
    unread = bounds["/sys/fs/cgroup/a/cpu.max"]
    assert unread.cpus is None
    assert unread.value.startswith("cannot be read: ")
    assert machine.number() == 3


def test_without_proc_the_affinity_decides(tmp_path: pathlib.Path) -> None:
    bounds = explain(str(tmp_path), processors=64, affinity=3)
    assert bounds == [
        Bound("processors of the machine", "64", 64),
        Bound("CPU affinity of the process", "3", 3, True),
    ]


def test_where_there_is_no_affinity_the_processors_decide(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: 6)
    assert usable_cpus(str(tmp_path)) == 6
    monkeypatch.setattr(os, "cpu_count", lambda: None)
    assert explain(str(tmp_path)) == [Bound("processors of the machine", "unknown", None)]
    assert usable_cpus(str(tmp_path)) == 1


def test_this_machine() -> None:
    bounds = explain()
    print(*bounds, sep="\n")
    assert 1 <= usable_cpus() == fewest(bounds) <= (os.cpu_count() or 1)
    assert len([bound for bound in bounds if bound.binding]) == 1


def ask(*statements: str) -> tuple[int, list[Bound]]:
    """usable_cpus() and explain() of a new process that first runs the statements."""
    code = "import json, os\nfrom eisenmp.engine.cpus import explain, usable_cpus\n"
    code += "\n".join(statements) + "\nprint(json.dumps([usable_cpus(), explain()]))"
    paths = os.pathsep.join(path for path in sys.path if path)
    environ = os.environ | {"PYTHONPATH": paths}
    run = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environ
    )
    number, bounds = json.loads(run.stdout)
    return number, [Bound(*bound) for bound in bounds]


def test_affinity_of_a_real_process() -> None:
    number, bounds = ask("os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})")
    assert number == 1
    assert Bound("CPU affinity of the process", "1", 1) in [bound._replace(binding=False) for bound in bounds]


@contextlib.contextmanager
def quota_group() -> Iterator[pathlib.Path | None]:
    """A real group below one with half a CPU, or None where groups cannot be made."""
    texts = [pathlib.Path(f"/proc/self/{name}").read_text() for name in ("cgroup", "mountinfo")]
    made: list[pathlib.Path] = []
    ready = False
    try:
        for tree in find_hierarchies(*texts):
            if "cpu" not in tree.controllers:
                continue
            outer = pathlib.Path(tree.directories[0]) / f"eisenmp-test-{os.getpid()}"
            for group in (outer, outer / "inner"):
                group.mkdir()
                made.append(group)
            if tree.version == 1:
                (outer / "cpu.cfs_quota_us").write_text("50000")
            else:
                (outer / "cpu.max").write_text("50000 100000")
            ready = True
            break
    except OSError as error:
        print(f"no quota group here: {error}")
    try:
        yield made[-1] if ready else None
    finally:
        for group in reversed(made):
            group.rmdir()


def test_quota_of_a_real_group(tmp_path: pathlib.Path) -> None:
    with quota_group() as group:
        if group is None:
            machine = Machine(tmp_path, "0::/outer/inner\n", V2)
            machine.write("/sys/fs/cgroup/outer/cpu.max", "50000 100000\n")
            number, bounds = machine.number(), machine.explain()
        else:
            number, bounds = ask(f"open({str(group / 'cgroup.procs')!r}, 'w').write(str(os.getpid()))")
    print(*bounds, sep="\n")
    assert number == 1
    assert any(bound.value == "50000 100000" and bound.cpus == 1 for bound in bounds)
