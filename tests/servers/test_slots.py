"""Port groups with real servers: where each slot listens and runs, what its death leaves, what is refused."""

from __future__ import annotations

import os
import signal
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import eisenmp
from eisenmp.manager.events import Event, SlotServing, WorkerDied
from tests.servers import apps
from tests.servers.load import get

APPS = Path(__file__).with_name("apps.py")
CORES = sorted(os.sched_getaffinity(0))


def site(app: str, **keywords: Any) -> eisenmp.Site:
    return eisenmp.Site(f"{APPS}:{app}", **keywords)


def ask(place: str) -> list[str]:
    """The words of the line that `apps.line` writes: pid, cores, slot, port."""
    host, _, port = place.rpartition(":")
    with socket.create_connection((host.strip("[]"), int(port)), timeout=20) as connection:
        return connection.makefile().readline().split()


def test_two_groups_of_three_slots() -> None:
    blue = eisenmp.PortGroup("blue", ports=[0, 0, 0], cores=CORES[:1], adapter="lo")
    yellow = eisenmp.PortGroup("yellow", ports=[0, 0, 0], cores=CORES[-1:])
    with eisenmp.Mp(f"{APPS}:line", port_groups=[blue, yellow], lame_duck=0) as emp:
        emp.ready(timeout=60)
        slots = emp.map()
        assert [slot.name for slot in slots] == [
            *(f"blue/{n}" for n in range(3)),
            *(f"yellow/{n}" for n in range(3)),
        ]
        assert len({slot.pid for slot in slots}) == 6
        for slot in slots:
            core = CORES[0] if slot.group == "blue" else CORES[-1]
            assert slot.cores == (core,)
            assert slot.listens
            for place in slot.listens:
                assert ask(place) == [str(slot.pid), str(core), str(slot.number), place.rpartition(":")[2]]
        assert all(slot.state == "serving" for slot in slots)
    with pytest.raises(OSError):
        ask(slots[0].listens[0])


def test_several_servers_in_each_process() -> None:
    many = eisenmp.PortGroup("many", ports=[0] * 4, servers_per_slot=2)
    with eisenmp.Mp(f"{APPS}:line", port_groups=[many], lame_duck=0) as emp:
        emp.ready(timeout=60)
        assert [len(slot.listens) for slot in emp.map()] == [2, 2]
        answers = {place: ask(place) for slot in emp.map() for place in slot.listens}
    assert len(answers) == 4
    assert len({answer[0] for answer in answers.values()}) == 2
    assert all(answer[3] == place.rpartition(":")[2] for place, answer in answers.items())


def test_the_port_of_a_killed_worker_waits_and_answers_again() -> None:
    died: list[WorkerDied] = []
    group = eisenmp.PortGroup("web", ports=[0, 0])
    with eisenmp.Mp(f"{APPS}:line", port_groups=[group], lame_duck=0) as emp:
        emp.on(WorkerDied, died.append)
        emp.ready(timeout=60)
        first, other = emp.map()
        os.kill(first.pid, signal.SIGKILL)
        # it is asked while nobody is there: the connection waits in the manager's socket
        answer = ask(first.listens[0])
        assert int(answer[0]) != first.pid
        assert answer[2:] == [str(first.number), first.listens[0].rpartition(":")[2]]
        emp.ready(timeout=60)
        again, same = emp.map()
        assert (again.pid, again.listens, again.restarts) == (int(answer[0]), first.listens, 1)
        assert same == other
    assert [(event.pid, event.exitcode) for event in died] == [(first.pid, -signal.SIGKILL)]


def test_one_port_for_several_slots() -> None:
    web = eisenmp.PortGroup("web", port=0, slots=3, steer="random")
    with eisenmp.Mp(f"{APPS}:line", port_groups=[web], lame_duck=0) as emp:
        emp.ready(timeout=60)
        (place,) = {place for slot in emp.map() for place in slot.listens}
        pids = {slot.pid for slot in emp.map()}
        assert {int(ask(place)[0]) for _ in range(60)} == pids
        # out of the rotation and stopped: the others take all
        emp.drain("web/1", timeout=60)
        left = emp.map()
        assert [slot.state for slot in left] == ["serving", "stopped", "serving"]
        assert {int(ask(place)[0]) for _ in range(30)} == {left[0].pid, left[2].pid}
        emp.scale("web", 4, timeout=60)
        assert len({int(ask(place)[0]) for _ in range(80)}) == 4
        emp.scale("web", 1, timeout=60)
        assert {ask(place)[2] for _ in range(10)} == {"0"}


