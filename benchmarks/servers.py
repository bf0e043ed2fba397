"""Servers under load: what reloads lose, how long a death is felt, how even and how fast they are."""

from __future__ import annotations

import asyncio
import os
import signal
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import nullcontext
from statistics import median
from time import perf_counter

from benchmarks.figure import Figure
from benchmarks.load import Client, Load, requests_per_second
from benchmarks.scale import Scale
from benchmarks.serving import PEERS, Served, gone_after, old, ours, peer
from benchmarks.side import WORKERS, Wrong

APPS = {"ASGI": "asgi", "WSGI": "wsgi", "aiohttp": "make_aiohttp", "http.server": "Handler"}
RELOADS = 3
ANSWERS = 10_000
AFTER = 1.0  #: seconds of load after the last reload
SHARE, SHARE_POINTS = 0.25, 3.0
KILLED_WITH_SPARE, KILLED = 60.0, 600.0  #: milliseconds
FASTER_THAN_OLD = 3
SLOWEST = 0.95  #: of uvicorn's requests a second
PATIENCE = 3.0  #: seconds for what outlives its manager


def run(scale: Scale) -> Iterator[Figure]:
    """One kind of fault or load after the other."""
    runs = 1 if scale.quick else 3
    peers = () if scale.quick else PEERS
    for name, app in list(APPS.items())[: 2 if scale.quick else None]:
        others = peers if name == "ASGI" else ()
        yield asyncio.run(lost_by_reloads(name, app, others, runs, scale.rows(ANSWERS)))
    yield asyncio.run(canary(scale.rows(2_000)))
    yield killed_worker("SIGKILL of a worker, with a spare", KILLED_WITH_SPARE, (), runs, spare=1)
    yield killed_worker("SIGKILL of a worker, without", KILLED, peers, runs, spare=0)
    yield killed_manager(peers, runs)
    yield asyncio.run(balance())
    yield from speed(1.0 if scale.quick else 4.0, scale.pairs)
    yield flask(1.0 if scale.quick else 4.0, runs)


async def lost_by_reloads(name: str, app: str, peers: Iterable[str], runs: int, answers: int) -> Figure:
    """Every process is replaced three times under load."""
    loads = []
    for _ in range(runs):
        with ours(app) as served:
            load = await reloaded(served, answers, lambda: served.order("reload"))
        expected = WORKERS * (1 + RELOADS)
        if len(load.pids) != expected:
            raise Wrong(f"{name}: {len(load.pids)} processes answered, expected {expected}")
        loads.append(load)
    others = {}
    for other in peers:
        candidate = peer(other)
        if candidate is None:
            others[other] = "not installed"
            continue
        with candidate as served:
            load = await reloaded(served, answers, served.reload)
            others[other] = (
                f"{len(load.lost)} of {len(load.answers):,} lost, {len(load.pids)} processes answered"
            )
    errors = Counter(text for load in loads for text in load.lost)
    return Figure(
        name=f"{name}: requests lost over {RELOADS} reloads",
        value=sum(len(load.lost) for load in loads),
        unit=f"of {', '.join(f'{len(load.answers):,}' for load in loads)}",
        target=0,
        peers=others,
        note="; ".join(f"{count} times {text}" for text, count in errors.items()),
    )


