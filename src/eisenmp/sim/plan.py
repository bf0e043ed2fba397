"""What one run is about, drawn before it begins: settings, feeds, how long things take, which faults."""

from __future__ import annotations

from .faults import POISONS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from .draws import Draws

CHUNKS_MAX = 24
PULL_MAX = 0.3  #: seconds for a row; a feeder that takes longer is left behind when the manager stops
CONSUMERS = ("as they come", "in order", "waits", "slow", "drops out", "never")


class FeedPlan:
    """One feed: its rows, its troubles, and who takes its results."""

    def __init__(self, name: str, draws: Draws, kind: str, chunk_seconds: float) -> None:
        self.name = name
        self.start = 0.0 if name == "feed 1" else draws.about(4 * chunk_seconds)
        self.rows_max = draws.between(1, 3)
        few = draws.chance(0.5)
        self.rows = draws.between(0, (4 if few else CHUNKS_MAX) * self.rows_max)
        self.raises_at = draws.below(self.rows + 1) if draws.chance(0.06) else -1
        self.unsendable_at = draws.below(self.rows + 1) if draws.chance(0.04) else -1
        self.row_seconds = min(PULL_MAX, chunk_seconds) * draws.pick((0.0, 0.0, 0.0, 0.25, 1.0))
        self.consumer = draws.pick(CONSUMERS) if kind == "chunks" else "never"
        self.takes = draws.between(1, 6)  #: results that a consumer takes who drops out
        self.cancel_at = draws.about(6 * chunk_seconds) if draws.chance(0.12) else -1.0
        self.poisons: dict[int, str] = {}  #: by row: what it does to a worker
        if draws.chance(0.25):
            for _ in range(draws.between(1, 2)):
                self.poisons[draws.below(self.rows + 1)] = draws.pick(POISONS)
        self.tickets_cancelled = draws.between(1, 2) if draws.chance(0.1) else 0


class Plan:
    """One run."""

    def __init__(self, draws: Draws) -> None:
        self.kind = "chunks" if draws.chance(0.7) else "1.0"
        self.procs = draws.pick((1, 1, 2, 2, 2, 3, 3, 4, 5, 8))
        self.chunk_seconds = draws.pick((0.00001, 0.0005, 0.004, 0.05, 2.0))
        self.latency = draws.pick((0.000001, 0.0001, 0.002))
        self.start_seconds = draws.pick((0.0, 0.01, 0.3))
        self.even = draws.chance(0.3)  #: all chunks take as long as each other
        self.takes_max = draws.pick((1, 1, 2, 3))  #: items that a worker of 1.0 takes in a cycle
        self.objects = self.kind == "1.0" and draws.chance(0.5)
        # a mate's thread keeps its process up: where workers leave by themselves, nobody would see the end
        self.has_mates = self.kind == "chunks" and draws.chance(0.15)
        self.object_queue = 6  #: the wire number of the first queue that is made
        self.object_maxsize = draws.pick((0, 1, 1, 3))
        self.objects_put = draws.between(1, 8) if self.objects or self.has_mates else 0
        self.pid_comes_late = draws.chance(0.2)
        self.wire_breaks = draws.chance(0.35)
        self.on_error = draws.pick(("raise", "skip", "skip"))
        self.retries = {
            "raise": draws.pick((0, 0, 1, 2)),
            "death": draws.pick((0, 1, 2, 2)),
            "timeout": draws.pick((0, 0, 1)),
        }
        limit = 0.01 + self.chunk_seconds * draws.pick((2, 10, 10))
        self.timeout = limit if draws.chance(0.2) else None
        self.timeout_row = limit / 2 if draws.chance(0.1) else None
        self.chunks_max = draws.pick((1, 2, 4)) if draws.chance(0.15) else None
        self.start_timeout = draws.pick((1.0, 60.0))
        self.faults = draws.pick((0, 0, 1, 2, 4, 8))  #: that strike at most
        self.fault_share = draws.pick((0.02, 0.1, 0.3))
        self.refusals = draws.pick((0.0, 0.0, 0.1, 0.6))
        self.load_failures = 0.1 if draws.chance(0.05) else 0.0
        self.feeds = [
            FeedPlan(f"feed {number}", draws, self.kind, self.chunk_seconds)
            for number in range(1, draws.pick((1, 1, 1, 2, 2, 3)) + 1)
        ]
        self.resizes = self._times(draws, 0.15)
        self.kills = self._times(draws, 0.2)
        self.dismissals = self._times(draws, 0.1)
        self.puts_of_workers = draws.between(0, 8)
        self.end = draws.pick(("leave", "leave", "leave", "join", "stop"))
        self.stop_at = draws.about(10 * self.chunk_seconds + self.start_seconds)
        self.grace = draws.pick((0.0, 0.1, 10.0))

    def _times(self, draws: Draws, share: float) -> list[float]:
        if not draws.chance(share):
            return []
        seconds = self.start_seconds + 8 * self.chunk_seconds
        return [draws.about(seconds) for _ in range(draws.between(1, 3))]

    def lines(self) -> list[str]:
        """What was drawn, to be read."""
        plans = [("plan", vars(self)), *((feed.name, vars(feed)) for feed in self.feeds)]
        return [
            f"{name}: "
            + ", ".join(f"{key} {value}" for key, value in drawn.items() if key not in ("feeds", "name"))
            for name, drawn in plans
        ]

    def settings(self) -> dict[str, Any]:
        """The settings of the manager; none comes from the environment."""
        return {
            "procs_max": self.procs,
            "on_error": self.on_error,
            "timeout": self.timeout,
            "timeout_row": self.timeout_row,
            "chunks_max": self.chunks_max,
            "retries": self.retries,
            "start_timeout": self.start_timeout,
            "grace": self.grace,
            "threads_max": 1,
            "start_method": "spawn",
            "stop_msg_disable": False,
            "progress": False,
            "info_enable": False,
            "pin": "none",
        }

    @property
    def shortest_limit(self) -> float:
        """No chunk is too slow before so many seconds."""
        return min((limit for limit in (self.timeout, self.timeout_row) if limit is not None), default=0.0)

    def load_time(self, draws: Draws) -> float:
        return draws.about(self.start_seconds)

    def load_fails(self, draws: Draws) -> bool:
        return draws.chance(self.load_failures)

    def work_time(self, draws: Draws) -> float:
        return self.chunk_seconds if self.even else draws.about(self.chunk_seconds)
