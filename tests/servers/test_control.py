"""`eisenmp ps`, `map`, `reload` and the others, on a manager of another thread of the same user."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

import eisenmp
from eisenmp.cli import main
from eisenmp.manager.control import ask_path, run_folder, sockets

APPS = Path(__file__).with_name("apps.py")


@pytest.fixture(autouse=True)
def own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))


@pytest.mark.parametrize("another", [False, True])
def test_somebody_has_cleaned_up(another: bool) -> None:
    web = eisenmp.PortGroup("web", ports=[0])
    with eisenmp.Mp(f"{APPS}:line", port_groups=[web], lame_duck=0, name="shop") as emp:
        emp.ready(timeout=60)
        path = Path(sockets()[0])
        path.unlink()
        if another:
            path.touch()
    assert path.exists() is another, "what is there now is not ours"
    path.unlink(missing_ok=True)


def test_the_commands(capsys: pytest.CaptureFixture[str]) -> None:
    def said(*arguments: str, code: int = 0) -> str:
        capsys.readouterr()
        assert main(arguments) == code
        out = capsys.readouterr()
        return out.out + out.err

    assert "no manager with servers runs" in said("map", code=2)
    web = eisenmp.PortGroup("web", ports=[0, 0])
    with eisenmp.Mp(f"{APPS}:line", port_groups=[web], lame_duck=0, name="shop") as emp:
        emp.ready(timeout=60)
        before = emp.map()
        assert said("ps") == f"shop  pid {os.getpid()}  2 of 2 slots serve\n"
        assert [slot["name"] for slot in json.loads(said("map", "--json"))] == ["web/0", "web/1"]
        assert f"web/0  serving  pid {before[0].pid}" in said("map", "shop")
        places = [slot.listens[0] for slot in before]
        assert said("map", "--nginx") == (
            f"upstream web {{\n    server {places[0]};\n    server {places[1]};\n}}\n"
        )
        assert json.loads(said("map", "--prometheus"))[1]["labels"] == {"group": "web", "slot": "web/1"}
        assert said("reload", "web") == "reloaded web/0 web/1\n"
        assert not {slot.pid for slot in before} & {slot.pid for slot in emp.map()}
        assert said("drain", "web/1") == ""
        assert emp.map()[1].state == "stopped"
        assert said("scale", "web", "2") == ""
        assert emp.map()[1].state == "serving"
        assert said("logs", "web/0") == ""
        assert "there is no port group 'blue'" in said("reload", "blue", code=1)
        assert "there is no slot 'web/7'" in said("drain", "web/7", code=1)
        assert "no manager 'other' runs" in said("map", "other", code=2)
    assert json.loads(said("ps", "--json")) == []


STRANGER = """
import os, socket, sys
connection = socket.socket(socket.AF_UNIX)
os.setgroups([])
os.setgid(65534)
os.setuid(65534)
connection.connect(sys.argv[1])
try:
    connection.sendall(b'{"command": "map"}\\n')
    print(connection.recv(4096).decode())
except ConnectionError:
    print("closed")
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="to be another user takes root")
def test_another_user_who_reaches_the_socket_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tempfile.mkdtemp()
    monkeypatch.setenv("XDG_RUNTIME_DIR", folder)
    web = eisenmp.PortGroup("web", ports=[0])
    with eisenmp.Mp(f"{APPS}:line", port_groups=[web], lame_duck=0, name="shop") as emp:
        emp.ready(timeout=60)
        (path,) = sockets()
        for place, mode in ((folder, 0o755), (run_folder(), 0o755), (path, 0o666)):
            os.chmod(place, mode)
        asked = subprocess.run(
            [sys.executable, "-c", STRANGER, path], capture_output=True, text=True, check=True
        )
        assert asked.stdout.strip() in ("", "closed")
        assert emp.map()[0].state == "serving"
    shutil.rmtree(folder)


def test_the_socket_is_for_this_user_and_goes_with_the_manager() -> None:
    web = eisenmp.PortGroup("web", ports=[0])
    with eisenmp.Mp(f"{APPS}:line", port_groups=[web], lame_duck=0, name="shop") as emp:
        (path,) = sockets()
        assert os.stat(path).st_mode & 0o777 == 0o600
        assert os.stat(run_folder()).st_mode & 0o777 == 0o700
        with pytest.raises(eisenmp.SettingsError, match="of the name 'shop' runs already"):
            eisenmp.Mp(f"{APPS}:line", port_groups=[eisenmp.PortGroup("b", ports=[0])], name="shop").start()
        answer = ask_path(path, {"command": "dance"})
        assert answer == {"error": "not understood: ValueError: dance"}
        emp.ready(timeout=60)
    assert sockets() == []


def test_what_a_killed_manager_left_is_replaced() -> None:
    os.makedirs(run_folder(), mode=0o700)
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(os.path.join(run_folder(), "shop.sock"))
    web = eisenmp.PortGroup("web", ports=[0])
    with eisenmp.Mp(f"{APPS}:line", port_groups=[web], lame_duck=0, name="shop") as emp:
        emp.ready(timeout=60)
        answer = ask_path(sockets()[0], {"command": "ps"})
        assert answer is not None
        assert answer["slots"] == 1
