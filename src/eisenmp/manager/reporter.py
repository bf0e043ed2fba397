"""Shows how far the feeds of a manager are: bars on a terminal, plain lines elsewhere, 1.0's info text.

A thread of its own looks at the counters from time to time; the loop and the feeders know nothing of it.
"""

from __future__ import annotations

import sys
import threading
from time import monotonic

from ..core.progress import Progress, clock, percent_shown, speed
from .collector import PRINT

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Protocol

    class Watched(Protocol):
        """What is read of a feed."""

        @property
        def number(self) -> int: ...
        @property
        def queue(self) -> Any: ...
        @property
        def rows_done(self) -> int: ...
        @property
        def is_over(self) -> bool: ...

        @property
        def rows_cut(self) -> int: ...

    class View(Protocol):
        """One way to show the feeds; `period` is the time between two looks, in seconds."""

        period: float

        def add(self, feed: Watched, total: int | None, now: float) -> None:
            """From now on this feed too."""

        def draw(self, now: float, *, last: bool = False) -> None:
            """Show the state of now; `last` for the final one."""

        def close(self) -> None:
            """Give the terminal back."""


BARS_PERIOD = 0.2
INFO_PERIOD = 3.0
LINES_PERIOD = 5.0
BARS_MAX = 8  #: bars at once; of more feeds the oldest that are over leave


def reporter(manager: Any) -> Reporter:
    """The reporter that the settings of the manager ask for."""
    settings = manager.settings
    views: list[View] = []
    if settings.progress:
        views.append(Bars() if _can_draw() else Lines())
    if settings.info_enable and settings.info_thread_max:
        views.append(Info(manager, settings.info_thread_max))
    return Reporter(views)


class Reporter:
    """Draws its views in a thread that starts with the first feed and sleeps while no feed runs."""

    def __init__(self, views: list[View]) -> None:
        self._views = views
        self._due = [0.0] * len(views)
        self._running: list[Watched] = []
        self._lock = threading.Lock()
        self._wake = threading.Event()
        self._closed = False
        self._thread = threading.Thread(target=self._run, name="eisenmp-progress", daemon=True)

    def watch(self, feed: Watched, total: int | None) -> None:
        """Show this feed too; `total` rows are known to come, or None."""
        now = monotonic()
        with self._lock:
            if self._closed:
                return
            for view in self._views:
                view.add(feed, total, now)
            self._running.append(feed)
            if not self._thread.is_alive():
                self._due = [now + view.period for view in self._views]
                self._thread.start()
        self._wake.set()

    def close(self) -> None:
        """Show the final state and end the thread. May be called again."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
        self._wake.set()
        if self._thread.is_alive():
            self._thread.join()
        for view in self._views:
            self._draw(view, monotonic(), last=True)

    def _run(self) -> None:
        while not self._closed:
            self._wake.wait(self._look())
            self._wake.clear()

    def _look(self) -> float | None:
        """Draw what is due; returns the seconds to sleep, None until there is another feed."""
        with self._lock:
            now = monotonic()
            # Asked before the views look: what ends meanwhile is drawn once more.
            running = [feed for feed in self._running if not feed.is_over]
            over = len(running) < len(self._running)
            self._running = running
            for place, view in enumerate(self._views):
                # A view for which time matters is not hurried by the end of a feed.
                if self._due[place] <= now or (over and view.period < 1):
                    self._draw(view, now)
                    self._due[place] = now + view.period
            return max(0.0, min(self._due) - monotonic()) if running else None

    def _draw(self, view: View, now: float, *, last: bool = False) -> None:
        try:
            view.draw(now, last=last)
            if last:
                view.close()
        except (OSError, ValueError):
            # The terminal is gone. Who looks at nothing misses nothing, and the job goes on.
            return


class Lines:
    """A line from time to time and one at the end, on stderr: the sum of all feeds."""

    period = LINES_PERIOD

    def __init__(self) -> None:
        self._feeds: list[tuple[Watched, int | None]] = []
        self._rows_over = 0
        self._total_over = 0
        self._progress: Progress | None = None
        self._shown = ""

    def add(self, feed: Watched, total: int | None, now: float) -> None:
        if self._progress is None:
            self._progress = Progress(now)
        self._feeds.append((feed, total))

    def draw(self, now: float, *, last: bool = False) -> None:
        progress = self._progress
        if progress is None:
            return
        running, rows_running, total_running, known = [], 0, 0, True
        for feed, announced in self._feeds:
            over, rows = feed.is_over, feed.rows_done  # in this order: the rows of what is over are final
            if over:
                self._rows_over += rows
                self._total_over += _total(feed, announced) or rows
            else:
                running.append((feed, announced))
                rows_running += rows
                total_running += max(rows, announced or 0)
                known = known and announced is not None
        self._feeds = running
        progress.total = self._total_over + total_running if known else None
        progress.update(self._rows_over + rows_running, now)
        line = progress.line()
        if not last or line != self._shown:
            self._shown = line
            _write(f"eisenmp: {line}\n")

    def close(self) -> None:
        """There is nothing to give back."""


class Info:
    """1.0's text every three seconds: percent and time left, by what workers put into mp_info_q."""

    period = INFO_PERIOD

    def __init__(self, manager: Any, total: int) -> None:
        self._manager = manager
        self._total = total
        self._progress: Progress | None = None
        self._shown = -1

    def add(self, feed: Watched, total: int | None, now: float) -> None:
        if self._progress is None:
            self._progress = Progress(now, self._total)

    def draw(self, now: float, *, last: bool = False) -> None:
        progress = self._progress
        if progress is None:
            return
        done = self._manager.boxes.rows_reported
        progress.update(done, now)
        text = progress.info()
        if text is None or (last and done == self._shown):
            return
        self._shown = done
        from ..wire.pickles import dumps

        self._manager.collector.note(PRINT, dumps(text))

    def close(self) -> None:
        """There is nothing to give back."""


