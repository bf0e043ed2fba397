"""Whether the kernel's count explains a death; and where the count stands, on made-up machines."""

from __future__ import annotations

from pathlib import Path

import pytest

from eisenmp.core.oom import PATIENCE, PROBABLY, SURE, UNKNOWN, Toll, kills_in
from eisenmp.engine.oom import Counter

EVENTS = "low 0\nhigh 0\nmax 14\noom 3\noom_kill {}\noom_group_kill 0\n"
CONTROL = "oom_kill_disable 0\nunder_oom 0\noom_kill {}\n"
VMSTAT = "nr_free_pages 5932023\noom_kill {}\ndrop_pagecache 0\n"


@pytest.mark.parametrize("text", [EVENTS, CONTROL, VMSTAT])
def test_the_number_of_kills(text: str) -> None:
    assert kills_in(text.format(12)) == 12


@pytest.mark.parametrize("text", ["", "oom_kill_disable 0\nunder_oom 0\n", "oom_kill\n", "oom_kill max\n"])
def test_no_number_of_kills(text: str) -> None:
    assert kills_in(text) is None


# -- deaths and kills ------------------------------------------------------------------------------


def test_one_death_and_one_kill() -> None:
    toll = Toll(3)
    assert toll.judge(3, 0, 1.0) == UNKNOWN
    assert toll.judge(4, 0, 2.0) == SURE
    assert toll.judge(4, 0, 2.1) == UNKNOWN


def test_as_many_kills_as_deaths_at_once() -> None:
    toll = Toll(0)
    assert [toll.judge(3, others, 1.0) for others in (2, 1, 0)] == [SURE] * 3
    assert toll.judge(3, 0, 1.0) == UNKNOWN


def test_fewer_kills_than_deaths_at_once() -> None:
    """Nobody can tell which of them it was."""
    toll = Toll(0)
    assert [toll.judge(2, others, 1.0) for others in (2, 1, 0)] == [PROBABLY] * 3
    assert toll.judge(2, 0, 1.0) == UNKNOWN
    assert toll.judge(3, 0, 1.1) == SURE


def test_none_of_several_was_killed_for_want_of_memory() -> None:
    toll = Toll(7)
    assert [toll.judge(7, others, 1.0) for others in (2, 1, 0)] == [UNKNOWN] * 3


def test_a_process_may_be_counted_long_before_it_is_gone() -> None:
    """Two are counted when the first is gone; the other still frees its memory."""
    toll = Toll(0)
    assert toll.judge(2, 0, 1.0) == SURE
    assert toll.judge(2, 0, 1.0 + PATIENCE) == SURE


def test_a_kill_of_long_ago_was_another_process() -> None:
    toll = Toll(0)
    assert toll.judge(2, 0, 1.0) == SURE
    assert toll.judge(2, 0, 1.1 + PATIENCE) == UNKNOWN


def test_a_count_of_the_whole_machine_proves_nothing() -> None:
    toll = Toll(0, own=False)
    assert toll.judge(1, 0, 1.0) == PROBABLY
    assert toll.judge(1, 0, 1.0) == UNKNOWN


@pytest.mark.parametrize("counts", [(None, 1), (1, None), (None, None)])
def test_without_a_count_nothing_is_claimed(counts: tuple[int | None, int | None]) -> None:
    toll = Toll(counts[0])
    assert toll.judge(counts[1], 0, 1.0) == UNKNOWN


def test_a_count_that_comes_back_is_the_new_beginning() -> None:
    toll = Toll(1)
    assert [toll.judge(count, 0, 1.0) for count in (None, 5, 6)] == [UNKNOWN, UNKNOWN, SURE]


# -- where it stands -------------------------------------------------------------------------------

V2 = "30 23 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw,nsdelegate\n"
V1 = "35 31 0:32 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n"
UNIFIED = "41 31 0:38 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n"


