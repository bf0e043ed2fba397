"""Lives of one job, to be killed: each line on stdin, `ENGINE STOP KNOWN`, is a manager in its own process.

It prints its pid, `started`, and `here` behind STOP results that are no part of the KNOWN that were settled
before; then it takes no more. With STOP 0 it goes on to the end and prints the digest of all results. When its
process has ended, `gone` and how are printed.
"""

from __future__ import annotations

import os
import sys
from hashlib import sha256
from pathlib import Path

import eisenmp.manager.bookkeeper
import eisenmp.manager.mp
from tests.resume.jobs import Jobs

assert eisenmp.manager.mp and eisenmp.manager.bookkeeper  # imported here, once for all lives

TICKETS = 1000
ROWS = 2


def say(*words: object) -> None:
    os.write(1, (" ".join(map(str, words)) + "\n").encode())


def live(jobs: Jobs, stop: int, known: int) -> None:
    """One life of the manager."""
    say("pid", os.getpid())
    results: dict[int, object] = {}
    with jobs.mp("slow_squares", rows_max=ROWS) as emp:
        say("started")
        feed = emp.feed(iter(range(TICKETS * ROWS)))
        for ticket, value in feed:
            assert ticket.number not in results, ticket
            results[ticket.number] = value
            if stop and len(results) == known + stop:
                say("here")
                sys.stdin.read()
        assert not feed.missing
    assert sorted(results) == list(range(TICKETS))
    say("digest", sha256(repr([results[number] for number in range(TICKETS)]).encode()).hexdigest())


def main(folder: str) -> None:
    """Each life is a copy of this process, which has imported everything and has no threads."""
    while line := os.read(0, 100).decode():
        engine, stop, known = line.split()
        child = os.fork()
        if not child:
            live(Jobs(Path(folder), engine), int(stop), int(known))
            os._exit(0)
        say("gone", os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))


if __name__ == "__main__":
    main(sys.argv[1])
