"""The manager's memory while many tickets go through: `… tickets TICKETS`. Prints one line of JSON."""

from __future__ import annotations

import json
import sys

import psutil

from benchmarks import ours

SETTLED = 0.05  #: of the tickets; until then buffers, credit and imports grow to their size


def main(tickets: int) -> None:
    """Resident bytes after the first tickets and after the last."""
    resident = psutil.Process().memory_info
    begin = results = 0
    with ours.manager("total") as emp:
        for _ in ours.answers(emp, range(tickets), 1):
            results += 1
            if not begin and results >= tickets * SETTLED:
                begin = resident().rss
        end = resident().rss
    print(json.dumps({"begin": begin, "end": end, "results": results}))


if __name__ == "__main__":
    main(int(sys.argv[1]))
