"""The process of a worker: `python -m eisenmp.child`, started by the manager only.

Arguments: `fd SOCKET LIFE_LINE`, the numbers of inherited descriptors, or `zygote SOCKET LIFE_LINE`; or
`connect PORT`, on the portable path, with the key on standard input.
"""

from __future__ import annotations

import gc
import os
import sys
from _socket import socket as Socket

from ..core import messages as m
from ..errors import Stopped
from ..wire import platform
from ..wire.frames import HEADER_SIZE, first_header
from ..wire.link import Link
from ..wire.pickles import loads
from .cgroup import wait_until_joined
from .host import Host
from .stream import LineStream

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from importlib.abc import Loader
    from importlib.machinery import ModuleSpec
    from threading import ExceptHookArgs
    from types import ModuleType
    from typing import Any, TextIO

    from .host import Warmth
    from .spec import Spec
else:
    Loader = object


def connect(arguments: list[str]) -> Socket:
    """The connection that the arguments speak of."""
    if arguments[0] in ("fd", "zygote"):
        socket, life_line = int(arguments[1]), int(arguments[2])
        # programs that the user starts must not hold them
        os.set_inheritable(socket, False)
        os.set_inheritable(life_line, False)
        platform.end_with_life_line(life_line)
        return Socket(fileno=socket)
    from ..wire.handshake import connect as connect_loopback

    key = bytes.fromhex(sys.stdin.readline().strip())
    return connect_loopback(int(arguments[1]), key)


def read_spec(socket: Socket) -> Spec:
    """The first message of the manager, and nothing behind it."""
    length, kind = first_header(_exactly(socket, HEADER_SIZE))
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


def work(
    socket: Socket, spec: Spec, on_eof: Callable[[], None] = platform.end_group, warmth: Warmth | None = None
) -> int:
    """Be the worker of the spec; returns the exit code."""
    if warmth is None:
        sys.path[:] = spec.sys_path
        sys.argv[:] = spec.argv
    platform.set_affinity(spec.cores)
    host = Host(spec, Link(socket), on_eof=on_eof, warmth=warmth)
    if warmth is None:
        sys.stdout = stdout = LineStream(1, 1, host.channel)
        sys.stderr = stderr = LineStream(2, 2, host.channel)
    else:
        # what was imported may have kept them, as logging.basicConfig() does
        stdout, stderr = warmth.streams
        stdout.sink = stderr.sink = host.channel
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=lambda: part(host, stdout, stderr))
    host.on_name = name_process
    name_process(spec.name)
    expect_stop(host)
    try:
        started = host.run()
    finally:
        leave(host, stdout, stderr)
    return 0 if started else 3


def expect_stop(host: Host) -> None:
    """A thread that waits in a get when the manager stops has not failed: it ends without a traceback."""
    threading = sys.modules["threading"]
    show = vars(threading)["excepthook"]

    def excepthook(arguments: ExceptHookArgs) -> None:
        if not (host.channel.stopping and issubclass(arguments.exc_type, Stopped)):
            show(arguments)

    vars(threading)["excepthook"] = excepthook


def leave(host: Host, *streams: LineStream) -> None:
    """Wait for the user's threads and run the exit handlers, then send what they printed."""
    import atexit

    vars(sys.modules["threading"])["_shutdown"]()
    atexit._run_exitfuncs()
    try:
        host.channel.stocks.close()
    finally:
        for stream in streams:
            stream.finish()
        host.channel.last_words()


def part(host: Host, stdout: LineStream, stderr: LineStream) -> None:
    """In a copy of this process made by os.fork(): what it prints goes to the manager as it is."""
    host.channel.forget()
    if sys.stdout is stdout:
        sys.stdout = _plain(1)
    if sys.stderr is stderr:
        sys.stderr = _plain(2)


def _plain(descriptor: int) -> TextIO:
    return open(descriptor, "w", 1, encoding="utf-8", errors="backslashreplace", closefd=False)


def name_process(name: str) -> None:
    """`multiprocessing.current_process().name` agrees with the toolbox, when the user imports that.

    It may be called again: a spare takes the name of the slot.
    """
    platform.set_title(f"eisenmp:{name}")
    sys.meta_path[:] = [finder for finder in sys.meta_path if not isinstance(finder, Namer)]
    multiprocessing = sys.modules.get("multiprocessing.process")
    if multiprocessing is not None:
        multiprocessing.current_process().name = name
    else:
        sys.meta_path.insert(0, Namer(name))


class Namer(Loader):
    """Waits for the import of multiprocessing instead of paying for it, then tells it the name."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._loader: Any = None

    def find_spec(
        self, module: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if module != "multiprocessing.process":
            return None
        # a new list: another thread may be going through the old one
        sys.meta_path = [finder for finder in sys.meta_path if finder is not self]
        from importlib.util import find_spec

        found = find_spec(module)
        if found is not None:
            self._loader, found.loader = found.loader, self
        return found

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        return self._loader.create_module(spec)  # type: ignore[no-any-return]

    def exec_module(self, module: Any) -> None:
        module.__spec__.loader = module.__loader__ = self._loader
        self._loader.exec_module(module)
        module.current_process().name = self._name


class Departure:
    """How this process ends: at once when the manager is gone, with a code when the work is done."""

    def __init__(self) -> None:
        self.code: int | None = None

    def on_eof(self) -> None:
        if self.code is None:
            platform.end_group()
        os._exit(self.code or 0)


def main(arguments: list[str] | None = None) -> None:
    """Entry of the process. It ends here, past the interpreter's own shutdown, which would cost time."""
    platform.settle_signals()
    # forks of a zygote have the handlers too, and those that a module has put in their place
    platform.show_stacks()
    arguments = sys.argv[1:] if arguments is None else arguments
    departure = Departure()
    socket: Socket | None = None
    code = 1
    try:
        socket = connect(arguments)
        wait_until_joined()
        gc.freeze()
        gc.enable()
        warmth: Warmth | None = None
        if sys.platform == "linux" and arguments[0] == "zygote":
            from .zygote import hatch

            socket, warmth = hatch(socket, int(arguments[2]))
        code = work(socket, read_spec(socket), departure.on_eof, warmth)
    except SystemExit as leaving:
        if isinstance(leaving.code, int | None):
            code = leaving.code or 0
        else:
            print(leaving.code, file=sys.stderr, flush=True)
    except BaseException:
        import traceback

        traceback.print_exc()
        sys.stderr.flush()
    finally:
        departure.code = code
        if arguments[0] == "connect" and socket is not None:
            Link(socket).leave()
        os._exit(code)


if __name__ == "__main__":
    main()
