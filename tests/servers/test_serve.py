"""`eisenmp serve` as a user runs it: files, signals, exit codes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from eisenmp.cli import main
from eisenmp.testing import eventually
from tests import leaks
from tests.servers.load import get

APPS = Path(__file__).with_name("apps.py")


@contextmanager
def serving(*arguments: str, folder: Path) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-m", "eisenmp", "serve", *arguments]
    with subprocess.Popen(command, cwd=folder, stderr=subprocess.PIPE, text=True) as program:
        try:
            yield program
        finally:
            program.kill()


def served(program: subprocess.Popen[str], count: int) -> list[tuple[str, str, int]]:
    """(slot, place, pid) of the next slots that say that they serve."""
    assert program.stderr is not None
    found = []
    for line in program.stderr:
        words = line.split()
        if words[2:3] == ["serves"]:
            found.append((words[1], words[3], int(words[-1])))
        if len(found) == count:
            return found
    raise AssertionError(f"it has ended: {program.wait()}")


def test_workers_beside_the_servers(tmp_path: Path) -> None:
    (tmp_path / "pages.py").write_text(
        "import eisenmp\n"
        "def app(environ, start_response):\n"
        "    box = eisenmp.current_toolbox()\n"
        "    box.queue('requests').put(environ['PATH_INFO'])\n"
        "    body = box.queue('answers').get().encode()\n"
        "    start_response('200 OK', [('Content-Length', str(len(body)))])\n"
        "    return [body]\n"
        "def answer(toolbox):\n"
        "    toolbox.queue('answers').put(toolbox.queue('requests').get()[::-1])\n"
        "    return True\n"
    )
    beside = (
        "--compute",
        "pages.py:answer",
        "--procs-max",
        "1",
        "--queue",
        "requests=10",
        "--queue",
        "answers",
    )
    with serving("pages.py:app", "--ports", "web=0", *beside, folder=tmp_path) as program:
        ((_, place, _),) = served(program, 1)
        assert get(place, "/word") == "drow/"
        program.send_signal(signal.SIGTERM)
        assert program.wait() == 130


def test_a_queue_without_a_size(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["serve", f"{APPS}:wsgi", "--queue", "jobs=many"]) == 2
    assert "--queue is NAME or NAME=SIZE" in capsys.readouterr().err


def test_serve_reload_and_stop(tmp_path: Path) -> None:
    groups = ("--ports", "blue=0@core0", "--ports", "yellow=0")
    with serving(f"{APPS}:wsgi", *groups, folder=tmp_path) as program:
        before = served(program, 2)
        assert {name for name, _, _ in before} == {"blue/0", "yellow/0"}
        for _, place, pid in before:
            assert get(place).split()[0] == str(pid)
        program.send_signal(signal.SIGHUP)
        after = served(program, 2)
        assert {place for _, place, _ in after} == {place for _, place, _ in before}
        assert not {pid for _, _, pid in after} & {pid for _, _, pid in before}
        for _, place, pid in after:
            eventually(lambda place=place, pid=pid: get(place).split()[0] == str(pid), 60)  # type: ignore[misc]
        program.send_signal(signal.SIGTERM)
        assert program.wait() == 130
        assert all(leaks.wait_gone(pid) for _, _, pid in after)


def test_a_file_that_changes_is_served_anew(tmp_path: Path) -> None:
    app = tmp_path / "changing.py"

    def write(word: str) -> None:
        app.write_text(f"def app(environ, start):\n    start('200 OK', [])\n    return [b'{word}']\n")

    write("old")
    with serving("changing.py:app", "--ports", "web=0", "--reload", folder=tmp_path) as program:
        ((_, place, _),) = served(program, 1)
        assert get(place) == "old"
        tmp_path.joinpath("notes.txt").write_text("of no interest")
        write("newer")
        served(program, 1)
        # until the old one hears that it is to drain, both take connections
        eventually(lambda: get(place) == "newer", 60)
        program.send_signal(signal.SIGTERM)
        assert program.wait() == 130


def test_the_file_beside_the_user_decides(tmp_path: Path) -> None:
    tmp_path.joinpath("eisenmp.toml").write_text(
        f'[serve]\napp = "{APPS}:line"\nport = 0\nslots = 2\nlame-duck = 0\n'
    )
    with serving(folder=tmp_path) as program:
        found = served(program, 2)
        assert {name for name, _, _ in found} == {"web/0", "web/1"}
        assert len({place for _, place, _ in found}) == 1
        program.send_signal(signal.SIGINT)
        assert program.wait() == 130


def test_servers_end_with_a_manager_that_is_killed(tmp_path: Path) -> None:
    import socket

    with serving(f"{APPS}:deaf", "--ports", "web=0", folder=tmp_path) as program:
        ((_, place, pid),) = served(program, 1)
        os.kill(program.pid, signal.SIGKILL)
        assert program.wait() == -signal.SIGKILL
        assert leaks.wait_gone(pid)
    host, _, port = place.rpartition(":")

    def refused() -> bool:
        # binding it would not do: a connection of another program may have the number by now
        try:
            socket.create_connection((host, int(port)), timeout=20).close()
        except ConnectionRefusedError:
            return True
        return False

    # a process counts as gone when its first thread is, and another one may hold the socket a moment longer
    eventually(refused)


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ((f"{APPS}:wsgi", "--ports", "web"), "is no port group"),
        ((f"{APPS}:wsgi", "--port", "0", "--slots", "two"), "--slots is a number or auto"),
        ((f"{APPS}:wsgi", "--ports", "web=0@core4000"), "names core 4000"),
        ((f"{APPS}:wsgi", "--ports", "web=0", "--health", "well"), "--health must be 'tcp', a path"),
        ((), "what is to be served"),
        (("--config", "missing.toml"), "missing.toml: No such file"),
    ],
)
def test_what_is_wrong_is_one_line(
    arguments: tuple[str, ...],
    text: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    assert main(["serve", *arguments]) == 2
    err = capsys.readouterr().err
    assert text in err
    assert err.count("\n") == 1


def test_a_slot_that_gives_up_ends_the_command(tmp_path: Path) -> None:
    options = ("--ports", "web=0", "--restarts-max", "0", "--server", "function")
    with serving(f"{APPS}:raises", *options, folder=tmp_path) as program:
        _, err = program.communicate()
    assert program.returncode == 3, err
    assert "no database" in err
