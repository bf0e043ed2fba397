"""Many workers at once: all start, each does a chunk, all stop, nothing is left."""

from __future__ import annotations

import resource
import subprocess
import sys
from pathlib import Path

import pytest

from eisenmp.wire import descriptors

SOFT = 256  # descriptors; a crowd takes four times as many as it has workers

PROGRAM = f"""
import os, resource
import eisenmp

resource.setrlimit(resource.RLIMIT_NOFILE, ({SOFT}, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
WORKERS = 256
seen = set()

def rows():
    while len(seen) < WORKERS:
        yield 0

with eisenmp.Mp("crowd_worker.py:answer", procs_max=WORKERS, rows_max=1, start_method="forkserver") as emp:
    for _, pid in emp.feed(rows()):
        seen.add(pid)
print(len(seen), len(os.listdir("/proc/self/fd")) < 32)
try:
    os.waitpid(-1, os.WNOHANG)
except ChildProcessError:
    print("alone")
for pid in seen:
    assert not os.path.exists(f"/proc/{{pid}}"), pid
"""

WORKER = """
import os, time
import eisenmp

@eisenmp.worker
def answer(toolbox, rows):
    time.sleep(0.005)  # lest one does the work of all
    return os.getpid()
"""


def test_256_workers_start_work_and_stop(tmp_path: Path) -> None:
    (tmp_path / "crowd_worker.py").write_text(WORKER)
    (tmp_path / "crowd.py").write_text(PROGRAM)
    done = subprocess.run(
        [sys.executable, "crowd.py"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.split("\n")[:2] == ["256 True", "alone"]


@pytest.fixture
def limits() -> object:
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    yield before
    resource.setrlimit(resource.RLIMIT_NOFILE, before)


def test_the_limit_rises_as_far_as_it_is_needed_and_no_further(limits: tuple[int, int]) -> None:
    hard = limits[1]
    low = descriptors.SPARE
    resource.setrlimit(resource.RLIMIT_NOFILE, (low, hard))
    descriptors.make_room(descriptors.FEW)
    assert resource.getrlimit(resource.RLIMIT_NOFILE) == (low, hard)
    descriptors.make_room(40)
    raised = low + 40 * descriptors.EACH
    assert resource.getrlimit(resource.RLIMIT_NOFILE) == (raised, hard)
    descriptors.make_room(30)
    assert resource.getrlimit(resource.RLIMIT_NOFILE) == (raised, hard)
    if hard != resource.RLIM_INFINITY:
        descriptors.make_room(hard)
        assert resource.getrlimit(resource.RLIMIT_NOFILE) == (hard, hard)
        descriptors.make_room(2 * hard)
