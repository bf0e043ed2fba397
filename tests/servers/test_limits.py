"""A limit replaces a server and never kills it: another process serves before the old one leaves."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import eisenmp
from eisenmp.manager.events import SlotServing, WorkerDied, WorkerRecycled
from tests.servers.load import get

APPS = Path(__file__).with_name("apps.py")


@pytest.mark.parametrize("app", ["asgi", "wsgi", "make_aiohttp", "Handler"])
def test_after_so_many_requests_to_all_its_ports(app: str) -> None:
    recycled: list[WorkerRecycled] = []
    died: list[WorkerDied] = []
    web = eisenmp.PortGroup("web", ports=[0, 0], servers_per_slot=2)
    site = eisenmp.Site(f"{APPS}:{app}", factory=app.startswith("make"))
    with eisenmp.Mp(site, port_groups=[web], requests_max=10) as emp:
        emp.on(WorkerRecycled, recycled.append)
        emp.on(WorkerDied, died.append)
        emp.ready(timeout=60)
        places = emp.map()[0].listens
        answers = [get(places[number % 2]).split()[0] for number in range(12)]
        assert len(set(answers[:8])) == 1
        emp.dispatcher.wait(lambda: str(emp.map()[0].pid) != answers[0], 60)
        # until the old one hears that it is to drain, both take connections
        assert get(places[0]).split()[0] in (answers[0], str(emp.map()[0].pid))
    assert len(recycled) >= 1
    assert str(recycled[0].pid) == answers[0]
    assert recycled[0].reason.startswith("requests_max reached with ")
    assert died == []


@pytest.mark.parametrize("limit", [{"age_max": 0.3}, {"memory_max": 60 * 1024**2}], ids=["age", "memory"])
def test_when_it_is_old_or_big(limit: dict[str, Any]) -> None:
    served: list[SlotServing] = []
    died: list[WorkerDied] = []
    web = eisenmp.PortGroup("web", ports=[0])
    with eisenmp.Mp(f"{APPS}:grows", port_groups=[web], lame_duck=0, **limit) as emp:
        emp.on(SlotServing, served.append)
        emp.on(WorkerDied, died.append)
        assert emp.dispatcher.wait(lambda: len(served) >= 2, 60)
    assert len({event.pid for event in served}) == len(served)
    assert died == []


def test_servers_read_queues_while_they_answer() -> None:
    group = eisenmp.PortGroup("web", ports=[0, 0])
    emp = eisenmp.Mp(f"{APPS}:reads", port_groups=[group], lame_duck=0, variables={"rows": 10_000})
    emp.queue("jobs", maxsize=4)
    done = emp.queue("done", maxsize=0)
    with emp:
        emp.ready(timeout=60)
        emp.run_q_feeder(generator=iter(range(10_000)), input_q=emp.queue_cust_dict_std["jobs"], ROWS_MAX=100)
        seen: list[int] = []
        while len(seen) < 10_000:
            seen += done.get(timeout=60)
            assert get(emp.map()[len(seen) % 2].listens[0]).split()[0] in {
                str(slot.pid) for slot in emp.map()
            }
    assert sorted(seen) == list(range(10_000))
