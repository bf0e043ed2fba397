"""How the server of this process is, found out whenever the manager wants to know.

It is asked from inside, on a socket that is nobody else's: a port may be shared by several slots, and is by a
process and the one that follows it, so an answer there says nothing about one of them.
"""

from __future__ import annotations

import threading
from socket import AF_INET, SHUT_WR, SOCK_STREAM, create_connection, socket

from ..core import messages as m
from ..core.messages import Message
from ..errors import Stopped

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from .channel import Channel

LOOPBACK = "127.0.0.1"
BACKLOG = 16
LINE_MAX = 4096
TCP = "tcp"


class Health:
    """Answers each question of the manager from a thread of its own: what hangs there hinders nobody.

    `how`: 'tcp', the path of a page, or anything else for `function`, which is called without arguments.
    """

    def __init__(self, how: str, timeout: float, function: Callable[[], object], channel: Channel) -> None:
        self._how = how
        self._timeout = timeout
        self._function = function
        self._channel = channel
        self._running = False
        self._address = ("", 0)

    def open(self) -> list[socket]:
        """The socket to serve on beside the others, where one is asked through."""
        if self._how != TCP and not self._how.startswith("/"):
            return []
        door = socket(AF_INET, SOCK_STREAM)
        door.bind((LOOPBACK, 0))
        door.listen(BACKLOG)
        door.setblocking(False)
        self._address = door.getsockname()
        return [door]

    def ask(self, number: int) -> None:
        """Begin a check; while another one runs, the manager hears nothing and counts that as a failure."""
        if self._running:
            return
        self._running = True
        threading.Thread(target=self._check, args=(number,), name="eisenmp-health", daemon=True).start()

    def _check(self, number: int) -> None:
        try:
            passed = self._passes()
        finally:
            self._running = False
        try:
            self._channel.post(Message(m.CHECKED, a=number, flags=int(passed)))
            self._channel.flush()
        except Stopped:
            return  # nobody wants to know any more

    def _passes(self) -> bool:
        try:
            if self._how == TCP:
                return self._is_taken()
            return self._is_answered() if self._how.startswith("/") else bool(self._function())
        except OSError:
            return False
        except Exception:
            import traceback

            # a check that is broken is not a server that is well
            traceback.print_exc()
            return False

    def _is_taken(self) -> bool:
        """Whether somebody accepts a connection: it waits in the socket where nobody does."""
        with create_connection(self._address, self._timeout) as connection:
            connection.shutdown(SHUT_WR)
            connection.recv(1)
        return True

    def _is_answered(self) -> bool:
        """Whether a GET of the page is answered with a status below 400."""
        with create_connection(self._address, self._timeout) as connection:
            words = ask(connection, self._how)
        return len(words) > 1 and words[0].startswith(b"HTTP/") and words[1] < b"400"


def ask(connection: socket, page: str) -> list[bytes]:
    """The words of the line that a GET of the page is answered with: protocol, status, reason; or fewer."""
    connection.sendall(
        f"GET {page} HTTP/1.1\r\nHost: localhost\r\nUser-Agent: eisenmp\r\nConnection: close\r\n\r\n".encode()
    )
    answer = b""
    while b"\n" not in answer and len(answer) < LINE_MAX:
        part = connection.recv(LINE_MAX)
        if not part:
            break
        answer += part
    return answer.split(None, 2)
