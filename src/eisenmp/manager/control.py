"""The local control socket of a manager with servers: what `eisenmp ps`, `map`, `reload` and others ask.

One request, a line of JSON, and one answer. The socket lies in a folder that only this user may enter, and
who asks must be this user.
"""

from __future__ import annotations

import json
import os
import socket
import struct
import sys
import threading
from time import monotonic

from ..errors import EisenmpError, SettingsError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import Any

    from .follower import Follower
    from .mp import Mp

SUFFIX = ".sock"
REQUEST_MAX = 1 << 16
PATIENCE = 10.0  #: seconds for a client to say what it wants
GOODBYE = 1.0  #: seconds for a client to take what it was sent, when the manager ends


def run_folder() -> str:
    """Where the sockets of this user's managers are."""
    base = os.environ.get("XDG_RUNTIME_DIR")
    if base:
        return os.path.join(base, "eisenmp")
    return os.path.join("/tmp", f"eisenmp-{_user()}")


def _user() -> int:
    own: Any = getattr(os, "getuid", None)
    return 0 if own is None else int(own())


def open_folder() -> str:
    """The folder, made if need be. Raises OSError where it is somebody else's or others may enter it."""
    folder = run_folder()
    os.makedirs(folder, mode=0o700, exist_ok=True)
    found = os.lstat(folder)
    if found.st_uid != _user() or found.st_mode & 0o077:
        raise PermissionError(f"{folder} is not ours alone")
    return folder