class _Bar:
    """One feed on the terminal."""

    def __init__(self, feed: Watched, task: Any, progress: Progress) -> None:
        self.feed = feed
        self.task = task
        self.progress = progress
        self.over = False


class Bars:
    """A bar for each feed, on stderr. What others print meanwhile goes above the bars."""

    period = BARS_PERIOD

    def __init__(self) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, TextColumn
        from rich.progress import Progress as RichProgress
        from rich.table import Column

        self._bars = RichProgress(
            TextColumn("{task.description}", markup=False, table_column=Column(no_wrap=True)),
            BarColumn(bar_width=None, table_column=Column(ratio=1, min_width=8)),
            *(
                TextColumn(
                    f"{{task.fields[{name}]}}",
                    markup=False,
                    justify="right",
                    table_column=Column(no_wrap=True),
                )
                for name in _texts(Progress(0.0))
            ),
            console=Console(stderr=True, soft_wrap=True),
            auto_refresh=False,  # its own thread would wake ten times a second for ever
            # A pipe behind stdout must get what is printed; on a terminal that would tear the bars.
            redirect_stdout=_is_terminal(sys.stdout),
            expand=True,
        )
        self._shown: list[_Bar] = []
        self._started = False

    def add(self, feed: Watched, total: int | None, now: float) -> None:
        if not self._started:
            self._started = True
            self._bars.start()
        for bar in [bar for bar in self._shown if bar.over][: max(0, len(self._shown) + 1 - BARS_MAX)]:
            self._shown.remove(bar)
            self._bars.remove_task(bar.task)
        progress = Progress(now, total)
        task = self._bars.add_task(str(feed.queue.name), total=total, **_texts(progress))
        self._shown.append(_Bar(feed, task, progress))

    def draw(self, now: float, *, last: bool = False) -> None:
        for bar in self._shown:
            if bar.over:
                continue
            feed, progress = bar.feed, bar.progress
            bar.over, rows = feed.is_over, feed.rows_done
            if bar.over:
                progress.total = _total(feed, progress.total)
            progress.update(rows, now)
            self._bars.update(bar.task, completed=rows, total=progress.total, **_texts(progress))
        if self._started:
            self._bars.refresh()

    def close(self) -> None:
        if self._started:
            self._bars.stop()


def _texts(progress: Progress) -> dict[str, Any]:
    """What stands behind a bar, by column; empty where it is not known."""
    return {
        "percent": "" if progress.percent is None else f"{percent_shown(progress.percent):5.1f} %",
        "rows": f"{progress.done:,}" + ("" if progress.total is None else f"/{progress.total:,}"),
        "speed": speed(progress.rate) if progress.rate > 0 else "",
        "left": "" if progress.eta is None else f"{clock(progress.eta)} left",
    }


def _total(feed: Watched, announced: int | None) -> int | None:
    """The rows of a feed that is over: what came, unless chunks of it were given up or cancelled."""
    cut = feed.rows_cut
    if feed.rows_done >= cut > 0:
        return cut
    return cut or None if announced is None else max(cut, announced)


def _can_draw() -> bool:
    from os import environ

    if not _is_terminal(sys.stderr) or environ.get("TERM") in (None, "", "dumb"):
        return False
    try:
        import rich.progress
    except ImportError:
        return False
    return rich.progress is not None


def _is_terminal(stream: Any) -> bool:
    try:
        return stream is not None and bool(stream.isatty())
    except ValueError:  # closed
        return False


def _write(text: str) -> None:
    """On stderr as it is now."""
    if sys.stderr is not None:
        sys.stderr.write(text)
        sys.stderr.flush()
