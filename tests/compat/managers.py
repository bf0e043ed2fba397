"""Managers of 1.0's door for tests, and the answers of a worker that does as it is told."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import eisenmp
from tests.compat.running import PROGRAMS


def module(file: str, name: str = "worker") -> dict[str, str]:
    """A row of worker_modules, for a file of the programs."""
    return {"WORKER_PATH": str(PROGRAMS / file), "WORKER_REF": name}


def configuration(file: str, **attributes: Any) -> dict[str, Any]:
    """What `modConf.__dict__` is in a program."""
    return {"worker_modules": [module(file)], "PROCS_MAX": 1, **attributes}


@contextmanager
def stopped_at_the_end(manager: eisenmp.Mp | None = None) -> Iterator[eisenmp.Mp]:
    """A manager whose processes and threads are gone afterwards."""
    emp = eisenmp.Mp() if manager is None else manager
    try:
        yield emp
    finally:
        emp.stop(grace=0.0)


def wait_for_shutdown(emp: eisenmp.Mp) -> None:
    """The loop at the end of every main()."""
    while not emp.begin_proc_shutdown:
        pass


class Puppet:
    """Workers that do what they are told, one call at a time."""

    def __init__(self, emp: eisenmp.Mp) -> None:
        self.emp = emp
        std = emp.queue_cust_dict_std
        self.calls, self.replies = std["calls"], std["replies"]

    def tell(self, name: str, *arguments: Any) -> None:
        """Without waiting for the answer."""
        self.calls.put((name, arguments))

    def answer(self) -> Any:
        """What came of one call; ('raised', name of the error) when it failed."""
        kind, value = self.replies.get()[1]
        return value if kind == "returned" else (kind, value)

    def ask(self, name: str, *arguments: Any) -> Any:
        self.tell(name, *arguments)
        return self.answer()


@contextmanager
def puppet(*, category_queues: tuple[Any, ...] = (), **attributes: Any) -> Iterator[Puppet]:
    """One worker (or more) that does what it is told, with its queues."""
    with stopped_at_the_end() as emp:
        emp.queue_cust_dict_std_create(("calls", 8), ("replies", 8))
        emp.queue_cust_dict_category_create(*category_queues)
        emp.start(**configuration("puppet_worker.py", **attributes))
        yield Puppet(emp)
