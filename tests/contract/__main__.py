"""Runs the suite over one engine in this process and prints one JSON line per behaviour: name, failure.

`python -m tests.contract NAME`, for engines that need an interpreter of their own.
"""

from __future__ import annotations

import json
import os
import sys
import threading
import traceback
from collections.abc import Callable
from functools import partial

from tests import leaks

from . import arrays, deaths, feeding, life, output, queueing, reading
from .engines import ENGINES, Contestant
from .suite import BEHAVIOURS, sharing

MODULES = (arrays, feeding, queueing, life, deaths, output, reading)


def failure(run: Callable[[], None]) -> str:
    """What went wrong; nothing when all went well and nothing is left."""
    before = leaks.snapshot()
    try:
        run()
    except Exception:
        return traceback.format_exc()
    for thread in threading.enumerate():
        if thread not in before.threads:
            thread.join(leaks.GRACE)  # a feeder ends a moment after its last result is there
    found = leaks.leaked(before, 0.0)  # there is nothing here to wait for a process with
    # what others on the machine have in shared memory cannot always be told from one's own
    return "\n".join(str(leak) for leak in found if leak.kind != "memory")


def main(name: str) -> None:
    """Take them all in order; the shared manager first."""
    engine: Contestant = next(engine for engine in ENGINES if engine.name == name)
    with os.fdopen(os.dup(1), "w", buffering=1) as report:
        os.dup2(2, 1)  # what workers and managers print
        with sharing(engine) as shared:
            for behaviour in BEHAVIOURS:
                if behaviour.shares:
                    found = failure(partial(shared.run, behaviour))
                    print(json.dumps([behaviour.name, found]), file=report)
        for behaviour in BEHAVIOURS:
            if not behaviour.shares:
                found = failure(partial(behaviour.run, engine))
                print(json.dumps([behaviour.name, found]), file=report)


if __name__ == "__main__":
    main(sys.argv[1])
