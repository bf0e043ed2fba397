"""From nothing to the first result of each of two workers: concurrent.futures with spawn."""

from __future__ import annotations

import multiprocessing
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait

from start_work import who

if __name__ == "__main__":
    seen: set[int] = set()
    with ProcessPoolExecutor(2, mp_context=multiprocessing.get_context("spawn")) as executor:
        running = {executor.submit(who, row) for row in range(2)}
        while len(seen) < 2:
            done, running = wait(running, return_when=FIRST_COMPLETED)
            seen |= {future.result() for future in done}
            running |= {executor.submit(who, row) for row in range(2 - len(running))}
        print("first", *seen, flush=True)
