"""Encode two batches of audio and video, each from its own queue, and restore the order of each.

The template of eisenmp 1.0 with four queues in two categories, four generators at once, and results kept by
queue and ticket. A worker reads one batch: which one, its START_SEQUENCE_NUM says. With more than two
workers several read the same batch, and chunks are done in any order; the ticket numbers bring it back.
"""

from __future__ import annotations

import sys
import time
from argparse import Namespace
from collections.abc import Iterator
from hashlib import sha256
from os import path

import eisenmp
import eisenmp.utils.eisenmp_utils as e_utils

from . import command

dir_name = path.dirname(__file__)

QUEUES = (  # category, name, maxsize
    ("batch_1", "audio_lg", 5),
    ("batch_1", "video_in", 1),
    ("batch_7", "audio_lg", 3),
    ("batch_7", "video_in", 1),
)
FRAMES = {"batch_1|audio_lg": 17, "batch_1|video_in": 20, "batch_7|audio_lg": 23, "batch_7|video_in": 12}


class ModuleConfiguration:
    """Upper-case attributes are settings; the others reach the worker as `toolbox.<name>`."""

    def __init__(self) -> None:
        self.worker_modules = [
            {"WORKER_PATH": path.join(dir_name, "double_queue_worker.py"), "WORKER_REF": "worker_entrance"},
        ]
        self.PROCS_MAX = 2  # one for each batch
        self.ROWS_MAX = 3
        self.RESULTS_STORE = True
        self.RESULT_LABEL = "two batches of audio and video"
        self.batches = ("batch_1", "batch_7")
        self.streams = ("audio_lg", "video_in")


modConf = ModuleConfiguration()


def frames(stream: str) -> Iterator[bytes]:
    """The rows of a stream: stands in for a recorder."""
    for number in range(FRAMES[stream]):
        yield sha256(f"{stream} {number}".encode()).digest()


def manager_entry() -> dict[str, list[tuple[str, list[str]]]]:
    """Queues, workers, one feeder per queue, wait; returns {queue name: [(ticket id, encoded frames), …]}."""
    emp = eisenmp.Mp()
    emp.queue_cust_dict_category_create(*QUEUES)
    emp.start(**modConf.__dict__)
    for category, name, _ in QUEUES:
        queue = emp.queue_cust_dict_cat[category][name]
        emp.run_q_feeder(generator=frames(queue.name), input_q=queue)
    while not emp.begin_proc_shutdown:
        pass  # a false answer takes a moment of its own
    emp.join()
    return e_utils.Result.result_dict


def in_order(results: list[tuple[str, list[str]]]) -> list[str]:
    """The encoded frames of one queue, in the order in which its generator yielded them."""
    by_ticket = sorted(results, key=lambda result: int(result[0].removeprefix("_TID_")))
    return [frame for _, encoded in by_ticket for frame in encoded]


def show(results: dict[str, list[tuple[str, list[str]]]], seconds: float) -> bool:
    """Print each queue: how its tickets came, and its frames in order. Whether all frames are there."""
    print()
    complete = True
    for stream, total in FRAMES.items():
        came = [ticket.removeprefix("_TID_") for ticket, _ in results.get(stream, [])]
        restored = in_order(results.get(stream, []))
        complete &= len(restored) == total
        print(f"{stream}: {len(restored)} of {total} frames in {len(came)} tickets")
        print(f"  as they came: {' '.join(came)}")
        print(f"  in order: {' '.join(restored)}")
    print(f"time {seconds:.2f} s")
    return complete


def example(options: Namespace) -> int:
    """Run it with parsed options; returns the exit code."""
    if options.procs_max < len(modConf.batches):
        raise command.Refused("each of the two batches needs a worker: --procs-max 2 or more")
    modConf.PROCS_MAX = options.procs_max
    begin = time.perf_counter()
    results = manager_entry()
    return command.DONE if show(results, time.perf_counter() - begin) else command.FAILED


def main(arguments: list[str]) -> int:
    """Entry of `eisenmp examples double_queue`."""
    parser = command.parser("double_queue", __doc__)
    parser.add_argument(
        "--procs-max", type=command.whole, default=2, help="workers; each batch needs one (default 2)"
    )
    return command.run(parser, arguments, example)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
