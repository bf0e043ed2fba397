"""The page that compares what is left after a fault, made of `results/faults.json` and nothing else."""

from __future__ import annotations

from typing import Any

HEAD = """# Five faults

What is left of a job of 1,000 items and of its processes when a fault strikes: two workers, one item at a
time, the start method spawn (joblib: loky), each job written the way the library's manual has it. Where items
can have a timeout, it is four seconds: eisenmp, mpire, joblib and pebble have one, the other two do not.
Seconds are from the fault until no process of the job is left. This page is made by `make bench-faults` of
[its measurements](../benchmarks/results/faults.json).
"""

NOTES = """
* **an item kills its worker**: the function sends SIGKILL to its own process at one of the items, as the
  kernel does when memory is short.
* **an item hangs**: the function never returns for one of the items.
* **a result that cannot be pickled**: the function returns a lock for one of the items.
* **Ctrl-C**: SIGINT to the process group of the program, as a terminal sends it, in the middle of the job.
* **SIGKILL of the parent**: in the middle of the job; nothing in the program can react to it.

What a worker starts in a session of its own (setsid, daemons) is no part of the table. With eisenmp it ends
when the manager stops. After a SIGKILL of the program it ends too where the program may make a cgroup below
its own (`eisenmp doctor` says whether): the workers and all that they start are in it, and a guardian, a
shell that waits for the end of the program, has the kernel end it. Elsewhere nobody is left who could do it.
"""

NAMED = ("eisenmp", "joblib", "mpire", "pebble")


def page(content: dict[str, Any]) -> str:
    """The page in Markdown."""
    faults, outcomes = content["faults"], content["outcomes"]
    sides = list(dict.fromkeys(side for found in outcomes.values() for side in found))
    lines = [HEAD, "| | " + " | ".join(faults.values()) + " |", "|---" * (1 + len(faults)) + "|"]
    for side in sides:
        cells = [words(outcomes[name][side]) for name in faults]
        lines.append(f"| **{side}** | " + " | ".join(cells) + " |")
    where = content["machine"]
    versions = ", ".join(f"{name} {number}" for name, number in where["versions"].items() if name in NAMED)
    measured = f"Measured {where['date']} on {where['cpus']} CPUs, {where['system']}, {where['python']};"
    return "\n".join([*lines, NOTES, measured, f"{versions}.", ""])


def words(outcome: dict[str, Any]) -> str:
    """What came of it: `999 of 1000, WorkerDied for the rest; all gone after 0.31 s`."""
    done, items, error = outcome["done"], outcome["items"], outcome["error"]
    ended = outcome["seconds"] is not None
    parts = []
    if items is not None:
        share = f"{done:,} of {items:,}"
        parts.append(
            (f"**{share}**" if ended and done >= items - 1 else share) + (f", {error}" if error else "")
        )
    if ended:
        parts.append(f"all gone after {outcome['seconds']:.2f} s")
    else:
        count = f"{outcome['left']} process{'es' * (outcome['left'] != 1)}"
        limit = f"{outcome['limit']:g} s"
        if items is None:
            parts.append(f"{count} still there after {limit}")
        else:
            parts.append(f"then hangs ({count} ended after {limit})")
    return "; ".join(parts)