class Control:
    """Answers in threads of its own until it is closed."""

    _socket: socket.socket
    _thread: threading.Thread
    _closed = False
    _inode: tuple[int, int]

    def __init__(self, manager: Mp) -> None:
        self._manager = manager
        self.path = os.path.join(open_folder(), f"{manager.settings.name or manager.uid}{SUFFIX}")
        self._threads: list[threading.Thread] = []
        self._connections: set[socket.socket] = set()
        self._followers: list[Follower] = []
        self._lock = threading.Lock()
        if sys.platform == "win32":
            raise OSError("there are no such sockets on Windows")
        if ask_path(self.path, {"command": "ps"}) is not None:
            raise SettingsError(f"a manager of the name {manager.settings.name!r} runs already")
        if os.path.exists(self.path):
            os.unlink(self.path)  # of one that was killed
        self._socket = socket.socket(socket.AF_UNIX)
        try:
            self._socket.bind(self.path)
            os.chmod(self.path, 0o600)
            self._socket.listen(16)
            self._inode = _inode(self.path)
        except OSError:
            self._socket.close()
            raise
        self._thread = threading.Thread(target=self._accept, name="eisenmp-control", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Nobody is answered any more."""
        self._closed = True
        try:
            # somebody may have cleaned up, or another manager may have come in our place
            if _inode(self.path) == self._inode:
                os.unlink(self.path)
        except FileNotFoundError:
            pass
        try:
            self._socket.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass  # not needed to wake the thread everywhere
        self._thread.join()
        self._socket.close()
        for follower in list(self._followers):
            follower.close()
        threads = [thread for thread in self._threads if thread is not threading.current_thread()]
        until = monotonic() + GOODBYE
        for thread in threads:
            thread.join(max(0.0, until - monotonic()))
        for connection in list(self._connections):
            try:
                connection.shutdown(socket.SHUT_RDWR)  # it neither asks nor reads
            except OSError:
                continue  # it is gone
        for thread in threads:
            thread.join()

    def _accept(self) -> None:
        while not self._closed:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            self._threads = [thread for thread in self._threads if thread.is_alive()]
            thread = threading.Thread(
                target=self._answer, args=(connection,), name="eisenmp-control-answer", daemon=True
            )
            self._threads.append(thread)
            thread.start()

    def _answer(self, connection: socket.socket) -> None:
        self._connections.add(connection)
        try:
            with connection:
                self._serve(connection)
        finally:
            self._connections.discard(connection)

    def _serve(self, connection: socket.socket) -> None:
        connection.settimeout(PATIENCE)
        try:
            if not _is_own(connection):
                return
            request = json.loads(_line(connection))
            if request["command"] == "logs" and request.get("follow"):
                connection.settimeout(None)
                self._follow(connection, request.get("slot"))
                return
            answer = self._do(request)
        except (EisenmpError, TimeoutError) as error:
            answer = {"error": str(error)}
        except (OSError, ValueError, TypeError, KeyError) as error:
            answer = {"error": f"not understood: {type(error).__name__}: {error}"}
        try:
            connection.sendall(json.dumps(answer).encode() + b"\n")
        except OSError:
            return  # it does not wait for it

    def _follow(self, connection: socket.socket, slot: str | None) -> None:
        from .events import OutputLine
        from .follower import Follower

        manager = self._manager
        with manager.dispatcher.lock:
            # nothing is written between the one and the other
            number = None if slot is None else manager.fleet.find(_slot(slot)).number
            lines = [] if number is None else manager.last_lines(number)
            follower = Follower(connection, number, lines)
            manager.on(OutputLine, follower.wrote)
            self._followers.append(follower)
        try:
            if self._closed:
                follower.close()
            follower.run()
        except OSError:
            return  # the reader is gone
        finally:
            manager.off(OutputLine, follower.wrote)
            self._followers.remove(follower)

    def _do(self, request: Mapping[str, Any]) -> dict[str, Any]:
        manager, command = self._manager, request["command"]
        if command == "ps":
            slots = manager.map()
            serving = sum(slot.state == "serving" for slot in slots)
            name = manager.settings.name or manager.uid
            return {"name": name, "pid": os.getpid(), "slots": len(slots), "serving": serving}
        if command == "map":
            return {"slots": [slot._asdict() for slot in manager.map()]}
        if command == "reload":
            return {"reloaded": manager.reload(request.get("group"), canary=request.get("canary"))}
        if command == "drain":
            manager.drain(_slot(request["slot"]))
            return {}
        if command == "scale":
            manager.scale(request["group"], request["slots"])
            return {}
        if command == "logs":
            return {"lines": manager.last_lines(_slot(request["slot"]))}
        raise ValueError(command)


def _slot(given: Any) -> int | str:
    return int(given) if str(given).isdecimal() else str(given)


def _inode(path: str) -> tuple[int, int]:
    found = os.lstat(path)
    return found.st_dev, found.st_ino


def _is_own(connection: socket.socket) -> bool:
    """Whether this very user asks, where the system can tell; the folder keeps others out anyway."""
    credentials: int | None = getattr(socket, "SO_PEERCRED", None)
    if credentials is None:
        return True
    _, user, _ = struct.unpack("3i", connection.getsockopt(socket.SOL_SOCKET, credentials, 12))
    return bool(user == _user())


def _line(connection: socket.socket) -> bytes:
    data = b""
    while not data.endswith(b"\n"):
        part = connection.recv(4096)
        if not part or len(data) > REQUEST_MAX:
            raise ValueError("the request is no line")
        data += part
    return data


def ask_path(path: str, request: Mapping[str, Any]) -> dict[str, Any] | None:
    """The answer of the manager at this socket; None where none answers. Waits as long as it takes."""
    if sys.platform == "win32":
        return None
    with socket.socket(socket.AF_UNIX) as connection:
        try:
            connection.connect(path)
            connection.sendall(json.dumps(request).encode() + b"\n")
            with connection.makefile("rb") as answers:
                line = answers.readline()
        except OSError:
            return None
    answer: dict[str, Any] | None = json.loads(line) if line else None
    return answer


def follow_path(path: str, slot: str | None) -> Iterator[str]:
    """The lines of a slot, or of all, as they are written, until its manager ends. Raises EisenmpError."""
    if sys.platform == "win32":
        return
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(path)
        request = {"command": "logs", "slot": slot, "follow": True}
        connection.sendall(json.dumps(request).encode() + b"\n")
        with connection.makefile("rb") as answers:
            for line in answers:
                answer = json.loads(line)
                if "error" in answer:
                    raise EisenmpError(answer["error"])
                yield from answer["lines"]


def sockets() -> list[str]:
    """The paths of the sockets of this user's managers, also of those that were killed."""
    try:
        names = sorted(os.listdir(run_folder()))
    except OSError:
        return []
    return [os.path.join(run_folder(), name) for name in names if name.endswith(SUFFIX)]
