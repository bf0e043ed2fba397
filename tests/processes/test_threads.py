"""BLAS and OpenMP have their share of the cores in every worker, whoever imports them and when."""

from __future__ import annotations

from pathlib import Path

import pytest

import eisenmp

WORKER = """
import numpy
import threadpoolctl
import eisenmp

@eisenmp.worker
def pools(toolbox, rows):
    numpy.ones((4, 4)) @ numpy.ones((4, 4))
    return [(pool["user_api"], pool["num_threads"]) for pool in threadpoolctl.threadpool_info()]
"""


@pytest.mark.parametrize("threads_max", [1, 2])
def test_linear_algebra_has_as_many_threads_as_it_may(
    tmp_path: Path, threads_max: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "threads_worker.py").write_text(WORKER)
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    worker = f"{tmp_path}/threads_worker.py:pools"
    with eisenmp.Mp(worker, procs_max=1, threads_max=threads_max) as emp:
        ((_, pools),) = emp.feed([0])
    assert "blas" in {api for api, _ in pools}
    assert {number for _, number in pools} == {threads_max}


@pytest.mark.parametrize("procs", [1, 2])
def test_the_cores_are_shared_out_among_the_workers(
    tmp_path: Path, procs: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "threads_worker.py").write_text(WORKER)
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "EISENMP_THREADS_MAX"):
        monkeypatch.delenv(name, raising=False)
    with eisenmp.Mp(f"{tmp_path}/threads_worker.py:pools", procs_max=procs, rows_max=1) as emp:
        found = [pools for _, pools in emp.feed(range(2))]
    share = max(1, eisenmp.usable_cpus() // procs)
    assert {number for pools in found for _, number in pools} == {share}
