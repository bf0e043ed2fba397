"""What is served: an application, and how it becomes a server."""

from __future__ import annotations

from ..errors import SettingsError
from .record import NamedTuple

SERVERS = ("auto", "uvicorn", "waitress", "aiohttp", "http.server", "function")


class Serving(NamedTuple):
    """What a worker is told of its place: listening sockets by descriptor, and how to serve on them.

    A spare has the place -1 and no sockets, until its Posting comes.
    `server` is empty for a function of (toolbox, sockets, stop), else one of SERVERS.
    """

    group: str
    place: int
    ports: tuple[int, ...]
    sockets: tuple[tuple[int, int], ...]  #: (descriptor, address family)
    grace: float
    requests_max: int = 0  #: after so many requests it asks to be replaced; 0 for no limit
    server: str = ""
    factory: bool = False
    health: str = ""  #: 'tcp', a path, or 'function' for `check`; empty where nobody asks
    health_timeout: float = 2.0
    check: object = None  #: the Source of a function of the toolbox


class Posting(NamedTuple):
    """The slot that a spare takes. `serving.sockets` have families only: the descriptors come before it."""

    slot: int
    name: str
    worker_id: int
    cores: tuple[int, ...]
    serving: Serving


class Site:
    """An application for the port groups of a manager: `eisenmp.Mp(Site("app:create_app", factory=True), …)`.

    `app`: 'file.py:name', 'package.module:name' or the object itself: ASGI, WSGI, an aiohttp Application, a
    handler class of http.server, or a function of (toolbox, sockets, stop). `factory`: it is called without
    arguments and returns one of these, in each process anew. `server`: 'auto' finds out which server the
    application needs; or 'uvicorn', 'waitress', 'aiohttp', 'http.server' or 'function'.
    """

    def __init__(self, app: object, *, factory: bool = False, server: str = "auto") -> None:
        if server not in SERVERS:
            raise SettingsError(f"server must be one of {', '.join(SERVERS)}, not {server!r}")
        self.app, self.factory, self.server = app, factory, server

    def __repr__(self) -> str:
        return f"Site({self.app!r}, factory={self.factory}, server={self.server!r})"
