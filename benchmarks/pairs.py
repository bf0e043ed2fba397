"""Two sides in turn (A B A B): the median of the ratios of their pairs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from statistics import median

from benchmarks.figure import Figure, Times
from benchmarks.peers import OTHERS, Map
from benchmarks.scale import Scale
from benchmarks.side import Idle, Side


def contest(
    name: str, ours: Side, peers: Sequence[Side], scale: Scale, *, target: float | None = None
) -> Figure:
    """Our side against the fastest of the peers."""
    for side in (ours, *peers):
        side.warm()
    peer, trials = fastest(peers, scale.trials)
    our_seconds: list[float] = []
    peer_seconds: list[float] = []
    idle = 0
    while len(our_seconds) < scale.pairs:
        try:
            pair = ours.seconds(), peer.seconds()
        except Idle:
            idle += 1
            if idle > scale.pairs:
                raise
            continue
        our_seconds.append(pair[0])
        peer_seconds.append(pair[1])
    ratios = [ours / peers for ours, peers in zip(our_seconds, peer_seconds, strict=True)]
    note = f"{scale.trials} runs"
    slower = {other: f"{seconds:.3f} s, {note}" for other, seconds in trials.items() if other != peer.name}
    return Figure(
        name=name,
        value=median(ratios),
        unit=f"times {peer.name}",
        low=min(ratios),
        high=max(ratios),
        target=target,
        sides=(times(ours.name, our_seconds), times(peer.name, peer_seconds)),
        peers=slower,
        note=f"{idle} pairs taken again, since one worker had done all" if idle else "",
    )


def fastest(peers: Sequence[Side], trials: int) -> tuple[Side, dict[str, float]]:
    """The fastest of sides that are warm, and the seconds of all; by the median of a few runs in turn."""
    if len(peers) == 1:
        return peers[0], {}
    rounds = [[_seconds(side) for side in peers] for _ in range(trials)]
    medians = {side.name: median(runs[place] for runs in rounds) for place, side in enumerate(peers)}
    return min(peers, key=lambda side: medians[side.name]), medians


def times(name: str, seconds: Sequence[float]) -> Times:
    """What the runs of one side took."""
    return Times(name, median(seconds), min(seconds), max(seconds), len(seconds))


def with_context(figure: Figure, make: Callable[[str, Map], Side], scale: Scale) -> Figure:
    """The figure with the seconds of the other peers: each opened, warmed, measured and closed by itself."""
    if scale.quick:
        return figure
    found = {}
    for peer in OTHERS:
        try:
            with peer.open() as work:
                side = make(peer.name, work)
                side.warm()
                seconds = median(_seconds(side) for _ in range(scale.trials))
            found[peer.name] = f"{seconds:.3f} s, {scale.trials} runs"
        except ImportError:
            found[peer.name] = "not installed"
    return replace(figure, peers={**figure.peers, **found})


def _seconds(side: Side) -> float:
    """One run; one more when a worker had no part in it."""
    try:
        return side.seconds()
    except Idle:
        return side.seconds()
