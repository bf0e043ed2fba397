"""What cannot be served is said in one sentence."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import eisenmp
from eisenmp.manager import control

APPS = Path(__file__).with_name("apps.py")


def group(name: str = "web", **keywords: Any) -> eisenmp.PortGroup:
    return eisenmp.PortGroup(name, **{"ports": [0], **keywords})


@pytest.mark.parametrize(
    ("text", "cause"),
    [
        (
            "import nowhere_to_be_found",
            r"bad.py:1: ModuleNotFoundError: No module named 'nowhere_to_be_found'",
        ),
        ("import os; os._exit(3)", r"process \d+ ended with exit code 3, before it had loaded its modules"),
        (
            "raise SystemExit('no licence')",
            r"bad.py:1: SystemExit: no licence; the module ends the interpreter",
        ),
    ],
    ids=["import", "exit", "SystemExit"],
)
def test_an_application_that_cannot_be_loaded(text: str, cause: str, tmp_path: Path) -> None:
    bad = tmp_path / "bad.py"
    bad.write_text(text)
    emp = eisenmp.Mp(eisenmp.Site(f"{bad}:app"), port_groups=[group()], restarts_max=0, lame_duck=0)
    with pytest.raises(eisenmp.SlotFailed, match=rf"^web/0 was given up: .*{cause}"):
        with emp:
            emp.ready(timeout=60)


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (
            lambda: [group("a", ports=[1234]), group("b", port=1234)],
            "groups 'a' and 'b' overlap: both have port 1234",
        ),
        (lambda: [group("a"), group("a")], "two port groups are called 'a'"),
        (lambda: [group(cores=[4000])], "group 'web' names core 4000; this process may use"),
        (lambda: [group(slots=2)], "group 'web' has more slots than ports: 2, and 1 port"),
        (
            lambda: [group(servers_per_slot=2)],
            "group 'web' has more slots than ports: 1 of 2 servers each, and 1 port",
        ),
        (lambda: [group(adapter="no0")], "there is no network adapter 'no0'; there are .*lo"),
        (
            lambda: [group(address="no.such.host.invalid")],
            "no.such.host.invalid is no address of this machine",
        ),
    ],
    ids=["overlap", "name", "core", "slots", "servers", "adapter", "address"],
)
def test_groups_that_cannot_be_had(make: Callable[[], list[eisenmp.PortGroup]], text: str) -> None:
    with pytest.raises(eisenmp.SettingsError, match=text):
        eisenmp.Mp(eisenmp.Site(f"{APPS}:wsgi"), port_groups=make()).start()


def test_files_and_names_that_are_not_there() -> None:
    with pytest.raises(eisenmp.LoadError, match=r"nowhere\.py"):
        eisenmp.Mp(eisenmp.Site("nowhere.py:app"), port_groups=[group()]).start()


def test_where_sockets_cannot_be_inherited(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(
        eisenmp.SettingsError, match="port_groups needs processes that inherit sockets; InlineEngine"
    ):
        eisenmp.Mp(eisenmp.Site(f"{APPS}:wsgi"), engine="inline", port_groups=[group()]).start()
    monkeypatch.setenv("EISENMP_PORTABLE", "1")
    with pytest.raises(
        eisenmp.SettingsError, match="port_groups needs processes that inherit sockets; Portable"
    ):
        eisenmp.Mp(eisenmp.Site(f"{APPS}:wsgi"), port_groups=[group()]).start()


def test_a_privileged_port() -> None:
    program = (
        "import eisenmp\n"
        f"try: eisenmp.Mp('{APPS}:line', port_groups=[eisenmp.PortGroup('web', ports=[80])]).start()\n"
        "except eisenmp.SettingsError as error: print(error)\n"
    )
    # root of a namespace of its own, but for this one right
    command = ["unshare", "-rn", "setpriv", "--bounding-set=-net_bind_service", sys.executable, "-c", program]
    said = subprocess.run(command, capture_output=True, text=True)
    assert "port 80 is privileged: this user may not listen on it" in said.stdout, said.stderr


def test_another_user_is_not_answered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    with eisenmp.Mp(f"{APPS}:line", port_groups=[group()], lame_duck=0) as emp:
        emp.ready(timeout=60)
        (path,) = control.sockets()
        assert control.ask_path(path, {"command": "ps"}) is not None
        user = control._user()
        monkeypatch.setattr(control, "_user", lambda: user + 1)
        assert control.ask_path(path, {"command": "ps"}) is None
        with pytest.raises(PermissionError, match="is not ours alone"):
            control.open_folder()
