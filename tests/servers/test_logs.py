"""What servers print: under the names of their slots, as text or JSON, and for those who read along."""

from __future__ import annotations

import json
import os
import signal
import socket
import threading
from pathlib import Path

import pytest

import eisenmp
from eisenmp.cli import main
from eisenmp.manager.control import follow_path, sockets
from eisenmp.testing import eventually
from tests.servers.load import get

APPS = Path(__file__).with_name("apps.py")


@pytest.fixture(autouse=True)
def own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))


def talking(**settings: object) -> eisenmp.Mp:
    web = eisenmp.PortGroup("web", ports=[0, 0])
    return eisenmp.Mp(eisenmp.Site(f"{APPS}:Talking"), port_groups=[web], lame_duck=0, **settings)


def test_somebody_reads_along() -> None:
    with talking() as emp:
        emp.ready(timeout=60)
        first, second = emp.map()
        get(first.listens[0], "/before")
        eventually(lambda: emp.last_lines("web/0") == ["asked for /before"])
        lines = follow_path(sockets()[0], "web/0")
        assert next(lines) == "asked for /before"
        get(second.listens[0], "/elsewhere")
        get(first.listens[0], "/after")
        assert next(lines) == "asked for /after"
        # the lines of a process that has ended stay, and those of the next one follow
        os.kill(first.pid, signal.SIGKILL)
        get(first.listens[0], "/again")
        assert next(lines) == "asked for /again"
        lines.close()
        ended = follow_path(sockets()[0], "web/1")
        assert next(ended) == "asked for /elsewhere"
        with pytest.raises(eisenmp.EisenmpError, match="there is no slot 'web/7'"):
            next(follow_path(sockets()[0], "web/7"))
    assert list(ended) == []


def test_the_command_ends_with_the_manager(capsys: pytest.CaptureFixture[str]) -> None:
    codes: list[int] = []
    reading = threading.Thread(target=lambda: codes.append(main(["logs", "-f"])))
    with talking() as emp:
        emp.ready(timeout=60)
        reading.start()
        eventually(lambda: emp._control and emp._control._followers)
        for slot in emp.map():
            get(slot.listens[0], f"/{slot.number}")
    reading.join()
    # once by the manager and once by the one that reads along, both in this process
    out = capsys.readouterr().out.splitlines()
    assert sorted(out) == sorted(2 * ["web/0 | asked for /0", "web/1 | asked for /1"])
    assert codes == [0]
    assert main(["logs"]) == 2
    assert "Name it, or follow all of them with -f" in capsys.readouterr().err


def test_a_reader_that_has_paused_does_not_hold_up_the_end() -> None:
    with talking() as emp, socket.socket(socket.AF_UNIX) as paused, socket.socket(socket.AF_UNIX) as silent:
        emp.ready(timeout=60)
        silent.connect(sockets()[0])  # and asks nothing
        paused.connect(sockets()[0])
        paused.sendall(json.dumps({"command": "logs", "slot": "web/0", "follow": True}).encode() + b"\n")
        eventually(lambda: emp._control and emp._control._followers)
        for _ in range(8):
            get(emp.map()[0].listens[0], f"/{50_000 * 'x'}")
        eventually(lambda: len(emp.last_lines("web/0")) == 8)
        emp.stop()
        assert emp.ended


def test_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    with talking(log_format="json") as emp:
        emp.ready(timeout=60)
        slot = emp.map()[0]
        get(slot.listens[0], "/")
    (line,) = capsys.readouterr().out.splitlines()
    record = json.loads(line)
    assert record.pop("time") > 0
    assert record == {"name": "web/0", "pid": slot.pid, "stream": "stdout", "line": "asked for /"}
