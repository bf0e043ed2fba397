"""The least there could be: two plain processes over pipes, some chunks in flight at each, nothing else."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from selectors import EVENT_READ, DefaultSelector
from typing import Any, BinaryIO

from benchmarks import whole
from benchmarks.side import WORKERS

FLYING = 16
LENGTH = 4  #: bytes before each pickle
PROTOCOL = 5  #: as ours


@contextmanager
def pipes() -> Iterator[Callable[[Callable[[Any], Any], Iterable[Any], int], Iterable[Any]]]:
    """A map over rows as peers are; the size is that of the rows themselves."""
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", "from benchmarks.pingpong import answer; answer()"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=whole.ROOT,
        )
        for _ in range(WORKERS)
    ]
    try:
        yield lambda function, rows, size: through(processes, function, rows)
    finally:
        for process in processes:
            assert process.stdin is not None and process.stdout is not None
            process.stdin.close()
            process.stdout.close()
            process.wait()


def through(
    processes: list[subprocess.Popen[bytes]], function: Callable[[Any], Any], rows: Iterable[Any]
) -> Iterator[Any]:
    """What the processes answer, as it comes."""
    iterator = iter(rows)
    with DefaultSelector() as selector:
        for process in processes:
            assert process.stdin is not None and process.stdout is not None
            write(process.stdin, function)
            flying = sum(feed(process.stdin, iterator) for _ in range(FLYING))
            if flying:
                selector.register(process.stdout, EVENT_READ, [process.stdin, flying])
        while selector.get_map():
            for key, _ in selector.select():
                stdin, flying = key.data
                yield pickle.loads(read(key.fileobj))  # type: ignore[arg-type]
                key.data[1] = flying - 1 + feed(stdin, iterator)
                if not key.data[1]:
                    selector.unregister(key.fileobj)
    for process in processes:
        assert process.stdin is not None
        write(process.stdin, None)


def feed(stdin: BinaryIO, iterator: Iterator[Any]) -> bool:
    """Send the next row, if there is one."""
    for row in iterator:
        write(stdin, row)
        return True
    return False


def write(file: BinaryIO, row: Any) -> None:
    body = pickle.dumps(row, PROTOCOL)
    view = memoryview(len(body).to_bytes(LENGTH, "little") + body)
    while view:
        view = view[os.write(file.fileno(), view) :]


def read(file: BinaryIO) -> bytes:
    return exactly(file, int.from_bytes(exactly(file, LENGTH), "little"))


def exactly(file: BinaryIO, size: int) -> bytes:
    parts = os.read(file.fileno(), size)
    while len(parts) < size:
        more = os.read(file.fileno(), size - len(parts))
        if not more:
            raise EOFError
        parts += more
    return parts


def answer() -> None:
    """The other end: a function, then rows until None, over and over."""
    stdin, stdout = sys.stdin.buffer, sys.stdout.buffer
    try:
        while True:
            function = pickle.loads(read(stdin))
            while (row := pickle.loads(read(stdin))) is not None:
                write(stdout, function(row))
    except (EOFError, BrokenPipeError):
        return
