"""The examples with servers: who answers where, what a reload changes, what ends them."""

from __future__ import annotations

import re
import signal
import sqlite3
import subprocess
import sys
from collections import Counter
from importlib import import_module
from pathlib import Path

import pytest

from .program import run

SERVER = re.compile(r"^(\S+)  http://(127\.0\.0\.1:\d+)/  process (\d+)  core (\d+)$", re.MULTILINE)


def test_http_server_loses_nothing_in_a_reload() -> None:
    ended = run("http_server")
    assert (ended.code, ended.err) == (0, "")
    servers = SERVER.findall(ended.out)
    assert [slot for slot, *_ in servers] == [f"radio/{number}" for number in range(len(servers))]
    for column in (1, 2, 3):
        assert len({server[column] for server in servers}) == len(servers), "places, processes, cores"
    for _, place, *_ in servers:
        assert ended.line(f"  {place} ") == "classic"
    count = len(servers)
    assert f"{count} ports, {2 * count} processes before and after the reload\n" in ended.out
    answered = re.search(r"^([\d,]+) requests answered, 0 lost$", ended.out, re.MULTILINE)
    assert answered is not None
    assert int(answered[1].replace(",", "")) >= 20 * count


def test_flask_orm_writes_through_all_servers_into_one_file(tmp_path: Path) -> None:
    database = tmp_path / "listeners.db"
    ended = run("flask_orm", "--entries", 4, "--database", database)
    assert (ended.code, ended.err) == (0, "")
    servers = {(int(place.rpartition(":")[2]), int(pid)) for _, place, pid, _ in SERVER.findall(ended.out)}
    pids = {pid for _, pid in servers}
    assert len(servers) == 3 * len(pids)
    totals = f"{4 * len(servers)} entries written, {4 * len(servers)} in the file, "
    assert totals + f"by {len(servers)} servers in {len(pids)} processes\n" in ended.out
    connection = sqlite3.connect(database)
    try:
        written = Counter(connection.execute("select port, pid from listener"))
    finally:
        connection.close()
    assert written == dict.fromkeys(servers, 4)


def test_fastapi_groups_reload_by_themselves() -> None:
    ended = run("fastapi_groups", "--servers", 1)
    assert (ended.code, ended.err) == (0, "")
    (blue, yellow) = SERVER.findall(ended.out)
    assert (blue[0], yellow[0]) == ("blue/0", "yellow/0")
    for server, who in ((blue, "a new process"), (yellow, "the same process")):
        port = server[1].rpartition(":")[2]
        assert ended.line(f"  {server[0]} port {port}: ") == f"{who}, cores [{server[3]}]"
    assert "2 servers, 1 replaced\n" in ended.out


def test_they_stay_until_they_are_interrupted() -> None:
    command = [sys.executable, "-m", "eisenmp.examples.http_server", "--stay"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as program:
        assert program.stdout is not None
        assert program.stderr is not None
        assert "serving; Ctrl-C ends it\n" in iter(program.stdout.readline, "")
        program.send_signal(signal.SIGINT)
        assert program.stdout.read() == ""
        assert program.stderr.read() == ""
    assert program.returncode == 130


@pytest.mark.parametrize(
    ("example", "missing", "text"),
    [
        ("flask_orm", ["sqlalchemy"], "sqlalchemy is not installed: pip install sqlalchemy"),
        (
            "flask_orm",
            ["flask", "waitress"],
            "flask and waitress are not installed: pip install flask waitress",
        ),
        ("fastapi_groups", ["fastapi"], "fastapi is not installed: pip install fastapi"),
    ],
)
def test_what_is_missing_is_named(
    example: str,
    missing: list[str],
    text: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    for module in missing:
        monkeypatch.setitem(sys.modules, module, None)
    assert import_module(f"eisenmp.examples.{example}").main([]) == 2
    assert capsys.readouterr().err == f"eisenmp examples {example}: {text}\n"
