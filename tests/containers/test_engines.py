"""Containers in slots on real engines: podman's service with runc, and a Docker Engine, as root."""

from __future__ import annotations

import fcntl
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import eisenmp
from eisenmp.containers.engine import find_engine
from eisenmp.manager.events import WorkerDied
from tests.containers import engine_of_docker, engine_of_podman
from tests.containers.engine_of_podman import IMAGE
from tests.leaks import wait_gone
from tests.servers.load import get

CORES = sorted(os.sched_getaffinity(0))
ONE_AT_A_TIME = Path(tempfile.gettempdir()) / "eisenmp-tests-podman.lock"
SITE = (
    "hostname > /www/name; grep Cpus_allowed_list /proc/self/status > /www/cores; cat /sys/fs/cgroup/memory.max "
    "/sys/fs/cgroup/memory/memory.limit_in_bytes > /www/memory 2>/dev/null; echo serves on $PORT; echo wrong >&2; "
    "exec httpd -f -p $PORT -h /www"
)


@pytest.fixture(scope="module", params=[engine_of_podman, engine_of_docker], ids=["podman", "docker"])
def place(request: pytest.FixtureRequest) -> Iterator[str]:
    """Where the engine is. Two of them would give their containers the same addresses."""
    wanting = request.param.missing()
    if wanting and request.param is engine_of_podman and os.environ.get("CONTAINER_TESTS") == "required":
        pytest.fail(wanting)
    if wanting:
        pytest.skip(wanting)
    folder = Path(tempfile.mkdtemp(prefix="eisenmp-engine-"))
    with open(ONE_AT_A_TIME, "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        engine = subprocess.Popen(
            [sys.executable, "-m", request.param.__name__, str(folder)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        with engine:
            assert engine.stdout is not None
            assert engine.stdout.readline() == "ready\n"
            yield f"unix://{folder}/engine.sock"
            assert engine.stdin is not None
            engine.stdin.close()
        assert engine.returncode == 0
    shutil.rmtree(folder)


@pytest.fixture
def api(place: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    monkeypatch.setenv("DOCKER_HOST", place)
    engine = find_engine()
    yield engine.api
    assert engine.api.containers(all=True) == []
    engine.close()


def test_two_slots_of_two_containers(api: Any) -> None:
    cores = [CORES[0], CORES[-1]]
    pairs = eisenmp.PortGroup("pairs", ports=[0] * 4, servers_per_slot=2, cores=cores)
    container = eisenmp.Container(
        IMAGE, command=SITE, memory="64M", health="/name", stop_timeout=0, pull="never"
    )
    died: list[WorkerDied] = []
    with eisenmp.Mp(container, port_groups=[pairs], lame_duck=0, health="/name") as emp:
        emp.on(WorkerDied, died.append)
        emp.ready(timeout=110)
        slots = emp.map()
        assert [slot.cores for slot in slots] == [(core,) for core in cores]
        # podman calls a machine like the begin of its number
        names = {place: get(place, "/name").strip() for slot in slots for place in slot.listens}
        found = {each["Id"][:12]: each["Labels"] for each in api.containers()}
        assert set(names.values()) == set(found)
        assert len(found) == 4
        for slot in slots:
            for place in slot.listens:
                assert get(place, "/cores").split()[1] == str(slot.cores[0])
                assert get(place, "/memory").split() == [str(64 << 20)]
                labels = found[names[place]]
                assert (labels["eisenmp.slot"], labels["eisenmp.group"]) == (slot.name, "pairs")
                assert labels["eisenmp.port"] == place.rpartition(":")[2]
        first, other = slots
        emp.dispatcher.wait(lambda: emp.last_lines(first.name).count("serves on 8080") == 2, 60)
        assert emp.last_lines(first.name).count("wrong") == 2
        # one is killed: its slot begins anew on the same ports, the other slot goes on
        api.kill(names[first.listens[0]])
        emp.dispatcher.wait(lambda: bool(died), 60)
        emp.ready(timeout=110)
        again, same = emp.map()
        assert (again.listens, again.restarts, same) == (first.listens, 1, other)
        for place in first.listens:
            assert get(place, "/name").strip() not in names.values()
        for place in other.listens:
            assert get(place, "/name").strip() == names[place]
        emp.drain(other.name, timeout=110)
        assert len(api.containers(all=True)) == 2
    assert f"container {names[first.listens[0]]} of {IMAGE} for pairs/0:" in died[0].cause
    assert "ended with exit code 137 (SIGKILL)" in died[0].cause


def test_what_a_killed_manager_leaves_is_removed_at_the_next_start(api: Any) -> None:
    program = subprocess.Popen(
        [sys.executable, "-m", "tests.containers.manager", IMAGE],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with program:
        assert program.stdout is not None
        keeper = int(program.stdout.readline())
        program.send_signal(signal.SIGKILL)
    assert wait_gone(keeper)
    (left,) = api.containers()
    assert left["Labels"]["eisenmp.slot"] == "left/0"
    web = eisenmp.PortGroup("web", port=0, slots=1)
    container = eisenmp.Container(IMAGE, command=["httpd", "-f", "-p", "8080"], stop_timeout=0)
    with eisenmp.Mp(container, port_groups=[web], lame_duck=0) as emp:
        emp.ready(timeout=110)
        (there,) = api.containers(all=True)
        assert there["Id"] != left["Id"]
        assert "removed a container of left/0 whose keeper had died" in emp.last_lines("web/0")


def test_an_image_and_a_program_that_do_not_exist(api: Any) -> None:
    for container, says in (
        (eisenmp.Container("localhost/none:1", pull="never"), "there is no image 'localhost/none:1'"),
        (eisenmp.Container(IMAGE, command=["/bin/none"]), "does not start: .*/bin/none"),
    ):
        web = eisenmp.PortGroup("web", ports=[0])
        with pytest.raises(eisenmp.SlotFailed, match=says):
            with eisenmp.Mp(container, port_groups=[web], lame_duck=0, restarts_max=0) as emp:
                emp.ready(timeout=110)
