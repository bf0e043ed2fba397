"""Cuts the rows of a chunk that has failed.

Plain data is opened here. What only the user's code can open is opened in a process of its own: it may be
that very code that ends or hangs whoever runs it. When that process does not come back, the chunk stays as
it is.
"""

from __future__ import annotations

import os
import sys
import threading
from _io import BytesIO
from _pickle import Unpickler, UnpicklingError

from ..wire.pickles import dumps, loads

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from subprocess import Popen
    from typing import IO

    from ..core.parcel import Cut
    from .dispatcher import Dispatcher

PATIENCE = 60.0  #: seconds that rows may take to be opened, where chunks have no timeout
CODE = "import sys;sys.path.insert(0,sys.argv.pop(1));from eisenmp.child.cutter import main;main()"

#: what can be opened anywhere, since none of it is the user's code
PLAIN = {
    ("builtins", name) for name in ("bytearray", "complex", "frozenset", "range", "set", "slice")
} | {
    ("collections", "OrderedDict"), ("collections", "deque"), ("datetime", "date"), ("datetime", "datetime"),
    ("datetime", "time"), ("datetime", "timedelta"), ("datetime", "timezone"), ("decimal", "Decimal"),
    ("eisenmp.core.span", "Span"),
    ("fractions", "Fraction"), ("numpy", "dtype"), ("numpy", "ndarray"), ("uuid", "UUID"),
    ("numpy._core.multiarray", "_reconstruct"), ("numpy._core.multiarray", "scalar"),
    ("numpy._core.numeric", "_frombuffer"), ("numpy.core.multiarray", "_reconstruct"),
    ("numpy.core.multiarray", "scalar"), ("numpy.core.numeric", "_frombuffer"),
}  # fmt: skip


class PlainUnpickler(Unpickler):
    """Opens plain data; raises UnpicklingError for what takes the user's code."""

    def find_class(self, module: str, name: str) -> object:
        if (module, name) not in PLAIN:
            raise UnpicklingError(f"{module}.{name} is not plain data")
        return super().find_class(module, name)


def cut_plain(body: bytes, points: Sequence[int]) -> list[bytes] | None:
    """The pieces, if the rows are plain data."""
    from ..child.cutter import cut_rows

    try:
        return cut_rows(body, points, lambda body: PlainUnpickler(BytesIO(body)).load())
    except Exception:  # not plain, or nothing that can be sliced: the other way finds that out
        return None


class Cutter:
    """Cuts chunks for one manager; the loop never waits for it."""

    def __init__(self, dispatcher: Dispatcher, patience: float = PATIENCE) -> None:
        self.patience = patience
        self._dispatcher = dispatcher
        self._lock = threading.Lock()
        self._threads: set[threading.Thread] = set()
        self._processes: set[Popen[bytes]] = set()
        self._closed = False

    def cut(self, command: Cut) -> None:
        """Have the ledger go on with the pieces, now or soon. Under the lock of the loop."""
        from ..wire.bundle import inline

        dispatcher, parcel = self._dispatcher, command.parcel
        body = inline(parcel.body)
        bodies = cut_plain(body, command.points)
        if bodies is not None:
            dispatcher.execute(dispatcher.ledger.pieces(command, bodies))
            return
        thread = threading.Thread(target=self._run, args=(command, body), name="eisenmp-cutter", daemon=True)
        with self._lock:
            self._threads.add(thread)
            thread.start()

    def _run(self, command: Cut, body: bytes) -> None:
        dispatcher = self._dispatcher
        try:
            bodies = self._apart(body, command.points)
        except OSError:
            bodies = None  # the system has no room for a process
        with dispatcher.lock:
            if not self._closed:
                ledger = dispatcher.ledger
                dispatcher.execute(
                    ledger.uncut(command) if bodies is None else ledger.pieces(command, bodies)
                )
                dispatcher.settle()
        with self._lock:
            self._threads.discard(threading.current_thread())
        dispatcher.pump.interrupt()

    def _apart(self, body: bytes, points: Sequence[int]) -> list[bytes] | None:
        """The pieces, made by a process of its own; None when it did not come back."""
        from subprocess import TimeoutExpired

        from ..child.cutter import RAISED, cut_rows

        with _file() as request, _file() as answer:
            request.write(dumps((list(sys.path), body, tuple(points))))
            request.seek(0)
            process, life_line = self._start(request, answer)
            try:
                code = process.wait(self.patience)
            except TimeoutExpired:
                code = None
            finally:
                self._end(process)
                if life_line >= 0:
                    os.close(life_line)
            if code == 0:
                answer.seek(0)
                bodies: list[bytes] = loads(answer.read())
                return bodies
        if code != RAISED:
            return None
        try:
            # what raised there can be opened without harm, and here more modules may be known
            return cut_rows(body, points)
        except Exception:  # a user's rows may raise anything when they are unpickled, sliced or pickled
            return None

    def _start(self, request: IO[bytes], answer: IO[bytes]) -> tuple[Popen[bytes], int]:
        from subprocess import DEVNULL, Popen

        from ..engine.process import HERE, interpreter_flags

        command = [sys.executable, *interpreter_flags(), "-c", CODE, HERE]
        with self._lock:
            if self._closed:
                raise OSError("the manager is closed")
            if sys.platform == "win32":
                process = Popen(command, stdin=request, stdout=answer, stderr=DEVNULL)
                life_line = -1
            else:
                theirs, life_line = os.pipe()
                try:
                    process = Popen(
                        [*command, str(theirs)], stdin=request, stdout=answer, stderr=DEVNULL,
                        pass_fds=(theirs,), process_group=0,
                    )  # fmt: skip
                except BaseException:
                    os.close(life_line)
                    raise
                finally:
                    os.close(theirs)
            self._processes.add(process)
        return process, life_line

    def _end(self, process: Popen[bytes]) -> None:
        with self._lock:
            self._processes.discard(process)
            process.kill()
        process.wait()

    def close(self) -> None:
        """End what runs."""
        with self._lock:
            self._closed = True
            threads = list(self._threads)
            for process in self._processes:
                process.kill()
        for thread in threads:
            thread.join()


def _file() -> IO[bytes]:
    """A file without a name, in memory where there is such a thing."""
    if sys.platform == "linux" and hasattr(os, "memfd_create"):
        return open(os.memfd_create("eisenmp-cut"), "w+b")
    from tempfile import TemporaryFile

    return TemporaryFile()
