"""Containers in the slots of a manager, on a small engine of the test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

import eisenmp
from tests.containers.fake_engine import FakeEngine, Faults
from tests.servers.load import Load, get


@pytest.fixture
def faults() -> Faults:
    return Faults()


@pytest.fixture
def engine(tmp_path: Path, faults: Faults, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeEngine]:
    with FakeEngine(tmp_path, faults) as engine:
        monkeypatch.setenv("DOCKER_HOST", engine.place)
        yield engine


def answer_of_another(place: str, number: str) -> str:
    """Asks until another container than this one answers."""
    while True:
        try:
            answer = get(place)
        except httpx.TransportError:
            continue  # its keeper has not heard yet that it has ended
        if not answer.startswith(number):
            return answer


def test_a_reload_loses_no_request(engine: FakeEngine) -> None:
    web = eisenmp.PortGroup("web", ports=[0, 0])
    container = eisenmp.Container("shop", stop_timeout=0)
    with eisenmp.Mp(container, port_groups=[web], lame_duck=0.3, health="/", health_interval=0.1) as emp:
        emp.ready(timeout=60)
        before, pids = set(engine.containers), [slot.pid for slot in emp.map()]
        places = [place for slot in emp.map() for place in slot.listens]
        with Load(places, kept=4, fresh=2) as load:
            assert emp.reload(timeout=60) == ["web/0", "web/1"]
        assert load.errors == []
        after = set(engine.containers)
        assert len(after) == 2 and not after & before
        assert set(load.answers) <= before | after
        assert set(load.answers) & after
        assert not set(pids) & {slot.pid for slot in emp.map()}
        assert [slot.restarts for slot in emp.map()] == [0, 0]
        assert "/" in emp.last_lines("web/0")
    assert not engine.containers
    assert len(engine.removed) == 4


def test_a_container_that_dies_is_replaced_and_its_port_waits(engine: FakeEngine) -> None:
    web = eisenmp.PortGroup("web", ports=[0])
    with eisenmp.Mp(eisenmp.Container("shop", stop_timeout=0), port_groups=[web], lame_duck=0) as emp:
        died: list[eisenmp.events.WorkerDied] = []
        emp.on(eisenmp.events.WorkerDied, died.append)
        emp.ready(timeout=60)
        (first,) = engine.containers.values()
        (place,) = emp.map()[0].listens
        first.end(137)
        assert answer_of_another(place, first.number)
        emp.ready(timeout=60)
        assert emp.map()[0].restarts == 1
        assert emp.map()[0].listens == (place,)
    assert "container 000000000000 of shop for web/0" in died[0].cause
    assert "ended with exit code 137 (SIGKILL)" in died[0].cause
    assert not engine.containers


def test_one_that_is_never_healthy_is_given_up_and_removed(engine: FakeEngine) -> None:
    web = eisenmp.PortGroup("web", ports=[0])
    container = eisenmp.Container("shop", health="/nothing", stop_timeout=0)
    emp = eisenmp.Mp(container, port_groups=[web], lame_duck=0, ready_timeout=2, restarts_max=0)
    with pytest.raises(eisenmp.SlotFailed, match="was not ready within ready_timeout = 2 s"):
        with emp:
            with pytest.raises(eisenmp.SlotFailed):
                emp.ready(timeout=60)
            assert any(
                "is not ready: GET /nothing is answered with 404" in line for line in emp.last_lines("web/0")
            )
    # its keeper was killed; the manager has removed it at its end
    assert not engine.containers
    assert len(engine.removed) == 1


def test_the_slots_with_an_image_that_does_not_exist(engine: FakeEngine) -> None:
    web = eisenmp.PortGroup("web", ports=[0])
    emp = eisenmp.Mp(
        eisenmp.Container("nothing", pull="never"), port_groups=[web], lame_duck=0, restarts_max=0
    )
    with pytest.raises(eisenmp.SlotFailed, match="there is no image 'nothing', and pull is 'never'"):
        with emp:
            emp.ready(timeout=60)
