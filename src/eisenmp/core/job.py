"""What makes two runs the same job, and what differs when they are not."""

from __future__ import annotations

from .record import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


class Imprint(NamedTuple):
    """A worker module by name and by the digests of its source that count as the same.

    There is one digest; more come when dead letters were retried with a worker that was mended.
    """

    name: str
    digests: tuple[str, ...]


class Job(NamedTuple):
    """What the results of a job depend on: the worker first, then its mates; the variables by name."""

    workers: tuple[Imprint, ...]
    contract: str
    variables: Mapping[str, str]


class Origin(NamedTuple):
    """What the tickets of a feed depend on. `rows` is None where the number is not known beforehand."""

    queue: str
    rows_max: int | str
    listed: bool
    rows: int | None


def job_differences(then: Job, now: Job) -> list[str]:
    """In words, what has changed since the ledger was begun; empty when it is the same job."""
    found = []
    names = [worker.name for worker in then.workers]
    if names != [worker.name for worker in now.workers]:
        found.append(f"the worker modules were {_list(names)} and are {_list([w.name for w in now.workers])}")
    else:
        for before, after in zip(then.workers, now.workers, strict=True):
            if not set(before.digests) & set(after.digests):
                found.append(
                    f"the source of {before.name} has changed "
                    f"(SHA-256 {before.digests[-1][:12]}… then, {after.digests[-1][:12]}… now)"
                )
    if then.contract != now.contract:
        found.append(f"the job was {_kind(then.contract)} and is {_kind(now.contract)}")
    for name in sorted({*then.variables, *now.variables}):
        was, is_now = then.variables.get(name), now.variables.get(name)
        if was != is_now:
            how = "is new" if was is None else "is missing" if is_now is None else "has changed"
            found.append(f"the variable {name} {how}")
    return found


def source_differences(then: Origin, now: Origin) -> list[str]:
    """In words, in what a feed differs from the one that the ledger knows under the same number."""
    found = []
    if then.queue != now.queue:
        found.append(f"its queue was {then.queue!r} and is {now.queue!r}")
    if then.rows_max != now.rows_max:
        found.append(f"rows_max was {then.rows_max!r} and is {now.rows_max!r}")
    if then.listed != now.listed:
        found.append("it was started by " + ("run_q_feeder" if then.listed else "feed()"))
    if then.rows != now.rows:
        found.append(f"the source had {_count(then.rows)} and has {_count(now.rows)}")
    return found


def _kind(contract: str) -> str:
    return "one of imap" if contract else "none of imap"


def _list(names: Sequence[str]) -> str:
    return ", ".join(names) or "none"


def _count(rows: int | None) -> str:
    return "an unknown number of rows" if rows is None else f"{rows} row{'' if rows == 1 else 's'}"
