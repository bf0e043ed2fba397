"""A worker leaves: what its generator and its threads have begun comes to its end."""

from __future__ import annotations

from pathlib import Path

import pytest

import eisenmp

WORKER = """
import threading
import eisenmp

def prefetched(count):
    ends = threading.Event()
    reader = threading.Thread(target=ends.wait)
    reader.start()  # the interpreter would wait for it
    try:
        yield from range(count)
    finally:
        ends.set()
        reader.join()
        print("closed")

@eisenmp.worker
def total(toolbox, rows):
    return sum(rows)

def mate(toolbox):
    def take():
        while (chunk := toolbox.next_chunk()) is not None:
            toolbox.mp_info_q.put(sum(chunk.rows))
    threading.Thread(target=take).start()
"""


@pytest.fixture
def file(tmp_path: Path) -> str:
    (tmp_path / "leaving_worker.py").write_text(WORKER)
    return f"{tmp_path}/leaving_worker.py"


@pytest.mark.parametrize("method", ["spawn", "forkserver"])
def test_a_generator_with_a_thread_of_its_own_is_closed(
    file: str, method: str, capfd: pytest.CaptureFixture[str]
) -> None:
    with eisenmp.Mp(f"{file}:total", procs_max=1, rows_max=10, start_method=method) as emp:
        feed = emp.feed(eisenmp.replicate(f"{file}:prefetched", 100))
        assert sum(value for _, value in feed) == sum(range(100))
        feed = emp.feed(eisenmp.replicate(f"{file}:prefetched", 1000))
        next(iter(feed))
        emp.cancel(feed)
        emp.join()
    assert capfd.readouterr().out.count("closed") >= 1


def test_a_thread_goes_on_with_rows_of_a_generator_while_the_worker_leaves(file: str) -> None:
    with eisenmp.Mp(f"{file}:total", f"{file}:mate", procs_max=2, rows_max=10) as emp:
        feed = emp.feed(eisenmp.replicate("itertools:count", 0))
        results = iter(feed)
        for _ in range(20):
            next(results)
        del results
        emp.join()
    assert feed.is_over
