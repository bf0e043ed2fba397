"""Which server an application needs, and that server as a function of (toolbox, sockets, stop)."""

from __future__ import annotations

import inspect
import sys
from functools import partial
from importlib import import_module

from ..errors import LoadError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

#: server: (module beside this one, the library that it needs)
SERVERS = {
    "uvicorn": ("asgi", "uvicorn"),
    "waitress": ("wsgi", "waitress"),
    "aiohttp": ("aiohttp_site", "aiohttp"),
    "http.server": ("http_handler", ""),
    "container": (".containers.keeper", "docker"),
}


def adapt(loaded: Any, server: str, factory: bool) -> Callable[[Any, Any, Any], Any]:
    """The function that serves what was loaded. Raises LoadError for what no server can serve."""
    app = loaded
    if factory:
        try:
            app = loaded()
        except Exception as error:
            raise LoadError(f"{_name(loaded)}() raised {type(error).__name__}: {error}") from error
    if server == "auto":
        server = find_server(app)
    if server == "function":
        return partial(_call, getattr(app, "__wrapped__", app))
    module, library = SERVERS[server]
    try:
        serve = import_module(f".{module}", __package__).serve
    except ImportError as error:
        if error.name is None or error.name.partition(".")[0] != library:
            raise
        extra = "containers" if library == "docker" else "servers"
        raise LoadError(f"{library} is not installed: pip install 'eisenmp[{extra}]'") from error
    return partial(serve, app)


def _call(function: Callable[..., Any], toolbox: Any, sockets: Any, stop: Any) -> None:
    stop.ready()
    function(toolbox, sockets, stop)


def find_server(app: Any) -> str:
    """The name of the server for the application, by what it is or how it is called."""
    web = sys.modules.get("aiohttp.web")
    if web is not None and isinstance(app, web.Application):
        return "aiohttp"
    handlers = sys.modules.get("http.server")
    if handlers is not None and isinstance(app, type) and issubclass(app, handlers.BaseHTTPRequestHandler):
        return "http.server"
    if not callable(app):
        raise LoadError(f"{type(app).__name__} is no application that can be served")
    if hasattr(app, "__wrapped__") and type(app).__name__ == "ServerWorker":
        return "function"
    call = app if inspect.isfunction(app) or inspect.ismethod(app) else type(app).__call__
    try:
        names = list(inspect.signature(app).parameters)
    except (TypeError, ValueError):
        names = []
    if inspect.iscoroutinefunction(call):
        return "uvicorn"
    if names == ["toolbox", "sockets", "stop"]:
        return "function"
    if len(names) == 3:
        return "uvicorn"
    if len(names) == 2 or hasattr(app, "wsgi_app"):
        return "waitress"
    raise LoadError(
        f"{_name(app)} is called with ({', '.join(names)}): neither ASGI nor WSGI; "
        "if it makes the application, say factory=True"
    )


def _name(app: Any) -> str:
    return getattr(app, "__qualname__", type(app).__name__)
