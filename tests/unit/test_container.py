"""`Container`: what it takes, what it refuses, and how it travels."""

from __future__ import annotations

import pickle
from typing import Any

import pytest

from eisenmp import Container, SettingsError
from eisenmp.containers.keeper import _exposed, _split
from eisenmp.containers.relay import Route, closing


def test_what_is_given_is_in_the_recipe() -> None:
    container = Container(
        " shop:2 ",
        port=8080,
        command="exec shop",
        environment={"LEVEL": 3},
        volumes=["/data:/srv"],
        labels={"team": "blue"},
        memory="64m",
        health="/up",
        stop_timeout=1,
        pull="never",
        per_port=2,
    )
    recipe = container.recipe
    assert (recipe.image, recipe.port, recipe.memory, recipe.per_port) == ("shop:2", 8080, 64 << 20, 2)
    assert recipe.command == ("/bin/sh", "-c", "exec shop")
    assert (recipe.environment, recipe.labels) == ((("LEVEL", "3"),), (("team", "blue"),))
    assert (container.app, container.server, container.factory) == (recipe, "container", False)
    assert repr(container) == "Container('shop:2')"
    assert pickle.loads(pickle.dumps(recipe)) == recipe
    assert Container("shop", command=["a", "b"]).recipe.command == ("a", "b")


@pytest.mark.parametrize(
    ("memory", "size"), [(None, 0), (1 << 20, 1 << 20), ("2G", 2 << 30), ("512KiB", 0), ("3 apples", 0)]
)
def test_memory(memory: Any, size: int) -> None:
    if size or memory is None:
        assert Container("shop", memory=memory).recipe.memory == size
    else:
        with pytest.raises(SettingsError, match="memory is a number of bytes of at least 1 MiB"):
            Container("shop", memory=memory)


@pytest.mark.parametrize(
    ("keywords", "says"),
    [
        ({"image": " "}, "image is the name of one, such as 'shop:2', not ' '"),
        ({"image": None}, "image is the name of one, such as 'shop:2', not None"),
        ({"port": 0}, "port is a number from 1 to 65535, not 0"),
        ({"port": True}, "port is a number from 1 to 65535, not True"),
        ({"port": 65_536}, "port is a number from 1 to 65535, not 65536"),
        ({"command": [1]}, "command is a list of texts, not 1"),
        ({"command": {"a": 1}}, "command is a list of texts, not {'a': 1}"),
        ({"environment": ["A=1"]}, "environment is a mapping of names to values, not ['A=1']"),
        ({"volumes": "/a:/b"}, "volumes is a list of texts, not '/a:/b'"),
        ({"volumes": ["/a"]}, "volumes are written source:/place or source:/place:ro, not '/a'"),
        ({"network": "none"}, "network is one of bridge, host, not 'none'"),
        ({"health": "up"}, "health is 'tcp' or a path that begins with /, not 'up'"),
        ({"stop_timeout": -1}, "stop_timeout is a number of seconds, not -1"),
        ({"stop_timeout": True}, "stop_timeout is a number of seconds, not True"),
        ({"pull": "often"}, "pull is one of missing, never, always, not 'often'"),
        ({"per_port": 0}, "per_port is a whole number of at least 1, not 0"),
        ({"network": "host", "port": 80, "per_port": 2}, "several cannot listen on one port of the host"),
    ],
)
def test_what_is_refused(keywords: dict[str, Any], says: str) -> None:
    with pytest.raises(SettingsError) as refused:
        Container(**{"image": "shop", **keywords})
    assert says in str(refused.value)


@pytest.mark.parametrize(
    ("image", "parts"),
    [
        ("shop", ("shop", "latest")),
        ("shop:2", ("shop", "2")),
        ("host:5000/shop", ("host:5000/shop", "latest")),
        ("host:5000/shop:2", ("host:5000/shop", "2")),
        ("shop@sha256:ab", ("shop", "sha256:ab")),
    ],
)
def test_name_and_tag(image: str, parts: tuple[str, str]) -> None:
    assert _split(image) == parts


def test_exposed_ports() -> None:
    assert list(_exposed({"ExposedPorts": {"80/tcp": {}, "53/udp": {}, "81": {}}})) == [
        (80, "tcp"),
        (53, "udp"),
        (81, ""),
    ]
    assert list(_exposed({"ExposedPorts": None})) == []


def test_which_requests_ask_to_hang_up() -> None:
    asked = closing(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    assert asked == b"GET / HTTP/1.1\r\nConnection: close\r\nHost: x\r\n\r\n"
    for other in (
        b"GET / HTTP/1.0\r\n\r\n",
        b"GET /chat HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
        b"SET key value\r\n",
        b"\x16\x03\x01\x02\x00",
    ):
        assert closing(other) == other


def test_whose_turn_it_is() -> None:
    one, two = ("127.0.0.1", 1), ("127.0.0.1", 2)
    route = Route([], [one, two])
    assert [route.take() for _ in range(3)] == [one, two, one]
    # the manager hears of a bad answer until it is a good one
    steady = Route([], [one, two], steady=True)
    assert steady.take() == one
    steady.answered(one, b"HTTP/1.1 503 Service Unavailable\r\n")
    assert steady.take() == one
    steady.answered(one, b"HTTP/1.1 204 No Content\r\n")
    assert steady.take() == two
    steady.answered(one, b"HTTP/1.1 200 OK\r\n")
    assert steady.take() == two
    steady.answered(two, b"220 mail\r\n")
    assert steady.take() == one
