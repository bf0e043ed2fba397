"""Worker modules from a real https server: what is fetched, what is refused and why, what is kept."""

from __future__ import annotations

import hashlib
import os
import pickle
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from eisenmp.child.loader import Source
from eisenmp.errors import LoadError
from eisenmp.manager import remote, source
from eisenmp.manager.remote import Remote
from tests.tls_server import Handler, TlsServer

MODULE = b"print('executed')\ndef find(toolbox):\n    return 42\n"
PINNED = hashlib.sha256(MODULE).hexdigest()


@pytest.fixture(autouse=True)
def surroundings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty cache, and no proxy between the tests and their own server."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    for name in [name for name in os.environ if name.lower().endswith("_proxy")]:
        monkeypatch.delenv(name)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[TlsServer]:
    with TlsServer(tmp_path) as running:
        running.answers["/find.py"] = MODULE
        yield running


def resolve(server: TlsServer, path: str = "/find.py", **options: Any) -> Source:
    given = {"sha256": PINNED, "name": "find", "cafile": server.cafile, **options}
    return source.resolve(Remote(server.url(path), **given))


def refused(server: TlsServer, message: str, path: str = "/find.py", **options: Any) -> str:
    """The url is refused with this reason, named in the message, and nothing is kept of it."""
    with pytest.raises(LoadError, match=message) as caught:
        resolve(server, path, **options)
    assert str(caught.value).startswith(server.url(path) + ": ")
    assert caught.value.path == server.url(path)
    kept = Path(remote.cache_folder())
    assert not kept.exists() or not list(kept.iterdir())
    return str(caught.value)


def test_it_is_fetched_once_by_the_manager_and_runs_in_another_process(server: TlsServer) -> None:
    pinned = Remote(f"{server.url('/find.py')}:find#sha256={PINNED}", cafile=server.cafile)
    sources = source.resolve_all([pinned] * 3)
    assert server.asked == ["/find.py"]
    assert sources[0].content == MODULE and sources[0].path == server.url("/find.py")
    code = (
        "import pickle, sys\n"
        "sources = pickle.loads(sys.stdin.buffer.read())\n"
        "from eisenmp.child import loader\n"
        "print(*(loader.load(source)(None) for source in sources))\n"
        "print(sorted({'socket', 'ssl', 'urllib'} & set(sys.modules)))"
    )
    run = subprocess.run(
        [sys.executable, "-c", code], input=pickle.dumps(sources), capture_output=True, check=True
    )
    assert run.stdout.split(b"\n") == [b"executed", b"42 42 42", b"[]", b""]
    assert server.asked == ["/find.py"]


def test_the_next_manager_takes_it_from_the_cache(server: TlsServer, tmp_path: Path) -> None:
    assert resolve(server) == resolve(server)
    assert server.asked == ["/find.py"]
    kept = tmp_path / "cache" / "eisenmp" / "modules"
    assert [entry.name for entry in kept.iterdir()] == [f"{PINNED}.py"]
    assert stat.S_IMODE(kept.stat().st_mode) == stat.S_IMODE(kept.parent.stat().st_mode) == 0o700
    assert stat.S_IMODE((kept / f"{PINNED}.py").stat().st_mode) == 0o600


def test_a_changed_cache_entry_is_not_believed_and_is_replaced(server: TlsServer, tmp_path: Path) -> None:
    entry = tmp_path / "cache" / "eisenmp" / "modules" / f"{PINNED}.py"
    entry.parent.mkdir(parents=True)
    entry.write_bytes(b"print('bad')")
    assert resolve(server).content == MODULE
    assert server.asked == ["/find.py"] and entry.read_bytes() == MODULE
    assert stat.S_IMODE(entry.parent.stat().st_mode) == 0o700


