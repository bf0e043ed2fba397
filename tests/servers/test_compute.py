"""Servers and workers of one manager: a page asks a queue that workers answer."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

import eisenmp
from eisenmp.manager.events import WorkerReady
from eisenmp.testing import eventually
from tests.servers.load import get

APPS = Path(__file__).with_name("apps.py")


@pytest.fixture(params=["spawn", "forkserver"])
def emp(request: pytest.FixtureRequest) -> Iterator[eisenmp.Mp]:
    """Two servers, numbers 0 and 1, and two workers."""
    web = eisenmp.PortGroup("web", ports=[0, 0, 0], slots=2)
    manager = eisenmp.Mp(
        eisenmp.Site(f"{APPS}:make_asking", factory=True), port_groups=[web], lame_duck=0,
        compute=f"{APPS}:answer", procs_max=2, start_method=request.param,
    )  # fmt: skip
    for name in ("requests", "answers 0", "answers 1"):
        manager.queue(name, maxsize=100)
    with manager:
        manager.ready(timeout=60)
        yield manager


def ask_all(emp: eisenmp.Mp) -> set[int]:
    """Forty pages at once; the processes that made them."""
    places = [slot.listens[0] for slot in emp.map()] * 20
    texts = [f"page{number}" for number in range(len(places))]
    with ThreadPoolExecutor(8) as threads:
        pages = list(threads.map(lambda place, text: get(place, f"/{text}"), places, texts))
    assert [page.split()[1] for page in pages] == [text[::-1] for text in texts]
    return {int(page.split()[0]) for page in pages}


def test_pages_are_made_by_workers_beside_the_servers(emp: eisenmp.Mp) -> None:
    assert [slot.name for slot in emp.map()] == ["web/0", "web/1"], "workers are no servers"
    makers = ask_all(emp)
    assert makers.isdisjoint({slot.pid for slot in emp.map()} | {os.getpid()})
    assert len(emp.proc_list) == 4
    assert makers <= {process.pid for process in emp.proc_list}


def test_either_kind_may_die_and_be_replaced(emp: eisenmp.Mp) -> None:
    ready: list[WorkerReady] = []
    emp.on(WorkerReady, ready.append)
    (maker, *_) = ask_all(emp)
    os.kill(maker, signal.SIGKILL)
    server = emp.map()[0].pid
    os.kill(server, signal.SIGKILL)
    eventually(lambda: {event.slot for event in ready} & {2, 3} and emp.map()[0].pid not in (0, server), 60)
    emp.ready(timeout=60)
    assert maker not in ask_all(emp)


def test_the_servers_are_reloaded_and_more_are_added(emp: eisenmp.Mp) -> None:
    emp.queue("answers 4", maxsize=100)
    makers = {process.pid for process in emp.proc_list[2:]}
    before = {slot.pid for slot in emp.map()}
    assert emp.reload("web") == ["web/0", "web/1"]
    assert before.isdisjoint({slot.pid for slot in emp.map()})
    emp.scale("web", 3)
    emp.ready(timeout=60)
    assert [(slot.name, slot.number) for slot in emp.map()] == [("web/0", 0), ("web/1", 1), ("web/2", 4)]
    assert ask_all(emp) <= makers


def test_rows_are_fed_to_the_workers_and_not_to_the_servers() -> None:
    web = eisenmp.PortGroup("web", ports=[0])
    with eisenmp.Mp(
        f"{APPS}:line", port_groups=[web], lame_duck=0, compute=f"{APPS}:square", procs_max=2, rows_max=10
    ) as emp:
        emp.ready(timeout=60)
        values = [value for result in emp.feed(range(100)).in_order() for value in result.value]
        assert values == [number * number for number in range(100)]
        emp.resize(3)
        assert sorted(result.value[0] for result in emp.feed(range(30))) == [0, 100, 400]
        emp.resize(1)
        eventually(lambda: sum(process.is_alive() for process in emp.proc_list) == 2, 60)
        assert [slot.state for slot in emp.map()] == ["serving"]
        assert next(iter(emp.feed([7]))).value == [49]


def test_servers_alone_are_not_resized() -> None:
    web = eisenmp.PortGroup("web", ports=[0])
    with eisenmp.Mp(f"{APPS}:line", port_groups=[web], lame_duck=0) as emp:
        emp.ready(timeout=60)
        with pytest.raises(eisenmp.EisenmpError, match="scale"):
            emp.resize(2)


def test_workers_beside_servers_take_servers() -> None:
    with pytest.raises(eisenmp.SettingsError, match="without port_groups give it to Mp"):
        eisenmp.Mp(f"{APPS}:square", compute=f"{APPS}:square").start()
    with pytest.raises(eisenmp.SettingsError, match="compute"):
        eisenmp.Mp(f"{APPS}:line", compute=7)


def test_a_server_of_ones_own_has_a_current_toolbox_too() -> None:
    emp = eisenmp.Mp(f"{APPS}:knows", port_groups=[eisenmp.PortGroup("web", ports=[0])], lame_duck=0)
    found = emp.queue("found")
    with emp:
        assert found.get(timeout=60) is True


def test_there_is_no_current_toolbox_without_a_server() -> None:
    with pytest.raises(eisenmp.EisenmpError, match="no server of a port group"):
        eisenmp.current_toolbox()
