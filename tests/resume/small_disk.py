"""A job whose ledger is on a disk with little room: FOLDER. Run where mounting is allowed.

Prints what ended the job when the disk is full, how many tickets the ledger has then, and, when there is room
again, that the job was gone on with to its end.
"""

from __future__ import annotations

import errno
import subprocess
import sys
from pathlib import Path

import eisenmp
from tests.resume.jobs import Jobs

TICKETS = 1000
BALLAST = 13 << 20


def run(jobs: Jobs) -> list[int]:
    """The numbers of the tickets whose results came, in order, each checked."""
    numbers = []
    with jobs.mp("long_text", rows_max=1) as emp:
        feed = emp.feed(iter(range(TICKETS)))
        for ticket, value in feed.in_order():
            assert value == f"{ticket.number} " * 1000
            numbers.append(ticket.number)
    return numbers


def main(folder: str) -> None:
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=16m", "none", folder], check=True)
    ballast = Path(folder, "ballast")
    ballast.write_bytes(b"x" * BALLAST)
    jobs = Jobs(Path(folder), "local")
    jobs.log = Path("/dev/null")
    for _ in range(2):  # full at the end of the first, and still full at the second
        try:
            run(jobs)
        except eisenmp.EisenmpError as error:
            print(error)
    before = jobs.recorded()
    print(len(before))
    try:
        with open(Path(folder, "more"), "wb", buffering=0) as file:
            while file.write(b"x" * 4096):
                pass
    except OSError as error:
        assert error.errno == errno.ENOSPC
    assert jobs.recorded() == before
    Path(folder, "more").unlink()
    ballast.unlink()
    assert run(jobs) == list(range(TICKETS))
    after = jobs.recorded()
    assert before == {ticket: after[ticket] for ticket in before}
    print("complete")


if __name__ == "__main__":
    main(sys.argv[1])