def test_the_share_of_a_canary() -> None:
    web = eisenmp.PortGroup("web", port=0, slots=2, steer="random")
    with eisenmp.Mp(f"{APPS}:line", port_groups=[web], lame_duck=0) as emp:
        emp.ready(timeout=60)
        before = [slot.pid for slot in emp.map()]
        assert emp.reload("web", canary=0.1, timeout=60) == ["web/1"]
        after = emp.map()
        assert after[0].pid == before[0]
        assert after[1].pid != before[1]
        answers = [int(ask(after[0].listens[0])[0]) for _ in range(400)]
        assert 15 <= answers.count(after[1].pid) <= 75, "40 of 400 are expected; 6 standard deviations"
        assert emp.reload("web", timeout=60) == ["web/0", "web/1"]
        answers = [int(ask(after[0].listens[0])[0]) for _ in range(100)]
        assert min(answers.count(slot.pid) for slot in emp.map()) >= 20


@pytest.mark.parametrize("steer", ["hash", "client-ip", "cpu"])
def test_connections_are_steered(steer: str) -> None:
    web = eisenmp.PortGroup("web", port=0, slots=2, steer=steer, cores=CORES, address="0.0.0.0")
    with eisenmp.Mp(f"{APPS}:line", port_groups=[web], lame_duck=0) as emp:
        emp.ready(timeout=60)
        port = emp.map()[0].listens[0].rpartition(":")[2]
        slots: dict[str, set[str]] = {}
        for number in range(40):
            source = f"127.0.1.{number % 10 + 1}"
            with socket.create_connection(("127.0.0.1", int(port)), 20, (source, 0)) as connection:
                slots.setdefault(source, set()).add(connection.makefile().readline().split()[2])
    assert set().union(*slots.values()) <= {"0", "1"}
    if steer == "client-ip":
        assert all(len(seen) == 1 for seen in slots.values())
        assert len(set().union(*slots.values())) == 2
    if steer == "hash":
        assert any(len(seen) == 2 for seen in slots.values())


@pytest.mark.parametrize(
    ("app", "keywords", "cause"),
    [
        ("returns", {"server": "function"}, "it returned without having been told to stop"),
        ("raises", {"server": "function"}, "it raised OSError: no database"),
        ("no_lifespan", {}, "the lifespan of the application did not start"),
        ("wsgi", {"factory": True}, "wsgi() raised TypeError"),
        ("whoami", {}, "neither ASGI nor WSGI"),
        ("missing", {}, "there is no 'missing' in it"),
    ],
)
def test_a_server_that_cannot_start_is_given_up(app: str, keywords: dict[str, Any], cause: str) -> None:
    group = eisenmp.PortGroup("web", ports=[0])
    with pytest.raises(eisenmp.SlotFailed) as failed:
        with eisenmp.Mp(site(app, **keywords), port_groups=[group], restarts_max=0) as emp:
            emp.ready(timeout=60)
            # a function counts as ready when it is called, so this one may have served for a moment
            emp.join(timeout=60)
    assert str(failed.value).startswith("web/0 was given up: ")
    assert cause in str(failed.value)


def test_the_others_go_on_when_one_gives_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    groups = [eisenmp.PortGroup("good", ports=[0]), eisenmp.PortGroup("also", ports=[0])]
    emp = eisenmp.Mp(f"{APPS}:line", port_groups=groups, restarts_max=0, lame_duck=0)
    with pytest.raises(eisenmp.SlotFailed, match=r"^also/0 was given up: process \d+ was killed by signal 9"):
        with emp:
            emp.ready(timeout=60)
            good, also = emp.map()
            os.kill(also.pid, signal.SIGKILL)
            emp.dispatcher.wait(lambda: emp.map()[1].state == "failed", 60)
            assert ask(good.listens[0])[0] == str(good.pid)
            # a reload tries it again
            assert emp.reload("also", timeout=60) == ["also/0"]
            assert int(ask(also.listens[0])[0]) not in (0, also.pid)
            os.kill(emp.map()[1].pid, signal.SIGKILL)
            emp.dispatcher.wait(lambda: emp.map()[1].state == "failed", 60)


