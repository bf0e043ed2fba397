"""The examples that follow the template of eisenmp 1.0: prime and double_queue."""

from __future__ import annotations

from hashlib import sha256

import pytest

from eisenmp.examples import double_queue

from .program import Run, run

START = 10**12


def is_prime(number: int) -> bool:
    """By Miller and Rabin; these bases are proven for numbers below 3.4 * 10^14."""
    odd, twos = number - 1, 0
    while odd % 2 == 0:
        odd, twos = odd // 2, twos + 1
    for base in (2, 3, 5, 7, 11, 13, 17):
        if number % base == 0:
            return number == base
        power = pow(base, odd, number)
        if power not in (1, number - 1) and all(
            pow(power, 2**square, number) != number - 1 for square in range(1, twos)
        ):
            return False
    return True


def test_prime() -> None:
    primes = [number for number in range(START, START + 10_000) if is_prime(number)]
    assert len(primes) == 335
    ended = run("prime")
    assert (ended.code, ended.err) == (0, "")
    assert "239 tickets, 10,000 numbers, 335 primes\n" in ended.out
    assert ended.line("first ") == f"{primes[0]}, last {primes[-1]}, sum {sum(primes)}"


def encoded(stream: str, number: int) -> str:
    """What the worker makes of a frame, computed here."""
    frame = sha256(f"{stream} {number}".encode()).digest()
    for _ in range(frame[0] * 40):
        frame = sha256(frame).digest()
    return frame[:3].hex()


STREAMS = {"batch_1|audio_lg": 17, "batch_1|video_in": 20, "batch_7|audio_lg": 23, "batch_7|video_in": 12}


def check_streams(ended: Run) -> None:
    """Every stream is complete, in order, and in as many tickets as 1.0 makes of it."""
    assert (ended.code, ended.err) == (0, "")
    lines = iter(ended.out[ended.out.index("batch_1|audio_lg: ") :].splitlines())
    for stream, total in STREAMS.items():
        tickets = total // 3 + 1
        assert next(lines) == f"{stream}: {total} of {total} frames in {tickets} tickets"
        came = next(lines).removeprefix("  as they came: ").split()
        assert sorted(map(int, came)) == list(range(tickets))
        in_order = next(lines).removeprefix("  in order: ").split()
        assert in_order == [encoded(stream, number) for number in range(total)]


def test_double_queue_with_a_worker_for_each_batch() -> None:
    check_streams(run("double_queue"))


def test_double_queue_with_two_workers_for_each_batch() -> None:
    check_streams(run("double_queue", "--procs-max", 4))


def test_double_queue_needs_a_worker_for_each_batch(capsys: pytest.CaptureFixture[str]) -> None:
    assert double_queue.main(["--procs-max", "1"]) == 2
    assert "each of the two batches needs a worker" in capsys.readouterr().err


def test_order_is_by_number_and_not_by_text() -> None:
    results = [("_TID_10", ["k"]), ("_TID_2", ["c", "d"]), ("_TID_0", ["a"]), ("_TID_1", ["b"])]
    assert double_queue.in_order(results) == ["a", "b", "c", "d", "k"]


def test_a_frame_that_is_missing_is_a_failure(capsys: pytest.CaptureFixture[str]) -> None:
    results = {stream: [("_TID_0", ["x"] * total)] for stream, total in STREAMS.items()}
    assert double_queue.show(results, 1.0)
    results["batch_7|video_in"] = [("_TID_0", ["x"] * 11)]
    assert not double_queue.show(results, 1.0)
    assert "batch_7|video_in: 11 of 12 frames" in capsys.readouterr().out