async def reloaded(served: Served, answers: int, reload: object) -> Load:
    """Load with reloads in between, and for a second after the last."""
    assert callable(reload)
    async with Load(served.places) as load:
        for number in range(RELOADS):
            await load.until(answers * (number + 1) // (RELOADS + 1))
            await asyncio.to_thread(reload)
        await load.until(answers)
        await asyncio.sleep(AFTER)
    return load


async def canary(connections: int) -> Figure:
    """The part of new connections that the new process gets."""
    with ours(group={"port": 0, "slots": 2}) as served:
        before = served.pids
        served.order(f"canary {SHARE}")
        answers = await asked_once(served.places[0], connections)
    part = sum(count for pid, count in answers.items() if pid not in before) / connections
    return Figure(
        name=f"share of a canary of {SHARE:.0%}",
        value=abs(part - SHARE) * 100,
        unit="points off",
        target=SHARE_POINTS,
        note=f"{part:.1%} of {connections:,} connections",
    )


async def asked_once(place: str, connections: int) -> Counter[int]:
    """How many new connections each process answered; twenty at a time."""
    answers: Counter[int] = Counter()

    async def ask(count: int) -> None:
        for _ in range(count):
            answers[int(await Client(place, keeps=False).ask())] += 1

    await asyncio.gather(*(ask(connections // 20) for _ in range(20)))
    return answers


def killed_worker(name: str, target: float, peers: Iterable[str], runs: int, *, spare: int) -> Figure:
    """Until a new process answers, on the port of the one that was killed."""
    taken, lost = [], []
    for _ in range(runs):
        with ours(spare=spare) as served:
            if spare:
                served.order("spare")
            seconds, missed = asyncio.run(kill(served))
            taken.append(seconds * 1000)
            lost.append(missed)
    others = {}
    for other in peers:
        candidate = peer(other)
        with candidate or nullcontext() as served:
            others[other] = (
                "not installed" if served is None else f"{asyncio.run(kill(served))[0] * 1000:.0f} ms"
            )
    return Figure(
        name=name,
        value=median(taken),
        unit="ms until a new process answers",
        low=min(taken),
        high=max(taken),
        target=target,
        peers=others,
        note=f"{', '.join(map(str, lost))} requests in flight lost",
    )


async def kill(served: Served) -> tuple[float, int]:
    """Seconds from the SIGKILL to the first answer of a new process; how many requests failed."""
    async with Load(served.places) as load:
        await load.until(500)
        known = load.pids
        seen = len(load.answers)
        killed = perf_counter()
        os.kill(int(load.answers[-1][1]), signal.SIGKILL)
        while True:
            await load.until(seen + 1)
            new = [at for at, pid in load.answers[seen:] if pid not in known]
            if new:
                break
            seen = len(load.answers)
    return new[0] - killed, len(load.lost)


def killed_manager(peers: Iterable[str], runs: int) -> Figure:
    """All servers go with it."""
    taken = []
    for _ in range(runs):
        with ours() as served:
            seconds = gone_after(served, 10.0)
        if seconds is None:
            raise Wrong("a server is left 10 s after its manager")
        taken.append(seconds)
    others = {}
    for other in peers:
        candidate = peer(other)
        with candidate or nullcontext() as served:
            seconds = None if served is None else gone_after(served, PATIENCE)
        left = f"still there after {PATIENCE:g} s" if seconds is None else f"{seconds:.2f} s"
        others[other] = "not installed" if candidate is None else left
    return Figure(
        name="SIGKILL of the manager: its servers are gone and the ports are free",
        value=max(taken),
        unit="s",
        low=min(taken),
        high=max(taken),
        target=1.0,
        peers=others,
    )


async def balance(connections: int = 200, slots: int = 4) -> Figure:
    """Connections that are kept, over the slots of one port."""
    with ours(group={"port": 0, "slots": slots}, slots=slots) as served:
        clients = [Client(served.places[0]) for _ in range(connections)]
        counts = Counter([await client.ask() for client in clients])
        for client in clients:
            client.close()
    return Figure(
        name=f"{connections} kept connections over {slots} slots: the fullest",
        value=max(counts.values()) / (connections / slots),
        unit="times its share",
        target=1.5,
        note=", ".join(map(str, sorted(counts.values(), reverse=True))),
    )


def speed(seconds: float, pairs: int) -> Iterator[Figure]:
    """About a millisecond of Python for each request, one shared port; and the memory of the trees."""
    candidate = peer("uvicorn --workers")
    if candidate is None:
        raise Wrong("uvicorn is not installed")
    with ours(group={"port": 0, "slots": WORKERS}) as here, candidate as there:
        taken = [
            [requests_per_second(side.places, "/work", seconds) for side in (here, there)]
            for _ in range(min(pairs, 5))
        ]
        memory = here.memory(), there.memory()
    ratios = [theirs / our for our, theirs in taken]
    yield Figure(
        name="requests a second of uvicorn --workers 2, with a millisecond of Python each",
        value=median(ratios),
        unit="times ours",
        low=min(ratios),
        high=max(ratios),
        target=1 / SLOWEST,
        note=both(taken, "uvicorn"),
    )
    yield Figure(
        name="memory of the whole tree (PSS)",
        value=memory[0] / memory[1],
        unit="times uvicorn --workers 2",
        target=1.1,
        note=f"ours {memory[0]:.1f} MiB, uvicorn {memory[1]:.1f} MiB",
    )


def flask(seconds: float, runs: int) -> Figure:
    """Our WSGI adapter beside threads with servers of their own, as programs of 1.0 have them."""
    with ours("make_flask") as here, old() as there:
        taken = [
            [requests_per_second(side.places, "/", seconds) for side in (here, there)] for _ in range(runs)
        ]
    ratios = [theirs / our for our, theirs in taken]
    return Figure(
        name="Flask: requests a second of the layout of 1.0",
        value=median(ratios),
        unit="times ours",
        low=min(ratios),
        high=max(ratios),
        target=1 / FASTER_THAN_OLD,
        note=both(taken, "1.0"),
    )


def both(taken: list[list[float]], other: str) -> str:
    """The requests a second of both sides."""
    here, there = (median(pair[side] for pair in taken) for side in (0, 1))
    return f"ours {here:,.0f}, {other} {there:,.0f}"
