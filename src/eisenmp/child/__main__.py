"""The process of a worker: `python -m eisenmp.child`, started by the manager only.

Arguments: `fd SOCKET LIFE_LINE`, the numbers of inherited descriptors; or `connect PORT`, on the portable
path, with the key on standard input.
"""

from __future__ import annotations

import os
import sys
from _socket import socket as Socket

from ..core import messages as m
from ..core.record import NamedTuple
from ..wire import platform
from ..wire.frames import HEADER, HEADER_SIZE
from ..wire.link import Link
from ..wire.pickles import loads
from .host import Host
from .stream import LineStream

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .spec import Spec


class Connection(NamedTuple):
    """The socket to the manager, and whether the kernel ends this process with the manager."""

    socket: Socket
    guarded: bool


def connect(arguments: list[str]) -> Connection:
    """The connection that the arguments speak of."""
    if arguments[0] == "fd":
        guarded = platform.end_with_life_line(int(arguments[2]))
        return Connection(Socket(fileno=int(arguments[1])), guarded)
    from ..wire.handshake import connect as connect_loopback

    key = bytes.fromhex(sys.stdin.readline().strip())
    return Connection(connect_loopback(int(arguments[1]), key), False)


def read_spec(socket: Socket) -> Spec:
    """The first message of the manager, and nothing behind it."""
    header = _exactly(socket, HEADER_SIZE)
    length, kind, *_ = HEADER.unpack(header)
    if kind != m.START:
        raise SystemExit("eisenmp: the first message is not a start")
    spec: Spec = loads(_exactly(socket, length))
    return spec


def _exactly(socket: Socket, size: int) -> bytes:
    parts = bytearray()
    while len(parts) < size:
        part = socket.recv(size - len(parts))
        if not part:
            raise SystemExit(1)  # the manager is gone
        parts += part
    return bytes(parts)


def work(connection: Connection, spec: Spec) -> int:
    """Be the worker of the spec; returns the exit code."""
    sys.path[:] = spec.sys_path
    platform.set_affinity(spec.cores)
    platform.set_title(f"eisenmp:{spec.name}")
    link = Link(connection.socket)
    host = Host(spec, link, on_eof=lambda: os._exit(1))
    sys.stdout = stdout = LineStream(1, 1, host.channel)
    sys.stderr = stderr = LineStream(2, 2, host.channel)
    name_process(spec.name)
    try:
        started = host.run()
    finally:
        leave(host, stdout, stderr)
    return 0 if started else 3


def leave(host: Host, *streams: LineStream) -> None:
    """Run the user's exit handlers, then send what they printed."""
    import atexit

    threading = sys.modules["threading"]
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    for stream in streams:
        stream.finish()


def name_process(name: str) -> None:
    """`multiprocessing.current_process().name` agrees with the toolbox, when the user imports that."""
    multiprocessing = sys.modules.get("multiprocessing.process")
    if multiprocessing is not None:
        multiprocessing.current_process().name = name
        return

    class Namer:
        """Waits for the import instead of paying for it."""

        @staticmethod
        def find_spec(module: str, path: object = None, target: object = None) -> object:
            if module != "multiprocessing.process":
                return None
            sys.meta_path.remove(Namer)
            from importlib.util import find_spec

            found = find_spec(module)
            if found is not None and found.loader is not None:
                execute = found.loader.exec_module

                def exec_module(loaded: object) -> None:
                    execute(loaded)  # type: ignore[arg-type]
                    loaded.current_process().name = name  # type: ignore[attr-defined]

                found.loader.exec_module = exec_module  # type: ignore[method-assign]
            return found

    sys.meta_path.insert(0, Namer)  # type: ignore[arg-type]


def main(arguments: list[str] | None = None) -> None:
    """Entry of the process. It ends here, past the interpreter's own shutdown, which would cost time."""
    platform.ignore_terminal_interrupt()
    connection = connect(sys.argv[1:] if arguments is None else arguments)
    code = 1
    try:
        code = work(connection, read_spec(connection.socket))
    except SystemExit as leaving:
        code = leaving.code if isinstance(leaving.code, int) else 0 if leaving.code is None else 1
    except BaseException:
        sys.__stderr__ = sys.stderr
        import traceback

        traceback.print_exc()
    finally:
        os._exit(code)


if __name__ == "__main__":
    main()
