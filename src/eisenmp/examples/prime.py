"""Find the primes among 10,000 numbers from 10^12.

The template of eisenmp 1.0: a ModuleConfiguration whose attributes become settings and variables of the
toolbox, a generator, `run_q_feeder`, and results by ticket in `Result.result_dict`. The worker is a module
of its own, prime_worker.py: the workers import that, and never this one.
"""

from __future__ import annotations

import sys
import time
from argparse import Namespace
from collections.abc import Iterator
from os import path

import eisenmp
import eisenmp.utils.eisenmp_utils as e_utils

from . import command

dir_name = path.dirname(__file__)
NUMBERS = 10_000
START = 10**12
RESULT_KEY = "mp_input_q (default)"  #: the name of the input queue in ticket headers


class ModuleConfiguration:
    """Upper-case attributes are settings; the others reach the worker as `toolbox.<name>`."""

    def __init__(self) -> None:
        self.worker_modules = [
            {"WORKER_PATH": path.join(dir_name, "prime_worker.py"), "WORKER_REF": "worker_entrance"},
        ]
        self.ROWS_MAX = 42  # 10,000 / 42: 239 tickets, the last one with 4 numbers
        self.RESULTS_STORE = True
        self.RESULT_LABEL = "primes from 10^12"
        self.INFO_ENABLE = True  # percent done and seconds left, every few seconds
        self.INFO_THREAD_MAX = NUMBERS
        self.start = START  # for the worker
        self.numbers = NUMBERS


modConf = ModuleConfiguration()


def number_generator() -> Iterator[int]:
    """The rows."""
    yield from range(modConf.start, modConf.start + modConf.numbers)


def manager_entry() -> dict[str, list[tuple[str, list[int]]]]:
    """Start the workers, feed them, wait; returns {queue name: [(ticket id, primes), …]} as they came."""
    emp = eisenmp.Mp()
    emp.start(**modConf.__dict__)
    emp.run_q_feeder(generator=number_generator(), input_q=emp.mp_input_q)
    while not emp.begin_proc_shutdown:
        pass  # a false answer takes a moment of its own
    emp.join()
    return e_utils.Result.result_dict


def show(results: list[tuple[str, list[int]]], seconds: float) -> None:
    """Print the primes in the order of the tickets, shortened, and the figures."""
    in_order = sorted(results, key=lambda result: int(result[0].removeprefix("_TID_")))
    primes = [prime for _, found in in_order for prime in found]
    print(f"\n{len(results)} tickets, {NUMBERS:,} numbers, {len(primes)} primes")
    print(f"first {primes[0]}, last {primes[-1]}, sum {sum(primes)}")
    print(f"time {seconds:.2f} s")


def example(options: Namespace) -> int:
    """Run it with parsed options; returns the exit code."""
    begin = time.perf_counter()
    show(manager_entry()[RESULT_KEY], time.perf_counter() - begin)
    return command.DONE


def main(arguments: list[str]) -> int:
    """Entry of `eisenmp examples prime`."""
    return command.run(command.parser("prime", __doc__), arguments, example)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
