"""Warm spares: loaded before they are needed, and in the slot of a killed process at once."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

import eisenmp
from eisenmp.manager.events import SlotServing, WorkerReady, WorkerStarted
from tests.servers.load import get

APPS = Path(__file__).with_name("apps.py")
CORES = sorted(os.sched_getaffinity(0))


class Watched:
    """A manager with a spare, and the pids of those that were started for no slot."""

    def __init__(self, app: str, **keywords: object) -> None:
        self.spares: list[int] = []
        self.served: list[SlotServing] = []
        web = eisenmp.PortGroup("web", ports=[0, 0], cores=CORES[-1:])
        settings = {"lame_duck": 0, "spare": 1, **keywords}
        self.emp = eisenmp.Mp(eisenmp.Site(f"{APPS}:{app}"), port_groups=[web], **settings)
        self.emp.on(WorkerStarted, self._started)
        self.emp.on(SlotServing, self.served.append)

    def _started(self, event: WorkerStarted) -> None:
        if event.slot < 0:
            self.spares.append(event.pid)

    def wait_for_spare(self) -> None:
        emp = self.emp
        assert emp.dispatcher.wait(lambda: emp.fleet.spares.count("web") == 1, 60)


@pytest.mark.parametrize("method", ["spawn", "forkserver"])
def test_a_killed_slot_is_taken_over_by_the_spare(method: str) -> None:
    watched = Watched("who_in_slot", start_method=method)
    with watched.emp as emp:
        emp.ready(timeout=60)
        for _ in range(2):
            watched.wait_for_spare()
            spare = watched.spares[-1]
            before, other = emp.map()
            os.kill(before.pid, signal.SIGKILL)
            answer = get(before.listens[0]).split()
            # the slot's number, names, port and core are those of every process in it
            assert answer[:3] == [str(spare), str(CORES[-1]), "0"]
            assert answer[3] == answer[4]
            emp.ready(timeout=60)
            after = emp.map()
            assert after[0]._replace(pid=before.pid, restarts=before.restarts) == before
            assert (after[0].pid, after[0].restarts, after[1]) == (spare, before.restarts + 1, other)
    assert len(set(watched.spares)) == len(watched.spares) >= 2


def test_after_a_reload_the_spare_has_the_new_application() -> None:
    watched = Watched("wsgi")
    with watched.emp as emp:
        emp.ready(timeout=60)
        watched.wait_for_spare()
        old = watched.spares[-1]
        emp.reload(timeout=60)
        watched.wait_for_spare()
        assert watched.spares[-1] != old
        assert old not in {slot.pid for slot in emp.map()}


def test_a_spare_keeps_no_manager_up() -> None:
    web = eisenmp.PortGroup("web", ports=[0])
    emp = eisenmp.Mp(f"{APPS}:line", port_groups=[web], lame_duck=0, spare=1, restarts_max=0)
    with pytest.raises(eisenmp.SlotFailed, match="^web/0 was given up: process .* was killed by signal 9"):
        with emp:
            emp.ready(timeout=60)
            assert emp.dispatcher.wait(lambda: emp.fleet.spares.count("web") == 1, 60)
            os.kill(emp.map()[0].pid, signal.SIGKILL)
            emp.join(timeout=60)


def test_a_spare_that_dies_is_replaced_and_one_that_cannot_load_is_not_for_ever(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    flag = tmp_path / "flag"
    flag.write_text("good")
    monkeypatch.setenv("FLAG", str(flag))
    web = eisenmp.PortGroup("web", ports=[0])
    site = eisenmp.Site(f"{APPS}:by_flag", factory=True)
    ready: list[WorkerReady] = []
    started: list[int] = []
    emp = eisenmp.Mp(site, port_groups=[web], lame_duck=0, spare=1, restarts_max=1)
    emp.on(WorkerReady, ready.append)
    emp.on(WorkerStarted, lambda event: started.append(event.pid) if event.slot < 0 else None)
    with pytest.warns(RuntimeWarning, match=r"no spare until its next reload: .* the new version is broken"):
        with emp:
            emp.ready(timeout=60)
            assert emp.dispatcher.wait(lambda: emp.fleet.spares.count("web") == 1, 60)
            os.kill(started[0], signal.SIGKILL)
            assert emp.dispatcher.wait(lambda: len(started) == 2 and emp.fleet.spares.count("web") == 1, 60)
            flag.write_text("bad")
            os.kill(started[1], signal.SIGKILL)
            assert emp.dispatcher.wait(lambda: len(started) == 3 and not emp.fleet.spares.hopes("web"), 60)
            # the slot itself was never touched
            assert [event.pid for event in ready] == [emp.map()[0].pid]
            flag.write_text("good")
            emp.reload(timeout=60)
            assert emp.dispatcher.wait(lambda: emp.fleet.spares.count("web") == 1, 60)