class Machine:
    """A directory with what Linux shows in /proc and /sys."""

    def __init__(self, root: Path, cgroup: str, mountinfo: str) -> None:
        self.root = root
        self.write("proc/self/cgroup", cgroup)
        self.write("proc/self/mountinfo", mountinfo)

    def write(self, path: str, text: str) -> None:
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)

    def counter(self) -> Counter:
        return Counter(str(self.root))


def test_version_2_counts_in_the_own_cgroup(tmp_path: Path) -> None:
    machine = Machine(tmp_path, "0::/a.slice/b.scope\n", V2)
    for level, count in (("a.slice", 9), ("a.slice/b.scope", 2)):
        machine.write(f"sys/fs/cgroup/{level}/memory.events", EVENTS.format(count))
    machine.write("proc/vmstat", VMSTAT.format(30))
    counter = machine.counter()
    assert (counter.read(), counter.own) == (2, True)
    # others of the slice are none of ours
    machine.write("sys/fs/cgroup/a.slice/memory.events", EVENTS.format(12))
    assert counter.read() == 2
    machine.write("sys/fs/cgroup/a.slice/b.scope/memory.events", EVENTS.format(4))
    assert counter.read() == 4


def test_version_2_counts_above_a_level_without_the_controller(tmp_path: Path) -> None:
    machine = Machine(tmp_path, "0::/a.slice/b.scope/c\n", V2)
    machine.write("sys/fs/cgroup/a.slice/b.scope/c/cgroup.procs", "")
    machine.write("sys/fs/cgroup/a.slice/b.scope/memory.events", EVENTS.format(5))
    machine.write("sys/fs/cgroup/a.slice/memory.events", EVENTS.format(6))
    counter = machine.counter()
    assert (counter.read(), counter.own) == (5, True)
    assert counter.path.endswith("/a.slice/b.scope/memory.events")


def test_version_1_counts_in_the_own_cgroup(tmp_path: Path) -> None:
    machine = Machine(tmp_path, "4:memory:/docker/abc\n1:cpu:/\n0::/\n", V1 + UNIFIED)
    machine.write("sys/fs/cgroup/memory/memory.oom_control", CONTROL.format(0))
    machine.write("sys/fs/cgroup/memory/docker/abc/memory.oom_control", CONTROL.format(1))
    counter = machine.counter()
    assert (counter.read(), counter.own) == (1, True)


def test_in_a_container_of_version_1_the_mount_is_the_own_cgroup(tmp_path: Path) -> None:
    mount = "35 31 0:32 /docker/abc /sys/fs/cgroup/memory ro - cgroup cgroup rw,memory\n"
    machine = Machine(tmp_path, "4:memory:/docker/abc\n", mount)
    machine.write("sys/fs/cgroup/memory/memory.oom_control", CONTROL.format(7))
    counter = machine.counter()
    assert (counter.read(), counter.own) == (7, True)


def test_an_old_kernel_of_version_1_does_not_count(tmp_path: Path) -> None:
    machine = Machine(tmp_path, "4:memory:/\n", V1)
    machine.write("sys/fs/cgroup/memory/memory.oom_control", "oom_kill_disable 0\nunder_oom 0\n")
    counter = machine.counter()
    assert (counter.read(), counter.path) == (None, "")


def test_in_the_root_of_version_2_the_machine_counts(tmp_path: Path) -> None:
    machine = Machine(tmp_path, "0::/\n", V2)
    machine.write("sys/fs/cgroup/cgroup.procs", "")
    machine.write("proc/vmstat", VMSTAT.format(30))
    counter = machine.counter()
    assert (counter.read(), counter.own) == (30, False)


def test_where_there_is_no_proc_nothing_is_known(tmp_path: Path) -> None:
    counter = Counter(str(tmp_path))
    assert (counter.read(), counter.own) == (None, False)


def test_a_count_that_vanishes_is_unknown(tmp_path: Path) -> None:
    machine = Machine(tmp_path, "0::/a\n", V2)
    machine.write("sys/fs/cgroup/a/memory.events", EVENTS.format(1))
    counter = machine.counter()
    (tmp_path / "sys/fs/cgroup/a/memory.events").unlink()
    assert counter.read() is None