def test_a_port_in_use_is_named(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        for group in (eisenmp.PortGroup("web", ports=[port]), eisenmp.PortGroup("web", port=port, slots=2)):
            with pytest.raises(eisenmp.PortInUse) as refused:
                eisenmp.Mp(f"{APPS}:line", port_groups=[group]).start()
            assert f"group 'web': 127.0.0.1 port {port} is in use" in str(refused.value)
            assert f"process {os.getpid()}" in str(refused.value)


def test_what_is_wrong_is_said_before_any_process_starts() -> None:
    def refused(error: type[Exception], text: str, make: Callable[[], Any]) -> None:
        with pytest.raises(error, match=text):
            make().start()

    group = eisenmp.PortGroup("web", ports=[0])
    far = eisenmp.PortGroup("far", ports=[0], adapter="no0")
    refused(
        eisenmp.SettingsError, "no network adapter 'no0'", lambda: eisenmp.Mp(site("wsgi"), port_groups=[far])
    )
    away = eisenmp.PortGroup("away", ports=[0], address="192.0.2.1")
    refused(
        eisenmp.SettingsError, "192.0.2.1 is no address", lambda: eisenmp.Mp(site("wsgi"), port_groups=[away])
    )
    refused(eisenmp.EisenmpError, "a Site needs port_groups", lambda: eisenmp.Mp(site("wsgi")))
    refused(
        eisenmp.SettingsError,
        "InlineEngine has none",
        lambda: eisenmp.Mp(site("wsgi"), engine="inline", port_groups=[group]),
    )
    with pytest.raises(eisenmp.SettingsError, match="server must be one of"):
        eisenmp.Site("app:app", server="apache")


def test_a_start_that_fails_keeps_the_old_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    flag = tmp_path / "flag"
    flag.write_text("good")
    monkeypatch.setenv("FLAG", str(flag))
    web = eisenmp.PortGroup("web", ports=[0, 0])
    with eisenmp.Mp(site("by_flag", factory=True), port_groups=[web], lame_duck=0) as emp:
        emp.ready(timeout=60)
        before = emp.map()
        flag.write_text("bad")
        with pytest.raises(eisenmp.SlotFailed, match="web/0: .*RuntimeError: the new version is broken"):
            emp.reload(timeout=60)
        assert emp.map() == before
        assert get(before[0].listens[0]).split()[0] == str(before[0].pid)
        flag.write_text("good")
        assert emp.reload(timeout=60) == ["web/0", "web/1"]


def test_whoever_is_not_ready_in_time_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    flag = tmp_path / "flag"
    flag.write_text("hang")
    monkeypatch.setenv("FLAG", str(flag))
    web = eisenmp.PortGroup("web", ports=[0])
    emp = eisenmp.Mp(
        site("hangs_by_flag", factory=True), port_groups=[web], restarts_max=0, ready_timeout=0.5
    )
    with pytest.raises(eisenmp.SlotFailed, match="it was not ready within ready_timeout = 0.5 s"):
        with emp:
            emp.ready(timeout=60)


def test_whoever_hears_nothing_is_killed() -> None:
    web = eisenmp.PortGroup("web", ports=[0])
    with eisenmp.Mp(f"{APPS}:deaf", port_groups=[web], lame_duck=0, drain_timeout=0.2, grace=0.1) as emp:
        emp.ready(timeout=60)
        before = emp.map()[0].pid
        emp.reload(timeout=60)
        assert emp.map()[0].pid != before
        with pytest.raises(ProcessLookupError):
            os.kill(before, 0)


def test_a_running_request_ends_before_its_server() -> None:
    import threading

    web = eisenmp.PortGroup("web", ports=[0])
    answers: list[str] = []
    with eisenmp.Mp(site("wsgi"), port_groups=[web], lame_duck=0) as emp:
        emp.ready(timeout=60)
        slot = emp.map()[0]
        asking = threading.Thread(target=lambda: answers.append(get(slot.listens[0], "/slow")))
        asking.start()
        while not _has_connection(slot.pid):
            pass
        emp.reload(timeout=60)
        asking.join()
    assert answers[0].split()[0] == str(slot.pid)


def _has_connection(pid: int) -> bool:
    import psutil

    return any(each.status == psutil.CONN_ESTABLISHED for each in psutil.Process(pid).net_connections("tcp"))


def test_events_say_who_serves() -> None:
    seen: list[Event] = []
    web = eisenmp.PortGroup("web", ports=[0])
    with eisenmp.Mp(f"{APPS}:line", port_groups=[web], lame_duck=0) as emp:
        emp.on(SlotServing, seen.append)
        emp.ready(timeout=60)
        emp.reload(timeout=60)
        slot = emp.map()[0]
    assert seen[-1] == SlotServing(0, "web/0", slot.pid, slot.listens)


def test_what_changes_during_a_reload_is_loaded_after_it() -> None:
    seen: list[SlotServing] = []
    web = eisenmp.PortGroup("web", ports=[0])
    with eisenmp.Mp(f"{APPS}:line", port_groups=[web], lame_duck=0) as emp:
        emp.on(SlotServing, seen.append)
        emp.ready(timeout=60)
        with emp.dispatcher.lock:
            for _ in range(3):
                emp.fleet.reload_all()
        assert emp.dispatcher.wait(lambda: len(seen) == 3 and not emp.fleet.rollouts.running("web"), 60)
    assert len({event.pid for event in seen}) == 3, "the first one, and those of two reloads"


def test_a_decorated_server_can_be_called_as_a_function() -> None:
    assert apps.returns(None, (), None) is None
    assert eisenmp.server(apps.returns)(None, (), None) is None
    with pytest.raises(TypeError):
        eisenmp.server(3)  # type: ignore[arg-type]
