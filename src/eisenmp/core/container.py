"""What is served from a container: the image, and how its containers are made."""

from __future__ import annotations

from ..errors import SettingsError
from .record import NamedTuple
from .site import Site

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

    from ..child.serving import Stop

PULLS = ("missing", "never", "always")
NETWORKS = ("bridge", "host")
SERVER = "container"
PORT_MAX = 65_535
UNITS = {"K": 1 << 10, "M": 1 << 20, "G": 1 << 30}
MEMORY_MIN = 1 << 20


class Recipe(NamedTuple):
    """How the containers of a slot are made. What it is called with, `containers.keeper` does.

    `port`: where the program in it listens; 0 for the one that the image exposes, or that it is told.
    """

    image: str
    port: int = 0
    command: tuple[str, ...] = ()
    environment: tuple[tuple[str, str], ...] = ()
    volumes: tuple[str, ...] = ()
    labels: tuple[tuple[str, str], ...] = ()
    memory: int = 0
    network: str = "bridge"
    health: str = "tcp"
    stop_timeout: float = 5.0
    pull: str = "missing"
    per_port: int = 1

    def __call__(self, toolbox: object, sockets: Any, stop: Stop) -> None:
        """Serve from containers; loads the library that speaks to the engine."""
        # an upper layer, by name
        from importlib import import_module

        import_module("eisenmp.containers.keeper").serve(self, toolbox, sockets, stop)


class Container(Site):
    """Containers for the port groups of a manager: `eisenmp.Mp(Container("shop:2", port=8080), …)`.

    Each port of a slot is served by `per_port` containers of its own, on the cores of the slot. `image`: its
    name. `port`: where the program in it listens; None for the one port that the image exposes, and with
    `network='host'` for a free one that it is told as PORT. `command`: words, or one text for `/bin/sh -c`.
    `environment`, `labels`: names and values; `volumes`: 'source:/place' or 'source:/place:ro'. `memory`: the
    most that one may use, in bytes or as '64M'. `health`: 'tcp', or the path of a page that has to be there
    before it counts as ready. `stop_timeout`: seconds between SIGTERM and SIGKILL. `pull`: 'missing', 'never'
    or 'always'.
    """

    def __init__(
        self,
        image: str,
        *,
        port: int | None = None,
        command: str | Sequence[str] = (),
        environment: Mapping[str, object] | None = None,
        volumes: Sequence[str] = (),
        labels: Mapping[str, object] | None = None,
        memory: int | str | None = None,
        network: str = "bridge",
        health: str = "tcp",
        stop_timeout: float = 5.0,
        pull: str = "missing",
        per_port: int = 1,
    ) -> None:
        _check(
            isinstance(image, str) and bool(image.strip()),
            "image is the name of one, such as 'shop:2'",
            image,
        )
        _check(port is None or _is_whole(port, 1, PORT_MAX), f"port is a number from 1 to {PORT_MAX}", port)
        _check(network in NETWORKS, f"network is one of {', '.join(NETWORKS)}", network)
        _check(pull in PULLS, f"pull is one of {', '.join(PULLS)}", pull)
        _check(
            isinstance(health, str) and (health == "tcp" or health.startswith("/")),
            "health is 'tcp' or a path that begins with /",
            health,
        )
        _check(_is_whole(per_port, 1, 1000), "per_port is a whole number of at least 1", per_port)
        _check(
            type(stop_timeout) in (int, float) and stop_timeout >= 0,
            "stop_timeout is a number of seconds",
            stop_timeout,
        )
        if network == "host" and port is not None and per_port > 1:
            raise SettingsError("a container: several cannot listen on one port of the host; leave port out")
        for volume in _texts(volumes, "volumes"):
            parts = volume.split(":")
            whole = len(parts) in (2, 3) and all(parts)
            _check(whole, "volumes are written source:/place or source:/place:ro", volume)
        words = ("/bin/sh", "-c", command) if isinstance(command, str) and command else command
        self.recipe = Recipe(
            image=image.strip(),
            port=port or 0,
            command=_texts(words, "command"),
            environment=_pairs(environment, "environment"),
            volumes=_texts(volumes, "volumes"),
            labels=_pairs(labels, "labels"),
            memory=0 if memory is None else _bytes(memory),
            network=network,
            health=health,
            stop_timeout=float(stop_timeout),
            pull=pull,
            per_port=per_port,
        )
        super().__init__(self.recipe)
        self.server = SERVER

    def __repr__(self) -> str:
        return f"Container({self.recipe.image!r})"


def _check(holds: bool, what: str, given: object) -> None:
    if not holds:
        raise SettingsError(f"a container: {what}, not {given!r}")


def _is_whole(value: object, least: int, most: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and least <= value <= most


def _texts(values: object, what: str) -> tuple[str, ...]:
    _check(isinstance(values, list | tuple), f"{what} is a list of texts", values)
    for value in values:  # type: ignore[attr-defined]
        _check(isinstance(value, str), f"{what} is a list of texts", value)
    return tuple(values)  # type: ignore[arg-type]


def _pairs(values: object, what: str) -> tuple[tuple[str, str], ...]:
    items = getattr({} if values is None else values, "items", None)
    _check(items is not None, f"{what} is a mapping of names to values", values)
    return tuple((str(name), str(value)) for name, value in items())  # type: ignore[misc]


def _bytes(value: object) -> int:
    text = str(value).strip().upper().removesuffix("B").removesuffix("I")
    number, factor = (text[:-1], UNITS[text[-1]]) if text[-1:] in UNITS else (text, 1)
    given = int(number) * factor if number.isdecimal() and not isinstance(value, bool) else 0
    _check(given >= MEMORY_MIN, "memory is a number of bytes of at least 1 MiB, such as '64M'", value)
    return given
