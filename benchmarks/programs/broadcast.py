"""A broadcast until both workers have looked a word up: `python -m benchmarks.programs.broadcast SIDE SCALE`.

Prints one line of JSON: seconds, and the bytes of all processes beyond one copy of the data, once the program
has let go of its own and the workers have read all of the array.
"""

from __future__ import annotations

import gc
import json
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import repeat
from pathlib import Path
from time import perf_counter
from typing import Any

from benchmarks.programs import tools_data
from benchmarks.side import Wrong

#: (word, whether to read all of the array) -> answers of both workers
Ask = Callable[[str, bool], Iterator[tuple[int, int, int]]]


@contextmanager
def eisenmp_side(data: list[Any]) -> Iterator[Ask]:
    """A SharedTable and an array."""
    import eisenmp

    worker = Path(__file__).with_name("broadcast_worker.py")
    with eisenmp.Mp(f"{worker}:look", procs_max=2, rows_max=1) as emp:
        emp.broadcast(words=eisenmp.SharedTable(data[0]), numbers=data[1])

        def ask(word: str, thoroughly: bool) -> Iterator[tuple[int, int, int]]:
            feed = emp.feed(repeat((word, thoroughly)))
            for result in feed:
                yield result.value

        yield ask


@contextmanager
def joblib_side(data: list[Any]) -> Iterator[Ask]:
    """Parallel, which maps large arrays and pickles the dict for each worker."""
    import joblib
    from joblib.externals.loky import get_reusable_executor

    with joblib.Parallel(n_jobs=2, batch_size=1, pre_dispatch=2) as parallel:
        kept = list(data)

        def ask(word: str, thoroughly: bool) -> Iterator[tuple[int, int, int]]:
            look = joblib.delayed(tools_data.look)
            while True:
                yield from parallel(look(*kept, word, thoroughly=thoroughly) for _ in range(2))

        yield ask
        kept.clear()
    get_reusable_executor().shutdown(wait=True)


SIDES = {"eisenmp": eisenmp_side, "joblib": joblib_side}


def both(answers: Iterator[tuple[int, int, int]], expected: tuple[int, int]) -> None:
    """Take answers until both workers have given one."""
    pids: set[int] = set()
    for pid, *found in answers:
        if tuple(found) != expected or pid == os.getpid():
            raise Wrong(f"{found} of {pid}, expected {expected}")
        pids.add(pid)
        if len(pids) == 2:
            break


def main(side: str, part: int) -> None:
    """Do it with the whole of the data, or one part of so many."""
    gc.collect()
    before = tools_data.memory_of_tree()
    data: list[Any] = [tools_data.words(tools_data.WORDS // part), tools_data.array(tools_data.ARRAY // part)]
    size = tools_data.memory_of_tree() - before
    word = next(iter(data[0]))
    last, total = int(data[1][-1]), int(data[1].sum())
    gc.collect()
    started = perf_counter()
    with SIDES[side](data) as ask:
        both(ask(word, False), (0, last))
        seconds = perf_counter() - started
        if side == "eisenmp":
            # a peer sends its arguments again with each task
            data.clear()
        both(ask(word, True), (0, total))
        gc.collect()
        added = tools_data.memory_of_tree() - size
    print(json.dumps({"seconds": seconds, "added": added, "data": size}))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
