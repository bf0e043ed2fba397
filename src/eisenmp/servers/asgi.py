"""ASGI applications on uvicorn, in one event loop for all sockets of the slot."""

from __future__ import annotations

import asyncio

import uvicorn

from .accepting import noticing, stop_accepting

TYPE_CHECKING = False
if TYPE_CHECKING:
    from socket import socket
    from typing import Any

    from ..child.serving import Stop
    from ..child.toolbox import ToolBox

LOOK = 0.05  #: seconds between two looks whether the last connection has gone


def serve(app: Any, toolbox: ToolBox, sockets: list[socket], stop: Stop) -> None:
    """Serve until `stop` is set; raises RuntimeError where the application does not start."""
    config = uvicorn.Config(
        _saying_close(app, stop),
        log_level="warning",
        access_log=False,
        timeout_graceful_shutdown=max(1, round(stop.grace)),
    )
    # asyncio.run would take SIGINT, and Server.serve SIGTERM: the manager's orders come another way
    with asyncio.Runner(loop_factory=config.get_loop_factory()) as runner:
        runner.run(_serve(uvicorn.Server(config), sockets, stop))


async def _serve(server: Any, sockets: list[socket], stop: Stop) -> None:
    changed = noticing(stop)
    server.config.load()
    server.lifespan = server.config.lifespan_class(server.config)
    try:
        await server.startup(sockets=sockets)
    except SystemExit as error:
        raise RuntimeError("the lifespan of the application did not start") from error
    stop.ready()
    ticks = asyncio.create_task(server.main_loop())
    await changed.wait()
    await stop_accepting(sockets)
    for listener in server.servers:
        listener.close()
    while not stop.is_set() and server.server_state.connections:
        await asyncio.sleep(LOOK)
    server.should_exit = True
    await ticks
    await server.shutdown(sockets=sockets)


def _saying_close(app: Any, stop: Stop) -> Any:
    """The application; while the slot drains, its answers end their connections."""

    async def call(scope: Any, receive: Any, send: Any) -> None:
        async def send_and_close(message: Any) -> None:
            if message["type"] == "http.response.start":
                stop.answered()
            if stop.draining and message["type"] == "http.response.start":
                headers = [pair for pair in message.get("headers", ()) if pair[0].lower() != b"connection"]
                message = {**message, "headers": [*headers, (b"connection", b"close")]}
            await send(message)

        await app(scope, receive, send_and_close if scope["type"] == "http" else send)

    return call
