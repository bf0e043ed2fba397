"""Building, opening and reading a SharedTable: `python -m benchmarks.programs.table ENTRIES`.

Prints one line of JSON with seconds: to build from a dict and from a frozenset, to open in a fresh process,
and of one look-up there.
"""

from __future__ import annotations

import json
import pickle
import random
import subprocess
import sys
from time import perf_counter

from benchmarks.programs import tools_data
from benchmarks.side import Wrong

LOOKS = 200_000


def main(entries: int) -> None:
    """Build here, look up in another process."""
    import eisenmp

    words = tools_data.words(entries)
    keys = frozenset(words)
    started = perf_counter()
    with eisenmp.SharedTable(keys) as table:
        of_set = perf_counter() - started
        if len(table) != entries or next(iter(words)) not in table:
            raise Wrong(f"{len(table)} keys of {entries}")
    started = perf_counter()
    with eisenmp.SharedTable(words) as table:
        of_dict = perf_counter() - started
        some = random.Random(3).choices(list(words), k=LOOKS)
        body = pickle.dumps((pickle.dumps(table), some, sum(words[word] for word in some)))
        reader = [sys.executable, "-m", "benchmarks.programs.table", "read"]
        done = subprocess.run(reader, input=body, stdout=subprocess.PIPE, check=True)
    print(json.dumps({"dict": of_dict, "set": of_set, **json.loads(done.stdout)}))


def read() -> None:
    """In a fresh process: open, look one up, then all."""
    body, some, total = pickle.load(sys.stdin.buffer)
    started = perf_counter()
    table = pickle.loads(body)
    table[some[0]]
    opened = perf_counter() - started
    found = [table[word] for word in some]  # so that pages are there
    started = perf_counter()
    for word in some:
        table[word]
    seconds = perf_counter() - started
    if sum(found) != total:
        raise Wrong("a value is not what was put in")
    print(json.dumps({"open": opened, "look": seconds / len(some)}))


if __name__ == "__main__":
    if sys.argv[1] == "read":
        read()
    else:
        main(int(sys.argv[1]))
