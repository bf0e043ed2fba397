"""A system without /dev/shm and POSIX semaphores, as AWS Lambda and Android are: the job runs as usual."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAMS = Path(__file__).with_name("programs")


@pytest.mark.parametrize("method", ["spawn", "forkserver", "portable"])
def test_a_job_without_shared_memory_and_semaphores(method: str, tmp_path: Path) -> None:
    device_folder, folder = tmp_path / "dev", tmp_path / "work"
    device_folder.mkdir()
    folder.mkdir()
    environment = {**os.environ, "EISENMP_PORTABLE": "1" if method == "portable" else "0"}
    run = subprocess.run(
        # root of a namespace of its own, whoever runs the tests
        ["unshare", "-rm", "sh", PROGRAMS / "bare_dev.sh", device_folder, sys.executable, "-W", "error",
         PROGRAMS / "without_shm.py", "spawn" if method == "portable" else method, folder],
        env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=100, check=False,
    )  # fmt: skip
    assert run.returncode == 0, run.stderr
    there, semaphore, memory, values, word = json.loads(run.stdout.splitlines()[-1])
    # else this says nothing
    assert not there
    assert semaphore and memory
    assert values == [3_000_000 + row for row in range(200)]
    assert word == "through a queue"
    assert (folder / "mark").exists()
