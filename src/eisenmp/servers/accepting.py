"""Leaving the queue of a listening socket to the process that follows, in an event loop."""

from __future__ import annotations

import asyncio

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from socket import socket

ROUNDS = 0.05  #: seconds; some rounds of the loop, after which what was accepted is a connection


async def stop_accepting(sockets: Sequence[socket]) -> None:
    """Accept nothing more; when it returns, all that was accepted is a connection, and servers may be closed.

    asyncio makes a connection of a socket one round after it has accepted it. When its server is closed in
    between, the socket is closed too, and a client that was connected is reset.
    """
    loop = asyncio.get_running_loop()
    for each in sockets:
        loop.remove_reader(each.fileno())
    await asyncio.sleep(ROUNDS)
