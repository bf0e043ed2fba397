"""A reload replaces every process and loses no request, over kept connections and over new ones."""

from __future__ import annotations

import os
import signal
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from http.client import HTTPConnection
from pathlib import Path

import pytest

import eisenmp
from tests.servers.load import Load, get

APPS = Path(__file__).with_name("apps.py")


@pytest.mark.parametrize("method", ["spawn", "forkserver"])
def test_after_a_reload_the_new_application_answers(method: str, tmp_path: Path) -> None:
    app = tmp_path / "changing.py"

    def write(word: str) -> None:
        app.write_text(f"def app(environ, start):\n    start('200 OK', [])\n    return [b'{word}']\n")

    write("old")
    web = eisenmp.PortGroup("web", ports=[0])
    site = eisenmp.Site(f"{app}:app")
    with eisenmp.Mp(site, port_groups=[web], lame_duck=0, start_method=method) as emp:
        emp.ready(timeout=60)
        place = emp.map()[0].listens[0]
        assert get(place) == "old"
        write("newer")
        emp.reload(timeout=60)
        assert get(place) == "newer"
        os.kill(emp.map()[0].pid, signal.SIGKILL)
        assert get(place) == "newer"


KINDS = pytest.mark.parametrize(
    ("app", "factory"),
    [("asgi", False), ("make_flask", True), ("make_aiohttp", True), ("Handler", False)],
    ids=["asgi", "wsgi", "aiohttp", "http.server"],
)


@KINDS
def test_whoever_keeps_a_connection_is_told_when_it_ends(app: str, factory: bool) -> None:
    web = eisenmp.PortGroup("web", ports=[0])
    site = eisenmp.Site(f"{APPS}:{app}", factory=factory)
    # the old process ends when it has no connection left, not when the time is over
    with eisenmp.Mp(site, port_groups=[web], lame_duck=60) as emp:
        emp.ready(timeout=60)
        (slot,) = emp.map()
        connection = HTTPConnection(slot.listens[0], timeout=20)
        with closing(connection), ThreadPoolExecutor(1) as reloading:
            reloaded = None
            while True:
                connection.request("GET", "/")
                answer = connection.getresponse()
                assert answer.read().split()[0] == str(slot.pid).encode()
                if answer.getheader("Connection", "").lower() == "close":
                    break
                reloaded = reloaded or reloading.submit(emp.reload, timeout=60)
            assert reloaded is not None, "nothing ended before the reload began"
            assert reloaded.result() == ["web/0"]


@KINDS
def test_a_reload_loses_nothing(app: str, factory: bool) -> None:
    web = eisenmp.PortGroup("web", ports=[0, 0])
    site = eisenmp.Site(f"{APPS}:{app}", factory=factory)
    with eisenmp.Mp(site, port_groups=[web], lame_duck=0.3) as emp:
        emp.ready(timeout=60)
        before = {info.pid for info in emp.map()}
        places = [info.listens[0] for info in emp.map()]
        with Load(places) as load:
            assert emp.reload(timeout=60) == ["web/0", "web/1"]
        after = {info.pid for info in emp.map()}
        assert {get(place).split()[0] for place in places} == set(map(str, after))
    assert load.errors == []
    assert not before & after
    assert set(load.answers) <= {str(pid) for pid in before | after}
    assert len(load.answers) >= 3, "the old ones answered, and the new ones"
