"""A table that is larger than the memory of its workers: `python -m benchmarks.programs.large_table MIB`.

Each of two workers puts itself into a memory group of 400 MB (a seventh of the table or less), which counts
what it maps and what is cached for it, and reads every value. Takes a system where this user may make memory
groups. Prints one line of JSON: bytes of the table, of the limit, and the most that a worker had.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Iterator
from itertools import repeat
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import eisenmp
from benchmarks.side import Wrong

MIB = 1 << 20
VALUE = 1 << 18
LIMIT_MAX = 400 * MIB


def group(name: str) -> tuple[Path, str, str]:
    """A memory group of this process's group: its folder, and the files of the limit and of the most."""
    for line in Path("/proc/self/cgroup").read_text().splitlines():
        _, kinds, path = line.split(":", 2)
        if "memory" in kinds.split(","):
            return (
                Path(f"/sys/fs/cgroup/memory{path}/{name}"),
                "memory.limit_in_bytes",
                "memory.max_usage_in_bytes",
            )
    return Path("/sys/fs/cgroup") / name, "memory.max", "memory.peak"


@eisenmp.worker
def read(toolbox: Any, rows: list[int]) -> Any:
    """Every value once, in memory that does not hold them all."""
    folder, limit, most = group(f"eisenmp-{os.getpid()}")
    if not hasattr(toolbox, "limited"):
        folder.mkdir()
        (folder / limit).write_text(str(rows[0]))
        (folder / "cgroup.procs").write_text(str(os.getpid()))
        toolbox.limited = True
    table = toolbox.tools["table"]
    total = sum(value[0] + len(value) for value in table.values())
    time.sleep(0.01)
    return os.getpid(), total, int((folder / most).read_text())


def entries(count: int) -> Iterator[tuple[str, bytes]]:
    for number in range(count):
        yield f"{number:09}", bytes((number % 251,)) * VALUE


def main(size: int) -> None:
    """Build, have both read, compare."""
    count = size * MIB // VALUE
    limit = min(LIMIT_MAX, size * MIB // 7)
    expected = sum(number % 251 + VALUE for number in range(count))
    most: dict[int, int] = {}
    with TemporaryDirectory() as folder:
        table = eisenmp.SharedTable(entries(count), path=Path(folder) / "large.table")
        # what the build has left in memory belongs to nobody's limit
        descriptor = os.open(table.path, os.O_RDONLY)
        os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
        os.close(descriptor)
        with eisenmp.Mp(f"{__file__}:read", procs_max=2, rows_max=1) as emp:
            emp.broadcast(table=table)
            for pid, total, used in (result.value for result in emp.feed(repeat(limit))):
                if total != expected:
                    raise Wrong(f"{pid} has read {total}, expected {expected}")
                most[pid] = used
                if len(most) == 2:
                    break
        length = os.stat(table.path).st_size
    for pid in most:
        group(f"eisenmp-{pid}")[0].rmdir()
    print(json.dumps({"size": length, "limit": limit, "most": max(most.values())}))


if __name__ == "__main__":
    main(int(sys.argv[1]))
