"""The disk with the ledger fills up: the job ends and says so, what was recorded stays, and it can go on."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from .small_disk import TICKETS

ROOT = Path(__file__).parents[2]
#: a place to mount in: root needs one of its own, others need to be root there
APART = ["unshare", "-m"] if os.geteuid() == 0 else ["unshare", "-rm"]


def test_a_full_disk_loses_nothing(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    run = subprocess.run(
        [*APART, sys.executable, "-m", "tests.resume.small_disk", str(disk)],
        cwd=ROOT, capture_output=True, text=True,
    )  # fmt: skip
    assert run.returncode == 0, run.stderr
    first, second, done, end = run.stdout.splitlines()
    full = f"{disk}/job.db: the disk is full. What was recorded before is intact: make room, and go on with resume=True"
    assert first.startswith(full)
    assert str(disk / "job.db") in second
    assert 0 < int(done) < TICKETS
    assert end == "complete"
