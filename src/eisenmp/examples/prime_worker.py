"""Worker of the example prime: takes lists of numbers, sends back lists of primes."""

from __future__ import annotations

from math import isqrt

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

small_primes: list[int] = []  # of this process; stays from call to call


def worker_entrance(toolbox: Any) -> bool:
    """Called in a loop, with the same toolbox, until it returns False: after the list that ends with STOP."""
    if not small_primes:
        small_primes.extend(primes_up_to(isqrt(toolbox.start + toolbox.numbers)))
    rows = toolbox.mp_input_q.get()
    header, numbers = rows[0], rows[1:]
    is_last = toolbox.STOP_MSG in numbers
    if is_last:
        numbers.pop()
    toolbox.mp_output_q.put([toolbox.OUTPUT_HEADER + header, list(filter(is_prime, numbers))])
    toolbox.mp_info_q.put([toolbox.PERF_HEADER_ETA + toolbox.WORKER_NAME, len(numbers)])
    return not is_last


def primes_up_to(limit: int) -> list[int]:
    """By the sieve of Eratosthenes."""
    sieve = bytearray([1]) * (limit + 1)
    sieve[:2] = bytes(2)
    for number in range(2, isqrt(limit) + 1):
        if sieve[number]:
            multiples = range(number * number, limit + 1, number)
            sieve[number * number :: number] = bytes(len(multiples))
    return [number for number, is_prime in enumerate(sieve) if is_prime]


def is_prime(number: int) -> bool:
    """By division through all primes up to its square root."""
    limit = isqrt(number)
    for prime in small_primes:
        if prime > limit:
            break
        if not number % prime:
            return False
    return True
