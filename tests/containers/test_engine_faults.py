"""Keepers on an engine that fails: each fault is one clear error, and no container stays."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from eisenmp import Container, ContainerError
from eisenmp.child.serving import Stop
from eisenmp.containers import leftovers
from eisenmp.containers.engine import find_engine, places
from eisenmp.containers.keeper import serve
from tests.containers.fake_engine import FakeEngine, Faults


class Kept:
    """A keeper in a thread, on sockets of its own, from `with` until it has ended."""

    def __init__(self, *, sockets: int = 1, grace: float = 10.0, **keywords: Any) -> None:
        self.recipe = Container("shop", **{"stop_timeout": 0, **keywords}).recipe
        self.is_ready = threading.Event()
        self.stop = Stop(grace, self.is_ready.set, 0, lambda: None)
        self.sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(sockets)]
        self.ports = [each.getsockname()[1] for each in self.sockets]
        self.error: ContainerError | None = None
        self._thread = threading.Thread(target=self._run)

    def _run(self) -> None:
        try:
            serve(self.recipe, None, self.sockets, self.stop)  # type: ignore[arg-type]
        except ContainerError as error:
            self.error = error
        finally:
            self.is_ready.set()

    def __enter__(self) -> Kept:
        for each in self.sockets:
            each.setblocking(False)
        self._thread.start()
        assert self.is_ready.wait(30)
        return self

    def __exit__(self, *_: object) -> None:
        self.stop.set()
        self.join()
        self.stop.close()
        for each in self.sockets:
            each.close()

    def join(self) -> None:
        self._thread.join(30)
        assert not self._thread.is_alive()

    def connect(self, place: int = 0) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.ports[place]), timeout=20)


def refusal(**keywords: Any) -> str:
    """What a keeper says that cannot serve."""
    with Kept(**keywords) as kept:
        kept.join()
        assert kept.error is not None
        return str(kept.error)


def ask(connection: socket.socket, path: str = "/") -> tuple[str, str]:
    """The head and the body of the answer."""
    connection.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: keep-alive\r\n\r\n".encode())
    data = b""
    while not data.endswith(b"\n") or b"\r\n\r\n" not in data or data.endswith(b"\r\n\r\n"):
        part = connection.recv(4096)
        if not part:
            break
        data += part
    head, _, body = data.decode().partition("\r\n\r\n")
    return head, body


# finding an engine


def test_where_an_engine_may_be() -> None:
    assert places({"DOCKER_HOST": "unix:///a", "CONTAINER_HOST": "unix:///b"}) == ["unix:///a"]
    assert places({"CONTAINER_HOST": "unix:///b", "HOME": "/h"}) == ["unix:///b"]
    assert places({"XDG_RUNTIME_DIR": "/r", "HOME": "/h"}) == [
        "unix:///var/run/docker.sock",
        "unix:///run/podman/podman.sock",
        "unix:///r/docker.sock",
        "unix:///r/podman/podman.sock",
        "unix:///h/.docker/run/docker.sock",
    ]


def test_no_engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = f"unix://{tmp_path}/none.sock"
    monkeypatch.setenv("DOCKER_HOST", place)
    assert refusal() == (
        f"no container engine answers ({place}: No such file or directory); start Docker or "
        "`podman system service`, or say in DOCKER_HOST where it is"
    )


def test_a_socket_where_nobody_listens(tmp_path: Path) -> None:
    path = tmp_path / "dead.sock"
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))
    with pytest.raises(ContainerError, match=r"dead.sock: Connection refused"):
        find_engine({"DOCKER_HOST": f"unix://{path}"})


def test_an_engine_elsewhere_is_refused() -> None:
    with pytest.raises(ContainerError, match="tcp://engine.example:2376: it is not on this machine"):
        find_engine({"DOCKER_HOST": "tcp://engine.example:2376"})


def test_something_else_answers(engine: FakeEngine, faults: Faults) -> None:
    faults.raw["/_ping"] = b"hello"
    find_engine().close()  # a body of its own is no fault: the version is in the head
    with socket.create_server(("127.0.0.1", 0)) as other:

        def answer() -> None:
            connection, _ = other.accept()
            with connection:
                connection.recv(4096)
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")

        thread = threading.Thread(target=answer)
        thread.start()
        with pytest.raises(ContainerError, match="what answers is no container engine"):
            find_engine({"DOCKER_HOST": f"tcp://127.0.0.1:{other.getsockname()[1]}"})
        thread.join()


# what it refuses


def test_an_image_that_does_not_exist(engine: FakeEngine, faults: Faults) -> None:
    engine.images.clear()
    assert refusal(pull="never") == "there is no image 'shop', and pull is 'never'"
    assert refusal() == "there is no image 'shop', and it cannot be fetched: manifest unknown"
    faults.raw["/images/create"] = b"<html>"
    assert refusal().startswith("image 'shop': the engine's answer cannot be read")


def set_create(faults: Faults) -> None:
    faults.create = "no space left on device"


def set_start(faults: Faults) -> None:
    faults.start = 'exec: "/bin/nothere": no such file or directory'


def set_unpublished(faults: Faults) -> None:
    faults.unpublished = True


def set_ends(faults: Faults) -> None:
    faults.ends_with = 3


def set_killed(faults: Faults) -> None:
    faults.ends_with = 137


def set_oom(faults: Faults) -> None:
    faults.ends_with, faults.oom = 137, True


def set_no_json(faults: Faults) -> None:
    faults.raw["/containers/create"] = b"<html>"


def set_no_number(faults: Faults) -> None:
    faults.raw["/containers/create"] = b"{}"


def set_list(faults: Faults) -> None:
    faults.raw["/containers/create"] = b"[]"


def set_leftovers(faults: Faults) -> None:
    faults.raw["/containers/json"] = b'[{"Names": []}]'


@pytest.mark.parametrize(
    ("set_fault", "says"),
    [
        (set_create, "container for /0:PORT: no space left on device"),
        (set_start, 'container 000000000000 of shop for /0:PORT does not start: exec: "/bin/nothere"'),
        (set_unpublished, "the engine does not say where its port 80 is"),
        (set_ends, "container 000000000000 of shop for /0:PORT ended with exit code 3"),
        (set_killed, "ended with exit code 137 (SIGKILL)"),
        (set_oom, "ended: out of memory"),
        (set_no_json, "container for /0:PORT: the engine's answer cannot be read"),
        (set_no_number, "container for /0:PORT: the engine's answer cannot be read"),
        (set_list, "container for /0:PORT: the engine's answer cannot be read"),
        (set_leftovers, "the list of containers cannot be read"),
    ],
)
def test_what_an_engine_does_wrong(
    engine: FakeEngine, faults: Faults, set_fault: Callable[[Faults], None], says: str
) -> None:
    set_fault(faults)
    with Kept() as kept:
        kept.join()
        assert says.replace("PORT", str(kept.ports[0])) in str(kept.error)
    assert not engine.containers


def test_an_image_without_a_port(engine: FakeEngine) -> None:
    engine.images["shop"] = {"ExposedPorts": None}
    assert refusal() == "image 'shop' exposes no port: say which with port"
    engine.images["shop"] = {"ExposedPorts": {"80/tcp": {}, "443/tcp": {}}}
    assert refusal() == "image 'shop' exposes several ports: say which with port"


# while it serves


def test_what_a_container_is_made_of(engine: FakeEngine, capsys: pytest.CaptureFixture[str]) -> None:
    keywords: dict[str, Any] = {
        "command": "exec shop",
        "environment": {"LEVEL": 3},
        "volumes": ["/data:/srv:ro"],
        "labels": {"team": "blue"},
        "memory": "64M",
    }
    with Kept(**keywords) as kept:
        (container,) = engine.containers.values()
        request, host = container.request, container.request["HostConfig"]
        assert request["Cmd"] == ["/bin/sh", "-c", "exec shop"]
        assert set(request["Env"]) == {"LEVEL=3", "PORT=80"}
        assert list(request["ExposedPorts"]) == ["80/tcp"]
        assert request["Labels"]["team"] == "blue"
        assert request["Labels"]["eisenmp.port"] == str(kept.ports[0])
        assert request["Labels"][leftovers.OWNER] == leftovers.owner()
        assert (host["Memory"], host["Binds"], host["NetworkMode"]) == (64 << 20, ["/data:/srv:ro"], "bridge")
        assert [each["HostIp"] for each in host["PortBindings"]["80/tcp"]] == ["127.0.0.1"]
        with kept.connect() as connection:
            assert ask(connection, "/a")[1].split()[0] == container.number
            assert ask(connection, "/b")[0].startswith("HTTP/1.1 200 ")
    assert kept.error is None
    # as its image says
    assert container.signals == ["SIGQUIT"]
    assert engine.removed == [container]
    told = capsys.readouterr()
    assert told.out.splitlines() == ["one", "two", "three", "/a", "/b"]
    assert told.err.splitlines() == ["wrong"]


def test_on_the_network_of_the_host(engine: FakeEngine) -> None:
    with Kept(network="host") as kept, kept.connect() as connection:
        (container,) = engine.containers.values()
        assert container.request["HostConfig"]["NetworkMode"] == "host"
        assert container.request.get("ExposedPorts") in (None, {})
        assert f"PORT={container.port}" in container.request["Env"]
        assert ask(connection)[1].split()[0] == container.number


def test_several_containers_behind_each_port(engine: FakeEngine) -> None:
    with Kept(sockets=2, per_port=2) as kept:
        assert len(engine.containers) == 4
        seen = []
        for place in (0, 1):
            for _ in range(4):
                with kept.connect(place) as connection:
                    seen.append(ask(connection)[1].split()[0])
        assert seen[0:2] == seen[2:4]
        assert seen[4:6] == seen[6:8]
        assert set(seen) == set(engine.containers)
    assert len(engine.removed) == 4


def test_a_container_that_ends_by_itself(engine: FakeEngine) -> None:
    with Kept(sockets=2) as kept:
        first, _ = engine.containers.values()
        first.end(1)
        kept.join()
        assert str(kept.error).endswith("ended with exit code 1")
    assert not engine.containers


def test_a_container_that_somebody_removes(engine: FakeEngine) -> None:
    with Kept() as kept:
        (number,) = engine.containers
        gone = engine.containers.pop(number)
        gone.end(0)
        kept.join()
        assert f"container {number[:12]} of shop" in str(kept.error)


def test_a_container_that_is_deaf_is_killed(engine: FakeEngine, faults: Faults) -> None:
    faults.deaf = True
    with Kept(stop_timeout=0.05):
        (container,) = engine.containers.values()
    assert container.signals == ["SIGQUIT"]
    assert container.code == 137
    assert engine.removed == [container]


# the library leaves sockets that could not be connected to the collector
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_an_engine_that_goes_away(engine: FakeEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("eisenmp.containers.running.RETRY", 0.01)
    with Kept() as kept:
        engine.go_away()
        kept.join()
        assert f"{engine.place} does not answer" in str(kept.error)
    # what lives on has the label of a keeper that will be dead
    assert [leftovers.OWNER in each.request["Labels"] for each in engine.containers.values()] == [True]


def test_a_drain_has_the_container_hang_up(engine: FakeEngine) -> None:
    with Kept() as kept, kept.connect() as connection, kept.connect() as idle:
        assert "['keep-alive']" in ask(connection)[1]
        assert "['keep-alive']" in ask(idle)[1]
        kept.stop.drain(60)
        head, body = ask(connection)
        assert "['close', 'keep-alive']" in body
        assert connection.recv(1) == b""
        # one that is idle stays open until the lame duck has ended
        kept.stop.set()
        assert idle.recv(1) == b""
    assert kept.error is None


def test_nobody_behind_the_port(engine: FakeEngine) -> None:
    with Kept() as kept:
        (container,) = engine.containers.values()
        site = container._site
        assert site is not None
        site.shutdown()
        site.socket.close()
        # it may be reset before it is known here that it was accepted
        with pytest.raises(ConnectionResetError), kept.connect() as connection:
            connection.recv(1)


# leftovers


def test_whose_keeper_is_dead() -> None:
    host, boot, namespace, pid, started = leftovers.owner().split()
    assert int(pid) == os.getpid()
    assert not leftovers.is_dead(leftovers.owner())
    assert leftovers.is_dead(f"{host} {boot} {namespace} {pid} 1.0"), "a later process of that number"
    assert leftovers.is_dead(f"{host} {boot} {namespace} {2**22 + 1} {started}")
    assert leftovers.is_dead(f"{host} another {namespace} {pid} {started}")
    # nothing is known of those
    assert not leftovers.is_dead(f"other {boot} {namespace} {pid} 1.0")
    assert not leftovers.is_dead(f"{host} {boot} pid:[1] {pid} 1.0")
    assert not leftovers.is_dead(f"{host} {boot} {namespace} x 1.0")
    assert not leftovers.is_dead("")


def test_leftovers_are_removed_at_the_start(engine: FakeEngine, capsys: pytest.CaptureFixture[str]) -> None:
    host, boot, namespace, _, started = leftovers.owner().split()
    dead = f"{host} {boot} {namespace} {2**22 + 1} {started}"
    left = engine.add({"Labels": {leftovers.OWNER: dead, "eisenmp.slot": "blue/0"}})
    others = [
        engine.add({"Labels": {leftovers.OWNER: leftovers.owner()}}),
        engine.add({"Labels": {leftovers.OWNER: f"other {boot} {namespace} 1 1.0"}}),
        engine.add({"Labels": None}),
    ]
    with Kept():
        assert engine.removed == [left]
    assert list(engine.containers.values()) == others
    assert "removed a container of blue/0 whose keeper had died" in capsys.readouterr().out
