"""The peers, each as one way to map a function over rows with two workers; imported when they are used."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from importlib import import_module
from typing import Any, NamedTuple

from benchmarks import pingpong
from benchmarks.side import WORKERS

#: (function, rows, rows sent at once) -> values
Map = Callable[[Callable[[Any], Any], Iterable[Any], int], Iterable[Any]]


class Peer(NamedTuple):
    """`open()` is a context with warm-able workers; `package` is where its version is asked for."""

    name: str
    package: str
    open: Callable[[], AbstractContextManager[Map]]


@contextmanager
def pool() -> Iterator[Map]:
    """multiprocessing.Pool with spawn."""
    with multiprocessing.get_context("spawn").Pool(WORKERS) as opened:
        yield opened.imap_unordered
        opened.close()
        opened.join()


@contextmanager
def pool_in_order() -> Iterator[Map]:
    """The same, in order."""
    with multiprocessing.get_context("spawn").Pool(WORKERS) as opened:
        yield opened.imap
        opened.close()
        opened.join()


@contextmanager
def executor() -> Iterator[Map]:
    """concurrent.futures with spawn."""
    context = multiprocessing.get_context("spawn")
    opened = ProcessPoolExecutor(WORKERS, mp_context=context)
    try:
        yield lambda function, rows, size: opened.map(function, rows, chunksize=size)
    finally:
        opened.shutdown(cancel_futures=True)


def joblib(return_as: str) -> Callable[[], AbstractContextManager[Map]]:
    """loky, batches by itself whatever size is asked for."""

    @contextmanager
    def opened() -> Iterator[Map]:
        library = import_module("joblib")
        with library.Parallel(n_jobs=WORKERS, batch_size="auto", return_as=return_as) as parallel:
            yield lambda function, rows, size: parallel(map(library.delayed(function), rows))
        # its workers would stay up for minutes
        import_module("joblib.externals.loky").get_reusable_executor().shutdown(wait=True)

    return opened


@contextmanager
def mpire() -> Iterator[Map]:
    """WorkerPool with spawn. It calls a function with the parts of a list: hence a tuple around the row."""
    library = import_module("mpire")
    with library.WorkerPool(WORKERS, start_method="spawn", keep_alive=True) as opened:
        yield lambda function, rows, size: opened.imap_unordered(
            function, ((row,) for row in rows), chunk_size=size
        )


@contextmanager
def pebble() -> Iterator[Map]:
    """ProcessPool with spawn."""
    library = import_module("pebble")
    opened = library.ProcessPool(WORKERS, context=multiprocessing.get_context("spawn"))
    try:
        yield lambda function, rows, size: opened.map(function, rows, chunksize=size).result()
    finally:
        opened.stop()
        opened.join()


POOL = Peer("Pool.imap_unordered", "", pool)
PIPES = Peer(f"raw pipes, {pingpong.FLYING} in flight", "", pingpong.pipes)
JOBLIB = Peer("joblib", "joblib", joblib("list"))
JOBLIB_GENERATOR = Peer("joblib, generator_unordered", "joblib", joblib("generator_unordered"))
MPIRE = Peer("mpire.imap_unordered", "mpire", mpire)
PEBBLE = Peer("pebble.map", "pebble", pebble)
EXECUTOR = Peer("ProcessPoolExecutor.map", "", executor)
OTHERS = (JOBLIB, MPIRE, EXECUTOR, PEBBLE)  #: for context, where Pool is the peer
