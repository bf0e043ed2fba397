"""What servers with an event loop share: noticing that they are to stop, and leaving the queue of a
listening socket to the process that follows.
"""

from __future__ import annotations

import asyncio

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from socket import socket

    from ..child.serving import Stop

ROUNDS = 0.05  #: seconds; some rounds of the loop, after which what was accepted is a connection


def noticing(stop: Stop) -> asyncio.Event:
    """An event of the loop that runs here, set whenever `stop` changes."""
    loop, changed = asyncio.get_running_loop(), asyncio.Event()

    def wake() -> None:
        try:
            loop.call_soon_threadsafe(changed.set)
        except RuntimeError:
            return  # it has ended meanwhile

    stop.on_change(wake)
    return changed


async def stop_accepting(sockets: Sequence[socket]) -> None:
    """Accept nothing more; when it returns, all that was accepted is a connection, and servers may be closed.

    asyncio makes a connection of a socket one round after it has accepted it. When its server is closed in
    between, the socket is closed too, and a client that was connected is reset.
    """
    loop = asyncio.get_running_loop()
    for each in sockets:
        loop.remove_reader(each.fileno())
    await asyncio.sleep(ROUNDS)
