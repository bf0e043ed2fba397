"""Containers in the slots of a manager, on a small engine of the test."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

import httpx
import pytest

import eisenmp
from eisenmp.cli.failure import Refusal
from eisenmp.cli.serve import _container as container_of
from eisenmp.cli.serve import serve
from tests.containers.fake_engine import FakeEngine
from tests.servers.load import Load, get
from tests.servers.test_serve import served, serving


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


def test_one_that_is_never_healthy_is_given_up(engine: FakeEngine) -> None:
    web = eisenmp.PortGroup("web", ports=[0])
    container = eisenmp.Container("shop", health="/nothing", stop_timeout=0)
    with pytest.raises(eisenmp.SlotFailed, match="it was not ready within ready_timeout = 1 s"):
        with eisenmp.Mp(container, port_groups=[web], lame_duck=0, ready_timeout=1, restarts_max=0) as emp:
            emp.ready(timeout=60)
    assert not engine.containers


def test_what_a_killed_keeper_leaves_is_removed_at_the_end(engine: FakeEngine) -> None:
    web = eisenmp.PortGroup("web", ports=[0])
    container = eisenmp.Container("shop", health="/nothing", stop_timeout=0)
    emp = eisenmp.Mp(container, port_groups=[web], lame_duck=0, restarts_max=0)
    with pytest.raises(eisenmp.SlotFailed, match="was killed by signal 9"):
        with emp:
            emp.dispatcher.wait(lambda: says_why(emp.last_lines("web/0")), 60)
            (left,) = engine.containers.values()
            os.kill(emp.map()[0].pid, signal.SIGKILL)
            emp.join(timeout=60)
    assert engine.removed == [left]


def says_why(lines: list[str]) -> bool:
    return any(line.endswith("is not ready: GET /nothing is answered with 404") for line in lines)


def test_the_slots_with_an_image_that_does_not_exist(engine: FakeEngine) -> None:
    web = eisenmp.PortGroup("web", ports=[0])
    emp = eisenmp.Mp(
        eisenmp.Container("nothing", pull="never"), port_groups=[web], lame_duck=0, restarts_max=0
    )
    with pytest.raises(eisenmp.SlotFailed, match="there is no image 'nothing', and pull is 'never'"):
        with emp:
            emp.ready(timeout=60)


def test_serve_by_a_file_and_by_options(engine: FakeEngine, tmp_path: Path) -> None:
    tmp_path.joinpath("eisenmp.toml").write_text(
        '[serve]\nports = ["web=0"]\nlame-duck = 0\n'
        '[serve.container]\nimage = "shop"\nstop-timeout = 0\nenvironment = {LEVEL = 3}\nmemory = "1G"\n'
    )
    with serving("--container-memory", "64M", folder=tmp_path) as program:
        ((_, place, _),) = served(program, 1)
        (container,) = engine.containers.values()
        assert get(place).startswith(container.number)
        assert "LEVEL=3" in container.request["Env"]
        assert container.request["HostConfig"]["Memory"] == 64 << 20
        program.send_signal(signal.SIGTERM)
        assert program.wait() == 130
    assert not engine.containers


def test_what_options_mean() -> None:
    made = container_of({"container": "shop", "container_port": 80, "container_memory": "64M"})
    assert made is not None
    assert (made.recipe.image, made.recipe.port, made.recipe.memory) == ("shop", 80, 64 << 20)
    assert container_of({}) is None


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"container": {"image": "shop", "ports": 1}}, "got an unexpected keyword argument 'ports'"),
        ({"container": {"image": "shop", "pull": "x"}}, "pull is one of missing, never, always"),
        ({"container": {"port": 1}}, "missing 1 required positional argument: 'image'"),
        ({"container": 7}, "image is the name of one, such as 'shop:2', not 7"),
        ({"container_port": 80}, "which image? Name it with --container"),
    ],
)
def test_what_serve_refuses(options: dict[str, Any], says: str) -> None:
    with pytest.raises((Refusal, eisenmp.SettingsError)) as refused:
        container_of(options)
    assert says in str(refused.value)


def test_an_app_or_containers(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert serve("app:app", container="shop", ports=["web=0"]) == 2
    assert "an app or containers? Both are named: app:app and shop" in capsys.readouterr().err
