"""Tools are pickled once and lie once in memory, whoever reads them, and go with their manager."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import numpy as np
import pytest

import eisenmp

METHODS = ["spawn", "forkserver", "inline", "portable"]

WORKERS = """
import os
import eisenmp

@eisenmp.worker
def look(toolbox, rows):
    tools = toolbox.tools
    array, blob, words = tools["array"], tools["blob"], tools["words"]
    return (os.getpid(), float(array[rows[0]]), array.flags.writeable, type(blob).__name__, blob[5],
            "a" in words, "b" in words, tools["nested"]["part"].shape, tools["small"])

@eisenmp.worker
def write(toolbox, rows):
    toolbox.tools["array"][0] = 1

@eisenmp.worker
def shared(toolbox, rows):
    toolbox.tools["array"][0]
    with open("/proc/self/smaps") as maps:
        return os.getpid(), "memfd:eisenmp" in maps.read()

def mate(toolbox):
    toolbox.mate_saw = float(toolbox.tools["array"][1])

@eisenmp.worker
def told(toolbox, rows):
    return toolbox.mate_saw

def from_queue(toolbox):
    if not hasattr(toolbox, "tool"):
        toolbox.tool = toolbox.mp_tools_q.get()
    chunk = toolbox.next_chunk()
    if chunk is None:
        return False
    toolbox.send((os.getpid(), toolbox.tool.text, int(toolbox.tool.array[7]), toolbox.tool.array.flags.writeable))
    return True
"""


@pytest.fixture
def workers(tmp_path: Path) -> str:
    path = tmp_path / "tool_workers.py"
    path.write_text(WORKERS)
    return str(path)


def manager(
    module: str, method: str, monkeypatch: pytest.MonkeyPatch, *more: str, **settings: object
) -> eisenmp.Mp:
    if method == "portable":
        monkeypatch.setenv("EISENMP_PORTABLE", "1")
    elif method == "inline":
        settings["engine"] = "inline"
    else:
        settings["start_method"] = method
    return eisenmp.Mp(module, *more, procs_max=2, rows_max=1, **settings)  # type: ignore[arg-type]


@pytest.mark.parametrize("method", METHODS)
def test_all_kinds_of_tools(workers: str, method: str, monkeypatch: pytest.MonkeyPatch) -> None:
    array = np.arange(100_000, dtype=float)
    with manager(f"{workers}:look", method, monkeypatch) as emp:
        emp.broadcast(
            array=array, blob=bytes(range(256)) * 1000, words=eisenmp.SharedTable({"a"}),
            nested={"part": array.reshape(-1, 10)}, small=b"small",
        )  # fmt: skip
        array[:] = 0  # the workers have what it was
        values = [result.value for result in emp.feed(range(8)).in_order()]
        assert [value[1] for value in values] == [0, 1, 2, 3, 4, 5, 6, 7]
        assert {value[2:] for value in values} == {
            (False, "memoryview", 5, True, False, (10_000, 10), b"small")
        }
        emp.broadcast(array=array + 5)
        assert {result.value[1] for result in emp.feed(range(8))} == {5.0}
        emp.resize(3)
        assert {result.value[1] for result in emp.feed(range(8))} == {5.0}


@pytest.mark.parametrize("method", ["spawn", "forkserver"])
def test_a_mate_finds_a_tool_before_anything_else_was_read(
    workers: str, method: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    emp = manager(f"{workers}:told", method, monkeypatch, f"{workers}:mate")
    emp.broadcast(array=np.arange(100_000))
    with emp:
        assert [result.value for result in emp.feed(range(2))] == [1.0, 1.0]


def test_the_array_is_mapped_and_its_memory_goes_with_the_manager(
    workers: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def regions() -> int:
        return sum(
            "memfd:eisenmp" in os.readlink(f"/proc/self/fd/{fd}")
            for fd in map(int, os.listdir("/proc/self/fd"))
            if os.path.exists(f"/proc/self/fd/{fd}")
        )

    with manager(f"{workers}:shared", "spawn", monkeypatch) as emp:
        emp.broadcast(array=np.arange(100_000))
        emp.broadcast(array=np.arange(200_000))
        values = [result.value for result in emp.feed(range(8))]
        assert all(mapped for _, mapped in values)
        assert os.getpid() not in {pid for pid, _ in values}
    assert regions() == 0


@pytest.mark.parametrize("method", METHODS)
def test_who_writes_to_a_tool_is_told_which(
    workers: str, method: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with manager(f"{workers}:write", method, monkeypatch) as emp:
        emp.broadcast(array=np.arange(100_000))
        with pytest.raises(eisenmp.WorkerFailed, match="read-only") as caught:
            list(emp.feed(range(2)))
    error = caught.value.__cause__
    assert (
        error is not None
        and "The tools 'array' are shared by all workers and read-only" in error.__notes__[0]
    )


def test_a_tool_that_cannot_be_pickled_is_named() -> None:
    emp = eisenmp.Mp("nothing:here")
    with pytest.raises(eisenmp.SettingsError, match=r"tool 'table'\['lock'\] cannot be pickled"):
        emp.broadcast(table={"lock": threading.Lock(), "array": np.arange(100_000)})


def test_when_memory_is_short_the_tool_is_named(workers: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def short(*arguments: object) -> int:
        raise OSError(28, "No space left on device")

    with manager(f"{workers}:shared", "spawn", monkeypatch) as emp:
        monkeypatch.setattr(os, "pwrite", short)
        with pytest.raises(eisenmp.EisenmpError, match="tool 'array' has 800000 bytes .* memory is short"):
            emp.broadcast(array=np.arange(100_000))


class Counted:
    pickled = 0

    def __init__(self, text: str) -> None:
        self.text, self.array = text, np.arange(100_000)

    def __reduce__(self) -> tuple[object, ...]:
        Counted.pickled += 1
        return _counted, (self.text, self.array)


def _counted(text: str, array: object) -> object:
    from types import SimpleNamespace

    return SimpleNamespace(text=text, array=array)


@pytest.mark.parametrize("method", ["spawn", "inline"])
def test_what_is_put_once_per_worker_is_pickled_once(
    workers: str, method: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", os.getcwd())
    tool = Counted("one")
    Counted.pickled = 0
    with manager(f"{workers}:from_queue", method, monkeypatch) as emp:
        for _ in range(2):
            emp.mp_tools_q.put(tool)
        values = {result.value for result in emp.feed(range(20))}
        assert Counted.pickled == 1
        assert {value[1:] for value in values} == {("one", 7, False)}


def test_an_object_that_has_changed_between_two_puts_is_pickled_again() -> None:
    emp = eisenmp.Mp("nothing:here")
    tools: list[object] = []
    array = np.zeros(100_000)
    counted = Counted("one")
    for number in range(2):
        tools.append(number)
        array[5] = number
        counted.text = str(number)
        for tool in (tools, array, counted):
            waiting = emp.dispatcher.ledger.queues[emp.mp_tools_q._entry.number].waiting
            emp.mp_tools_q.put(tool)
            got = emp.mp_tools_q.get()
            assert not waiting
            if tool is tools:
                assert got == list(range(number + 1))
            elif tool is array:
                assert got[5] == number
            else:
                assert got.text == str(number)
    emp.stop()
