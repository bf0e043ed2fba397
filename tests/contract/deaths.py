"""Workers that die: every ticket is accounted for. Only for engines whose workers are processes."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

import eisenmp
from eisenmp.manager import events

from .engines import Contestant
from .feeding import LONG
from .suite import GATE, TOLD, own_process


@contextmanager
def dying(engine: Contestant, **settings: Any) -> Iterator[tuple[eisenmp.Mp, str, list[Any]]]:
    """A manager, a file for counting attempts, and the deaths as they are told."""
    with tempfile.TemporaryDirectory() as folder:
        emp = engine.mp(**{"rows_max": 1, **settings})
        deaths: list[Any] = []
        emp.on(events.WorkerDied, deaths.append)
        emp.queue(GATE)
        with emp:
            yield emp, f"{folder}/attempts", deaths


@own_process
def a_chunk_of_a_dead_worker_is_done_by_another(engine: Contestant) -> None:
    with dying(engine) as (emp, count, deaths):
        before = {(slot.name, slot.pid) for slot in emp.proc_list}
        results = list(emp.feed([*range(50), ("die", count, 1, "kill"), *range(51, 100)]).in_order())
        assert [r.ticket.number for r in results] == list(range(100))
        assert [r.value for r in results if r.ticket.number != 50] == [[n] for n in range(100) if n != 50]
        (death,) = deaths
        assert death.exitcode == -9
        assert "killed by signal 9" in death.cause
        # the output of the attempt that died does not count, and the replacement has the slot's names
        names = {
            f"{slot.name} {slot.name.partition('-')[2]} {index}" for index, slot in enumerate(emp.proc_list)
        }
        assert results[50].value[0] in names
        after = {(slot.name, slot.pid) for slot in emp.proc_list}
        assert {name for name, _ in before} == {name for name, _ in after}
        assert len(before - after) == 1


@own_process
def every_way_to_die_is_named(engine: Contestant) -> None:
    ways = {
        "kill": "killed by signal 9",
        "term": "killed by signal 15",
        "exit": "ended with exit code 7",
        "leave": "ended with exit code 5",
        "socket": "these bytes are no frame",
    }
    with dying(engine, procs_max=1, retries={"death": 1}) as (emp, count, deaths):
        for how in ways:
            assert [len(r.value) for r in emp.feed([("die", count + how, 1, how)])] == [1]
        assert len(deaths) == len(ways)
        for death, text in zip(deaths, ways.values(), strict=True):
            assert text in death.cause


@own_process
def a_chunk_that_kills_three_workers_is_given_up(engine: Contestant) -> None:
    with dying(engine) as (emp, count, deaths):
        feed = emp.feed([("die", count, 9, "exit")])
        with pytest.raises(eisenmp.WorkerDied, match="ticket 0 .*exit code 7") as caught:
            list(feed)
        assert (caught.value.exitcode, caught.value.ticket.number) == (7, 0)
        assert caught.value.pid in {death.pid for death in deaths}
        assert len(deaths) == 3
        assert [failure.rows for failure in feed.failed] == [[("die", count, 9, "exit")]]
        # the manager goes on
        assert len(list(emp.feed(range(20)))) == 20


@own_process
def the_chunk_that_ran_is_blamed_and_not_one_before_it(engine: Contestant) -> None:
    """Chunks of microseconds are reported together: the last word of a worker may be late."""
    with dying(engine, procs_max=1, on_error="skip") as (emp, _, _):
        feed = emp.feed([1, ("vanish",)] * 3)
        assert [r.value for r in feed.in_order()] == [[1]] * 3
        assert sorted(failure.ticket.number for failure in feed.failed) == [1, 3, 5]


@own_process
def workers_may_die_at_any_time(engine: Contestant) -> None:
    """From outside, in the middle of large frames, again and again: all results, each once."""
    with dying(engine, retries={"death": 20}) as (emp, _, deaths):
        ready: list[int] = []
        emp.on(events.WorkerReady, lambda event: ready.append(event.pid))
        size = 300_000
        rows = [("digest", bytes([number % 256]) * 1000, size) for number in range(120)]
        results = []
        for number, result in enumerate(emp.feed(rows)):
            results.append(result.ticket.number)
            assert len(result.value[0][1]) == size
            if number % 20 == 7 and ready:
                os.kill(ready.pop(0), 9)
        assert sorted(results) == list(range(120))
        assert {death.exitcode for death in deaths} == {-9}


@own_process
def tools_come_again_after_a_death(engine: Contestant) -> None:
    with dying(engine, procs_max=1) as (emp, count, _):
        emp.broadcast(table={"a": 1})
        rows = [("tool", "table"), ("die", count, 1, "kill"), ("tool", "table")]
        results = [r.value for r in emp.feed(rows).in_order()]
        assert (results[0], results[2]) == ([{"a": 1}], [{"a": 1}])


@own_process
def a_program_that_ends_a_worker_ends_its_slot(engine: Contestant) -> None:
    with dying(engine) as (emp, _, _):
        told = emp.queue(TOLD, maxsize=2)
        feed = emp.feed([("wait", GATE, TOLD), *range(30)])
        slot = emp.proc_list[told.get(timeout=LONG)]
        slot.kill()
        slot.join(LONG)
        assert (slot.is_alive(), slot.exitcode) == (False, -9)
        # the other one has its chunk now
        told.get(timeout=LONG)
        emp.queue_cust_dict_std[GATE].put(None)
        assert len(list(feed)) == 31
        assert not slot.is_alive()
