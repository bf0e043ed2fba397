"""Applications of aiohttp on its own server, in one event loop for all sockets of the slot."""

from __future__ import annotations

import asyncio

from aiohttp import web

from .accepting import noticing, stop_accepting

TYPE_CHECKING = False
if TYPE_CHECKING:
    from socket import socket
    from typing import Any

    from ..child.serving import Stop
    from ..child.toolbox import ToolBox

LOOK = 0.05  #: seconds between two looks whether the last connection has gone
BACKLOG = 2048


def serve(app: Any, toolbox: ToolBox, sockets: list[socket], stop: Stop) -> None:
    """Serve until `stop` is set."""
    with asyncio.Runner() as runner:
        runner.run(_serve(app, sockets, stop))


async def _serve(app: web.Application, sockets: list[socket], stop: Stop) -> None:
    changed = noticing(stop)

    async def close(request: web.Request, response: web.StreamResponse) -> None:
        stop.answered()
        if stop.draining:
            response.force_close()
            # the headers are made before this is called; a client that is not told would ask once more
            response.headers["Connection"] = "close"

    app.on_response_prepare.append(close)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=stop.grace)
    await runner.setup()
    try:
        for each in sockets:
            await web.SockSite(runner, each, backlog=BACKLOG).start()
        stop.ready()
        await changed.wait()
        await stop_accepting(sockets)
        for site in runner.sites:
            await site.stop()
        while not stop.is_set() and runner.server is not None and runner.server.connections:
            await asyncio.sleep(LOOK)
    finally:
        await runner.cleanup()
