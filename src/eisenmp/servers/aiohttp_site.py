"""Applications of aiohttp on its own server, in one event loop for all sockets of the slot."""

from __future__ import annotations

import asyncio

from aiohttp import web

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
    loop = asyncio.get_running_loop()
    changed = asyncio.Event()

    def wake() -> None:
        loop.call_soon_threadsafe(changed.set)

    stop.on_change(wake)

    async def close(request: web.Request, response: web.StreamResponse) -> None:
        stop.answered()
        if stop.draining:
            response.force_close()

    app.on_response_prepare.append(close)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=stop.grace)
    await runner.setup()
    try:
        for each in sockets:
            await web.SockSite(runner, each, backlog=BACKLOG).start()
        stop.ready()
        await changed.wait()
        for site in runner.sites:
            await site.stop()
        while True:
            # also what was accepted at the last moment is a connection after some rounds of the loop
            await asyncio.sleep(LOOK)
            if stop.is_set() or runner.server is None or not runner.server.connections:
                break
    finally:
        await runner.cleanup()
