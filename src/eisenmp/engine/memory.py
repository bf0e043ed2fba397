"""The private memory of a process of this machine, measured with psutil."""

from __future__ import annotations

from time import monotonic

from ..errors import SettingsError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

SHARE = 20  #: the costly look at all maps takes at most one part in so many of the time


def load_psutil() -> Any:
    """The library; SettingsError where it is missing."""
    from importlib import import_module

    try:
        return import_module("psutil")
    except ImportError:
        message = "memory_max needs psutil, which measures the workers: pip install psutil"
    raise SettingsError(message)


class Meter:
    """Measures one process.

    Private is what belongs to the process alone and is no map of a file or of shared memory. On Linux that
    is RssAnon, the anonymous pages, which psutil gives as rss - shared at the price of one small file.
    A forked process has the pages of its parent in there until one of them writes: where that matters, they
    are taken off. Elsewhere it is uss; and rss, with all that is shared, where the system tells no more.
    """

    def __init__(self, pid: int, *, forked: bool = False) -> None:
        self._psutil = load_psutil()
        self._pid = pid
        self._process: Any = None
        self._forked = forked
        self._inherited = 0
        self._look_at = 0.0

    def read(self, enough: int = 0) -> int | None:
        """Bytes; None when the process is gone. Up to `enough` they may be counted with what is inherited."""
        psutil = self._psutil
        try:
            if self._process is None:
                self._process = psutil.Process(self._pid)
            return self._measure(enough)
        except (psutil.NoSuchProcess, psutil.ZombieProcess):
            return None

    def _measure(self, enough: int) -> int:
        info = self._process.memory_info()
        shared = getattr(info, "shared", None)
        if shared is None:
            try:
                return int(self._process.memory_full_info().uss)
            except (self._psutil.AccessDenied, AttributeError):
                return int(info.rss)
        anonymous = int(info.rss - shared)
        if self._forked and anonymous > enough:
            now = monotonic()
            if now >= self._look_at:
                self._inherited = max(0, anonymous - self._private())
                self._look_at = monotonic() + SHARE * (monotonic() - now)
            anonymous -= min(anonymous, self._inherited)
        return anonymous

    def _private(self) -> int:
        """The anonymous pages that no other process has; map by map, since files have private pages too."""
        return sum(
            min(part.anonymous, part.private_clean + part.private_dirty)
            for part in self._process.memory_maps(grouped=False)
        )
