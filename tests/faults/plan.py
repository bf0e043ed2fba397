"""What happens to which row of a chaos run: drawn from its seed, the same in the manager and in every worker."""

from __future__ import annotations

import json
import os
from typing import Any, NamedTuple
from zlib import crc32

KILL, STOP, RAISE, SLOW, FINE = "kill", "stop", "raise", "slow", "fine"
JOURNAL = "journal"
SLOW_SECONDS = 0.03


class Plan(NamedTuple):
    """One in so many rows kills its worker, stops it, raises, is slow."""

    seed: int
    kill: int
    stop: int
    raised: int
    slow: int

    def of(self, row: int) -> str:
        """What the row does to its worker."""
        for name, one_in in ((KILL, self.kill), (STOP, self.stop), (RAISE, self.raised), (SLOW, self.slow)):
            if crc32(f"{self.seed} {name} {row}".encode()) % one_in == 0:
                return name
        return FINE


def write(folder: str, how: str, row: int | None, pid: int) -> None:
    """A line in the journal, before the fault strikes; `row` is None when it comes from outside."""
    descriptor = os.open(os.path.join(folder, JOURNAL), os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(descriptor, f"{json.dumps([how, row, pid])}\n".encode())
    os.close(descriptor)


class Entry(NamedTuple):
    """A line of the journal."""

    how: str
    row: int | None
    pid: int


def read(folder: str) -> list[Entry]:
    """The whole journal."""
    with open(os.path.join(folder, JOURNAL), "a+") as file:
        file.seek(0)
        lines: list[Any] = [json.loads(line) for line in file]
    return [Entry(*line) for line in lines]