def test_a_cache_that_cannot_be_written_costs_a_transfer_only(
    server: TlsServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    assert resolve(server).content == resolve(server).content == MODULE
    assert server.asked == ["/find.py"] * 2

    def full(old: str, new: str) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(os, "replace", full)
    assert resolve(server).content == MODULE
    assert not list(Path(remote.cache_folder()).iterdir())


@pytest.mark.parametrize(
    ("platform", "variable", "expected"),
    [
        ("linux", {"XDG_CACHE_HOME": "/c"}, "/c/eisenmp/modules"),
        ("linux", {"XDG_CACHE_HOME": "relative", "HOME": "/h"}, "/h/.cache/eisenmp/modules"),
        ("linux", {"XDG_CACHE_HOME": "", "HOME": "relative"}, ""),
        ("darwin", {"HOME": "/h"}, "/h/Library/Caches/eisenmp/modules"),
        ("win32", {"LOCALAPPDATA": "/l"}, "/l/eisenmp/modules"),
    ],
)
def test_the_place_of_the_cache(
    platform: str, variable: dict[str, str], expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("eisenmp.manager.remote.sys", SimpleNamespace(platform=platform))
    for name, value in variable.items():
        monkeypatch.setenv(name, value)
    assert remote.cache_folder() == expected


def test_without_a_hash_it_is_refused_unless_allowed_and_then_never_kept(server: TlsServer) -> None:
    message = refused(server, "has no hash", sha256=None)
    assert "allow_unpinned=True" in message and server.asked == []
    assert resolve(server, sha256=None, allow_unpinned=True).content == MODULE
    unpinned = Remote(server.url("/find.py:find"), cafile=server.cafile)
    assert source.resolve(unpinned, allow_unpinned=True).content == MODULE
    assert server.asked == ["/find.py"] * 2
    source.resolve_all([unpinned] * 3, allow_unpinned=True)
    assert server.asked == ["/find.py"] * 3
    assert not Path(remote.cache_folder()).exists()


def test_a_row_of_1_0_names_a_url(server: TlsServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(server.cafile))  # what a machine with its own authority sets
    row = {"WORKER_PATH": f"{server.url('/find.py')}#sha256={PINNED}", "WORKER_REF": "find"}
    assert source.resolve(row).content == MODULE
    assert source.resolve(f"{server.url('/find.py')}?v=2:find#sha256={PINNED}").name == "find"


def test_an_unknown_authority_is_refused(server: TlsServer) -> None:
    refused(server, "its certificate is refused: .*issuer certificate|self.signed", cafile=None)
    assert server.asked == []


def test_a_certificate_for_another_host_is_refused(tmp_path: Path) -> None:
    with TlsServer(tmp_path, hosts=("other.example",)) as server:
        refused(server, "its certificate is refused: Hostname mismatch")
        assert server.asked == []


def test_a_cafile_that_is_missing_or_holds_nothing(server: TlsServer, tmp_path: Path) -> None:
    refused(server, r"cafile .*gone\.pem holds no certificates", cafile=tmp_path / "gone.pem")
    (tmp_path / "empty.pem").write_text("nothing")
    refused(server, r"cafile .*empty\.pem holds no certificates", cafile=str(tmp_path / "empty.pem"))


def test_a_server_that_talks_no_tls(tmp_path: Path) -> None:
    with TlsServer(tmp_path, https=False) as server:
        url = server.url("/find.py").replace("http:", "https:")
        with pytest.raises(LoadError, match="SSLError"):
            source.resolve(f"{url}:find#sha256={PINNED}")


def test_nobody_listens(tmp_path: Path) -> None:
    with TlsServer(tmp_path) as server:
        server.answers.clear()
    refused(server, "ConnectionRefusedError")


def test_a_wrong_hash_names_both(server: TlsServer) -> None:
    message = refused(server, "its sha256 is", sha256="0b" * 32)
    assert PINNED in message and "0b" * 32 in message


def test_an_answer_that_is_an_error(server: TlsServer) -> None:
    refused(server, "the server answers 404 Not Found", "/gone.py")
    server.answers["/busy.py"] = lambda handler: handler.reply(503, Content_Length=0)
    refused(server, "the server answers 503", "/busy.py")


def redirect(to: str) -> Any:
    return lambda handler: handler.reply(302, Location=to, Content_Length=0)


def test_redirects_within_https_are_followed(server: TlsServer) -> None:
    server.answers["/old.py"] = redirect("/find.py")
    server.answers["/older.py"] = redirect(server.url("/old.py"))
    assert resolve(server, "/older.py").content == MODULE
    assert server.asked == ["/older.py", "/old.py", "/find.py"]


@pytest.mark.parametrize(
    "target", ["http://localhost:1/find.py", "ftp://localhost/find.py", "file:///etc/passwd"]
)
def test_a_redirect_away_from_https_is_refused(server: TlsServer, target: str) -> None:
    server.answers["/old.py"] = redirect(target)
    refused(server, "redirects to what is not fetched.*plain (http|ftp)|302 .*file:///etc/passwd", "/old.py")
    assert server.asked == ["/old.py"]


def test_redirects_without_end_are_refused(server: TlsServer) -> None:
    def on(handler: Handler) -> None:
        number = len(server.asked)
        handler.reply(302, Location=f"/on.py?{number}", Content_Length=0)

    server.answers["/on.py"] = on
    refused(server, "more than 5 redirects", "/on.py")
    assert len(server.asked) == 6


GIGABYTE = 2**30
PART = b"#" * 2**16


def pour(handler: Handler) -> None:
    for _ in range(GIGABYTE // len(PART)):
        if not handler.send(PART):
            return


def test_a_gigabyte_is_refused_before_or_while_it_comes(server: TlsServer) -> None:
    def announced(handler: Handler) -> None:
        handler.reply(200, Content_Length=GIGABYTE)
        handler.pause(60)  # the header alone decides

    def silent(handler: Handler) -> None:
        handler.reply(200, Connection="close")
        pour(handler)

    def redirecting(handler: Handler) -> None:
        handler.reply(302, Location="/find.py", Connection="close")
        pour(handler)

    server.answers.update({"/announced.py": announced, "/silent.py": silent, "/redirecting.py": redirecting})
    for path in ("/announced.py", "/silent.py"):
        refused(server, r"is longer than size_max, 1,000,000 bytes", path, size_max=1_000_000)
    assert resolve(server, "/redirecting.py").content == MODULE
    assert server.sent < GIGABYTE // 8  # what fits into the buffers of six sockets, and far from all


def test_size_max_itself_is_allowed(server: TlsServer) -> None:
    refused(server, "is longer than size_max", size_max=len(MODULE) - 1)
    assert resolve(server, size_max=len(MODULE)).content == MODULE


@pytest.mark.parametrize("where", ["headers", "body"])
def test_a_slow_server_is_stopped_by_the_time_of_the_whole(server: TlsServer, where: str) -> None:
    finished = threading.Event()

    def drip(handler: Handler) -> None:
        if where == "body":
            handler.reply(200, Content_Length=len(MODULE))
        else:
            handler.wfile.write(b"HTTP/1.1 200 OK\r\nX-Slow: ")
        # Each byte comes long before a timeout of the socket would be over, all of them long after it.
        for byte in MODULE * 4:
            if not handler.send(bytes([byte])):
                return
            handler.pause(0.1)
        finished.set()

    server.answers["/slow.py"] = drip
    refused(server, "took longer than timeout, 0.5 s", "/slow.py", timeout=0.5)
    assert not finished.is_set()


def test_a_server_that_says_nothing_at_all(server: TlsServer) -> None:
    server.answers["/mute.py"] = lambda handler: handler.pause(60)
    refused(server, r"took longer than timeout, 0\.3 s", "/mute.py", timeout=0.3)


def test_a_handshake_that_comes_too_late(server: TlsServer) -> None:
    server.delay = 3
    refused(server, r"took longer than timeout, 0\.3 s", timeout=0.3)
    assert server.asked == []


def test_a_transfer_that_breaks_off(server: TlsServer) -> None:
    def half(handler: Handler) -> None:
        handler.reply(200, Content_Length=len(MODULE))
        handler.send(MODULE[:10])

    server.answers["/half.py"] = half
    refused(server, f"broke off after 10 of {len(MODULE)} bytes", "/half.py")


def test_a_remote_module_with_a_syntax_error(server: TlsServer) -> None:
    text = b"x = 1\ny = (\n"
    server.answers["/broken.py"] = text
    with pytest.raises(LoadError, match=r"/broken\.py:2: SyntaxError"):
        resolve(server, "/broken.py", sha256=hashlib.sha256(text).hexdigest())


def test_a_host_that_does_not_exist_or_cannot_be_one() -> None:
    for host in ("no-such-host.invalid", "a..b", "x" * 70):
        with pytest.raises(LoadError, match=f"https://{host}/find.py: "):
            source.resolve(f"https://{host}/find.py:find#sha256={PINNED}")


def test_a_proxy_of_the_environment_is_asked(
    server: TlsServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The proxy is a server that does not know CONNECT; that it was asked is seen in its answer.
    with TlsServer(tmp_path, https=False) as proxy:
        monkeypatch.setenv("https_proxy", proxy.url("").removesuffix("/"))
        refused(server, "Tunnel connection failed: 501")
        assert server.asked == []
        monkeypatch.setenv("no_proxy", "localhost")
        assert resolve(server).content == MODULE
