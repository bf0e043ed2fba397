"""The manager's memory while rows go through: `python -m benchmarks.programs.memory ROWS`.

Prints one line of JSON: resident bytes after the first rows, and the least and the most of then on.
"""

from __future__ import annotations

import json
import sys

import psutil

from benchmarks import ours
from benchmarks.rows import numbers
from benchmarks.side import Wrong

SIZE = 1_000
LOOKS = 1_000  #: at the memory
SETTLED = 0.02  #: of the rows; until then buffers, credit and imports grow to their size


def main(rows: int) -> None:
    """Feed the rows in chunks of SIZE and look at the memory from time to time."""
    resident = psutil.Process().memory_info
    chunks = rows // SIZE
    between = max(1, chunks // LOOKS)
    begin = results = total = 0
    looks = []
    pids = set()
    with ours.manager("total") as emp:
        for pid, value in ours.answers(emp, numbers(rows), SIZE):
            results += 1
            total += value
            pids.add(pid)
            if results < chunks * SETTLED:
                continue
            begin = begin or resident().rss
            if results % between == 0:
                looks.append(resident().rss)
    if (results, total, len(pids)) != (chunks, rows * (rows - 1) // 2, 2):
        raise Wrong(f"{results} results of {chunks}, total {total}, {len(pids)} workers")
    print(json.dumps({"begin": begin, "least": min(looks), "most": max(looks), "looks": len(looks)}))


if __name__ == "__main__":
    main(int(sys.argv[1]))
