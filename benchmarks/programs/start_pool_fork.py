"""From nothing to the first result of each of two workers: multiprocessing.Pool with fork."""

from __future__ import annotations

import multiprocessing
from collections.abc import Iterator

from start_work import who

seen: set[int] = set()


def rows() -> Iterator[int]:
    while len(seen) < 2:
        yield len(seen)


if __name__ == "__main__":
    with multiprocessing.get_context("fork").Pool(2) as pool:
        for pid in pool.imap_unordered(who, rows()):
            seen.add(pid)
            if len(seen) == 2:
                print("first", *seen, flush=True)
                break
