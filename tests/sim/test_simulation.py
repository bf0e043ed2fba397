"""One seed is one run, whoever repeats it; and the runs are about all that may happen."""

from __future__ import annotations

import os
import re
import subprocess
import sys

import pytest

from eisenmp.core import messages as m
from eisenmp.core.messages import Message
from eisenmp.manager.reception import Reception
from eisenmp.sim.campaign import FAILURES_MAX, explore, run_seed
from eisenmp.sim.draws import Draws
from eisenmp.sim.faults import AT, FAULTS, POINTS
from eisenmp.sim.plan import CONSUMERS, Plan
from eisenmp.sim.simulation import Simulation
from eisenmp.sim.trace import Trace
from eisenmp.sim.violation import Violation

from .mutants import MUTANTS

LINE = re.compile(r" *\d+\.\d{6}  (manager|program|system|worker \d+|feed \d( user)?) +\S.*")
WORDS = (
    "CHUNK ticket", "ITEM", "TOKEN", "ANSWER", "ORDER_STOP", "ORDER_RECALL", "ORDER_CANCEL", "signal 15", "signal 9",
    "WANT", "OUTPUT FINAL", "DONE", "RAISED", "BACK", "LEFT", "UP", "PUT", "ASK_NOW", "ASK_WITHDRAW",
    "REQUEST ORDER_PAUSE", "REQUEST ORDER_RESUME", "REQUEST ORDER_RESTART", "FAILED_START", "PROGRESS", "LEAVING",
    "has no room", "goes on", "drops out", "cancels feed", "cancels ticket", "for good", "wants", "puts an object",
    "is told", "part 2", "could not start", "stops the manager", "LEFT queue 0 a 2",
)  # fmt: skip


def trace_of(seed: int, **environment: str) -> bytes:
    """What another process prints for the seed."""
    return subprocess.run(
        [sys.executable, "-m", "eisenmp", "sim", "--seed", str(seed)],
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        check=True,
    ).stdout


@pytest.mark.parametrize("seed", [0, 3, 2073])
def test_a_seed_is_one_run_byte_for_byte(seed: int) -> None:
    first = trace_of(seed, PYTHONHASHSEED="1")
    again = trace_of(
        seed, PYTHONHASHSEED="2", EISENMP_PROCS_MAX="3", EISENMP_RETRIES="7", EISENMP_CHUNKS_MAX="1"
    )
    assert first == again
    here, failure = run_seed(seed, traced=True)
    assert failure is None and here.trace is not None
    assert "\n".join(here.trace.lines) in first.decode()


def test_the_trace_has_a_line_for_each_step_that_can_be_read() -> None:
    for seed in range(40):
        simulation, failure = run_seed(seed, traced=True)
        assert failure is None and simulation.trace is not None
        lines = simulation.trace.lines
        assert [line for line in lines if not LINE.fullmatch(line)] == []
        times = [float(line.split()[0]) for line in lines]
        assert times == sorted(times)


def test_a_trace_changes_nothing() -> None:
    for seed in range(20):
        steps = {run_seed(seed, traced=traced)[0].schedule.taken for traced in (True, False)}
        assert len(steps) == 1


def test_everything_happens() -> None:
    """Each fault, each message, each thing that a program does: none has dropped out of the runs unnoticed."""
    missing = {*WORDS, *(f"  {fault}" for fault in FAULTS)}
    seeds = iter(range(3000))
    while missing:
        simulation, failure = run_seed(next(seeds), traced=True)
        assert failure is None and simulation.trace is not None
        text = "\n".join(simulation.trace.lines)
        missing = {word for word in missing if word not in text}


def test_plans_are_about_all_kinds() -> None:
    plans = [Plan(Draws(seed)) for seed in range(2000)]
    assert {plan.kind for plan in plans} == {"chunks", "1.0"}
    assert {plan.procs for plan in plans} == {1, 2, 3, 4, 5, 8}
    assert {plan.end for plan in plans} == {"leave", "join", "stop"}
    assert {feed.consumer for plan in plans for feed in plan.feeds} == set(CONSUMERS)
    assert {len(plan.feeds) for plan in plans} == {1, 2, 3}
    assert any(plan.timeout for plan in plans) and any(plan.chunks_max for plan in plans)


def test_every_fault_strikes_somewhere() -> None:
    assert set(AT) == set(POINTS)
    assert {name for names in AT.values() for name in names} == set(FAULTS)


def test_a_defect_of_the_manager_is_a_failure_too(monkeypatch: pytest.MonkeyPatch) -> None:
    def on_want(self: Reception, wid: int, message: Message) -> None:
        raise LookupError("no such queue")

    monkeypatch.setattr(Reception, "_on_want", on_want)
    _, failure = run_seed(0)
    assert failure is not None and "LookupError: no such queue" in failure.text


def test_a_campaign_names_the_seeds_and_stops_after_some(monkeypatch: pytest.MonkeyPatch) -> None:
    mutant = MUTANTS["counts_a_finish_twice"]
    monkeypatch.setattr(mutant.owner, mutant.method, mutant.replace(vars(mutant.owner)[mutant.method]))
    findings = explore(iter(range(1000)))
    assert len(findings.failures) == FAILURES_MAX
    for failure in findings.failures:
        with pytest.raises(Violation, match=re.escape(failure.text)):
            Simulation(failure.seed).run()


def test_the_time_of_a_campaign_is_kept() -> None:
    assert explore(iter(range(1000)), 0.0).runs == 0


def test_what_a_trace_calls_messages() -> None:
    trace = Trace({7: "feed 1"})
    assert trace.message(Message(m.CHUNK, 0, 3, 5, 7)) == "CHUNK ticket 5 of feed 1 (lease 3, queue 0)"
    assert trace.message(Message(m.BACK, 2, body=(9).to_bytes(8, "little"))) == "BACK queue 2 leases [9]"
    assert trace.message(Message(m.OUTPUT, 0, 4, flags=m.FINAL | m.LEAVING)) == "OUTPUT FINAL lease 4 LEAVING"


def test_who_is_stopped_hears_nothing_before_it_goes_on() -> None:
    simulation = Simulation(0)
    simulation.emp._apply_settings()
    simulation.emp._resolve_sources()
    slot = simulation.emp._crew.add_slot()
    simulation.emp.dispatcher.supervisor.start_slot(slot)
    process = simulation.engine.processes[slot.wid]
    process.stop()
    process.send([Message(m.CONTROL, a=m.ORDER_STOP)])
    while simulation.schedule.step(0.5):  # before its start is overdue
        pass
    assert not process.channel.stopping and process.alive
    process.go_on()
    while simulation.schedule.step(0.9):
        pass
    assert process.told and not process.alive
    assert not slot.alive
