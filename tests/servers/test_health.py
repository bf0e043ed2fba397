"""Health checks: who fails them gets no connections, who has not passed one yet is waited for."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest

import eisenmp
from eisenmp.manager.events import WorkerDied
from tests.servers.load import get

APPS = Path(__file__).with_name("apps.py")
OFTEN = {"lame_duck": 0, "health_interval": 0.05}


@pytest.fixture
def flag(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "flag"
    path.write_text("good")
    monkeypatch.setenv("FLAG", str(path))
    return path


def wait_for(emp: eisenmp.Mp, *states: str) -> None:
    assert emp.dispatcher.wait(lambda: [slot.state for slot in emp.map()] == list(states), 60)


def test_by_the_path_of_a_page() -> None:
    web = eisenmp.PortGroup("web", port=0, slots=2, steer="random")
    site = eisenmp.Site(f"{APPS}:Moody")
    with eisenmp.Mp(site, port_groups=[web], health="/healthz", **OFTEN) as emp:
        emp.ready(timeout=60)
        before = emp.map()
        place = before[0].listens[0]
        with httpx.Client(base_url=f"http://{place}", timeout=20, trust_env=False, verify=False) as client:
            sick = int(client.get("/sick").text.split()[0])
            number = [slot.pid for slot in before].index(sick)
            wait_for(emp, *("unhealthy" if slot.pid == sick else "serving" for slot in before))
            assert {int(get(place).split()[0]) for _ in range(20)} == {before[1 - number].pid}
            # connections that are there are served on
            assert int(client.get("/well").text.split()[0]) == sick
            wait_for(emp, "serving", "serving")
        assert {int(get(place).split()[0]) for _ in range(40)} == {slot.pid for slot in before}
        assert [slot.restarts for slot in emp.map()] == [0, 0]


def test_by_a_connection_that_is_taken(flag: Path) -> None:
    died: list[WorkerDied] = []
    flag.write_text("deaf")
    web = eisenmp.PortGroup("web", ports=[0])
    often = {**OFTEN, "health_timeout": 0.1, "health_failures_max": 1}
    with eisenmp.Mp(f"{APPS}:accepts_by_flag", port_groups=[web], health="tcp", **often) as emp:
        emp.on(WorkerDied, died.append)
        # it fails more checks than make a server unhealthy, and nobody kills it
        assert emp.dispatcher.wait(lambda: emp.map()[0].state == "ready", 60)
        with pytest.raises(TimeoutError, match=r"^not ready within 0\.5 s: web/0 is ready$"):
            emp.ready(timeout=0.5)
        pid = emp.map()[0].pid
        flag.write_text("good")
        emp.ready(timeout=60)
        flag.write_text("deaf")
        wait_for(emp, "unhealthy")
        flag.write_text("good")
        wait_for(emp, "serving")
        assert emp.map()[0].pid == pid
    assert died == []


def test_by_a_function(flag: Path) -> None:
    web = eisenmp.PortGroup("web", ports=[0])
    with eisenmp.Mp(f"{APPS}:line", port_groups=[web], health=f"{APPS}:is_well", **OFTEN) as emp:
        emp.ready(timeout=60)
        for mood in ("bad", "good", "broken", "good"):
            flag.write_text(mood)
            wait_for(emp, "serving" if mood == "good" else "unhealthy")


@pytest.mark.parametrize("health", ["healthz", "/a page", 3, ""])
def test_what_is_no_check_is_refused(health: object) -> None:
    with pytest.raises(eisenmp.SettingsError, match="health must be 'tcp', a path such as '/healthz'"):
        eisenmp.Mp(f"{APPS}:line", port_groups=[eisenmp.PortGroup("web", ports=[0])], health=health)
