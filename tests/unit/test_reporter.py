"""How far the feeds are: lines, bars and 1.0's text, by a clock that the test turns."""

from __future__ import annotations

import io
import os
import pty
import re
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from types import SimpleNamespace
from typing import Any

import pytest

import eisenmp
from eisenmp.core.progress import Progress
from eisenmp.manager import reporter as module
from eisenmp.manager.reporter import Bars, Info, Lines, Reporter, reporter


class FakeFeed:
    """What a reporter reads of a feed."""

    def __init__(self, number: int = 1, name: str = "mp_input_q (default)") -> None:
        self.number = number
        self.queue = SimpleNamespace(name=name)
        self.rows_done = 0
        self.rows_cut = 0
        self.is_over = False

    def end(self, rows: int) -> None:
        self.rows_done = self.rows_cut = rows
        self.is_over = True


class Recorder:
    """A view that says when it was drawn."""

    def __init__(self, period: float = 0.0, error: Exception | None = None) -> None:
        self.period = period
        self.error = error
        self.draws = 0
        self.drawn = threading.Semaphore(0)
        self.finals = 0
        self.closed = 0
        self.feeds: list[Any] = []

    def add(self, feed: Any, total: int | None, now: float) -> None:
        self.feeds.append((feed, total))

    def draw(self, now: float, *, last: bool = False) -> None:
        self.draws += 1
        self.finals += last
        self.drawn.release()
        if self.error is not None:
            raise self.error

    def close(self) -> None:
        self.closed += 1


Written = pytest.CaptureFixture[str]


@pytest.fixture
def written(capsys: Written) -> Written:
    """What goes to stderr: the second of `written.readouterr()`."""
    return capsys


# lines


def test_lines_of_a_feed_whose_total_is_known(written: Written) -> None:
    lines, feed = Lines(), FakeFeed()
    lines.add(feed, 1000, 0.0)
    feed.rows_done = 250
    lines.draw(5.0)
    feed.end(1000)
    lines.draw(10.0, last=True)
    first, last = written.readouterr().err.splitlines()
    assert first == "eisenmp: 250 of 1,000 rows  25.0 %  50 rows/s  0:00:15 left"
    assert last.startswith("eisenmp: 1,000 of 1,000 rows  100.0 %")


def test_lines_of_a_feed_whose_total_nobody_knows(written: Written) -> None:
    lines, feed = Lines(), FakeFeed()
    lines.add(feed, None, 0.0)
    feed.rows_done = 250
    lines.draw(5.0)
    feed.end(300)
    lines.draw(6.0, last=True)
    first, last = written.readouterr().err.splitlines()
    assert first == "eisenmp: 250 rows  50 rows/s"
    assert last.startswith("eisenmp: 300 of 300 rows  100.0 %")


def test_lines_are_the_sum_of_all_feeds(written: Written) -> None:
    lines, one, two, three = Lines(), FakeFeed(1), FakeFeed(2), FakeFeed(3)
    lines.add(one, 100, 0.0)
    lines.add(two, 300, 0.0)
    one.end(100)
    two.rows_done = 100
    lines.draw(5.0)
    lines.add(three, None, 6.0)
    three.rows_done = 7
    lines.draw(10.0)
    two.end(300)
    three.end(10)
    lines.draw(15.0, last=True)
    assert [line.split("  ")[0] for line in written.readouterr().err.splitlines()] == [
        "eisenmp: 200 of 400 rows",
        "eisenmp: 207 rows",
        "eisenmp: 410 of 410 rows",
    ]


def test_a_feed_that_failed_is_not_shown_as_whole(written: Written) -> None:
    for total in (100, None):
        lines, feed = Lines(), FakeFeed()
        lines.add(feed, total, 0.0)
        feed.rows_done, feed.rows_cut, feed.is_over = 30, 60, True
        lines.draw(5.0, last=True)
    first, second = written.readouterr().err.splitlines()
    assert first.startswith("eisenmp: 30 of 100 rows  30.0 %")
    assert second.startswith("eisenmp: 30 of 60 rows  50.0 %")


def test_a_source_shorter_than_announced_ends_at_100_percent(written: Written) -> None:
    lines, feed = Lines(), FakeFeed()
    lines.add(feed, 1000, 0.0)
    feed.end(600)
    lines.draw(5.0, last=True)
    assert written.readouterr().err.startswith("eisenmp: 600 of 600 rows  100.0 %")


def test_the_last_line_is_not_said_twice(written: Written) -> None:
    lines, feed = Lines(), FakeFeed()
    lines.add(feed, 10, 0.0)
    feed.end(10)
    lines.draw(5.0)
    lines.draw(5.0, last=True)
    assert written.readouterr().err.count("\n") == 1


def test_many_feeds_leave_nothing_behind(written: Written) -> None:
    lines = Lines()
    for number in range(100):
        feed = FakeFeed(number)
        lines.add(feed, 1, 0.0)
        feed.end(1)
        lines.draw(float(number))
    assert lines._feeds == []
    assert "100 of 100 rows" in written.readouterr().err.splitlines()[-1]


# 1.0's text


def info_texts(total: int, steps: list[tuple[float, int]]) -> list[str]:
    """The texts that go to the print queue, for (time, rows reported); the last step is the end."""
    from eisenmp.wire.pickles import loads

    texts: list[str] = []
    manager = SimpleNamespace(
        boxes=SimpleNamespace(rows_reported=0),
        collector=SimpleNamespace(note=lambda queue, body: texts.append(loads(body))),
    )
    info = Info(manager, total)
    info.add(FakeFeed(), None, 0.0)
    for place, (now, rows) in enumerate(steps, 1):
        manager.boxes.rows_reported = rows
        info.draw(now, last=place == len(steps))
    return texts


def test_info_tells_percent_and_time_left() -> None:
    texts = info_texts(1000, [(3.0, 0), (6.0, 600), (9.0, 800), (10.0, 1000)])
    assert len(texts) == 3
    shown = [re.search(r'\[ "([\d.]+)%" done,\s+"([\d.]+)" seconds left \]', text) for text in texts]
    assert [float(match[1]) for match in shown if match] == [60.0, 80.0, 100.0]
    assert float(shown[2][2]) == 0.0 if shown[2] else False


def test_info_never_goes_past_100_percent() -> None:
    # 1.0 counted STOP entries too, and showed 102 %
    (text,) = info_texts(1000, [(3.0, 1020), (3.1, 1020)])
    assert '"100.0%" done' in text and '"0.0" seconds left' in text


def test_info_without_a_report_says_nothing() -> None:
    assert info_texts(1000, [(3.0, 0), (6.0, 0)]) == []


# bars


Drawn = Callable[[], str]
Terminal = Callable[[], AbstractContextManager[Drawn]]


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Terminal:
    """`with terminal() as drawn`: stderr is a terminal of 100 columns, `drawn()` what came there since."""
    for name, value in {"TERM": "xterm", "COLUMNS": "100", "NO_COLOR": None, "FORCE_COLOR": None}.items():
        if value is None:
            monkeypatch.delenv(name, raising=False)
        else:
            monkeypatch.setenv(name, value)

    @contextmanager
    def opened() -> Iterator[Drawn]:
        master, slave = pty.openpty()
        os.set_blocking(master, False)

        def drawn() -> str:
            seen = b""
            while True:
                try:
                    seen += os.read(master, 1 << 16)
                except BlockingIOError:
                    return seen.decode()

        # Not in the fixture itself: pytest sets its own stderr between that and the test.
        try:
            with os.fdopen(slave, "w", encoding="utf-8") as stream, monkeypatch.context() as patch:
                patch.setattr(sys, "stderr", stream)
                yield drawn
        finally:
            os.close(master)

    return opened


def plain(text: str) -> str:
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", text)


def test_bars_on_a_terminal(terminal: Terminal) -> None:
    with terminal() as drawn:
        bars, one, two = Bars(), FakeFeed(1, "audio"), FakeFeed(2, "video")
        bars.add(one, 1000, 0.0)
        bars.add(two, None, 0.0)
        one.rows_done, two.rows_done = 250, 40
        bars.draw(5.0)
        text = plain(drawn())
        assert re.search(r"audio .*25\.0 % +250/1,000 +50 rows/s +0:00:15 left", text)
        assert re.search(r"video .* 40 +8\.0 rows/s", text)
        one.end(1000)
        two.end(99)
        bars.draw(10.0, last=True)
        bars.close()
        text = drawn()
        assert re.search(r"audio .*100\.0 % +1,000/1,000 .*\n.*video .*100\.0 % +99/99 ", plain(text))
        assert "\x1b[?25h" in text, "the cursor is back"
        assert max(map(len, plain(text).replace("\r", "\n").splitlines())) <= 100


def test_a_name_is_shown_as_it_is(terminal: Terminal) -> None:
    with terminal() as drawn:
        bars = Bars()
        bars.add(FakeFeed(1, "batch_1|[red]audio[/red]"), 10, 0.0)
        bars.draw(1.0)
        bars.close()
        assert "batch_1|[red]audio[/red]" in plain(drawn())


def test_bars_that_are_over_make_room(terminal: Terminal) -> None:
    with terminal() as drawn:
        bars = Bars()
        running = FakeFeed(0, "runs")
        bars.add(running, 10, 0.0)
        for number in range(30):
            feed = FakeFeed(number, f"feed {number}")
            bars.add(feed, 1, 0.0)
            feed.end(1)
            bars.draw(1.0)
            drawn()  # or the terminal would be full one day
        bars.close()
        names = [bar.feed.queue.name for bar in bars._shown]
        assert names == ["runs", *(f"feed {number}" for number in range(23, 30))]
        assert len(names) == module.BARS_MAX


def test_no_color_is_respected(terminal: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    with terminal() as drawn:
        colors = r"\x1b\[[0-9;]*[39][0-9][0-9;]*m"
        for no_color in (None, "1"):
            if no_color:
                monkeypatch.setenv("NO_COLOR", no_color)
            bars = Bars()
            bars.add(FakeFeed(), 10, 0.0)
            bars.draw(1.0)
            bars.close()
            assert bool(re.search(colors, drawn())) is (no_color is None)


def test_stdout_that_is_no_terminal_is_left_alone(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    with terminal() as drawn:
        stdout = io.StringIO()
        monkeypatch.setattr(sys, "stdout", stdout)
        bars = Bars()
        bars.add(FakeFeed(), 10, 0.0)
        bars.draw(1.0)
        print("for the pipe")
        print("for the terminal", file=sys.stderr)
        bars.close()
        assert stdout.getvalue() == "for the pipe\n"
        text = plain(drawn())
        assert "for the terminal" in text and "for the pipe" not in text
        assert sys.stdout is stdout


# which of them


def manager_of(**settings: Any) -> Any:
    values = {"progress": False, "info_enable": False, "info_thread_max": None, **settings}
    return SimpleNamespace(settings=SimpleNamespace(**values))


def kinds(**settings: Any) -> list[type]:
    return [type(view) for view in reporter(manager_of(**settings))._views]


def test_the_settings_choose_the_views(written: Written) -> None:
    assert kinds(progress=True) == [Lines]
    assert kinds(info_enable=True, info_thread_max=10) == [Info]
    assert kinds(info_enable=True) == []
    assert kinds(info_thread_max=10) == []
    assert kinds(progress=True, info_enable=True, info_thread_max=10) == [Lines, Info]


def test_the_terminal_chooses_between_bars_and_lines(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    with terminal():
        assert kinds(progress=True) == [Bars]
        for term in ("dumb", ""):
            monkeypatch.setenv("TERM", term)
            assert kinds(progress=True) == [Lines]
        monkeypatch.setenv("TERM", "xterm")
        monkeypatch.setitem(sys.modules, "rich.progress", None)
        assert kinds(progress=True) == [Lines]


@pytest.mark.parametrize("stream", [None, io.StringIO()])
def test_without_a_console(monkeypatch: pytest.MonkeyPatch, stream: io.StringIO | None) -> None:
    if stream is not None:
        stream.close()
    monkeypatch.setattr(sys, "stderr", stream)
    shown, feed = reporter(manager_of(progress=True)), FakeFeed()
    shown.watch(feed, 10)
    feed.end(10)
    shown.close()


# the thread


def test_nothing_runs_before_the_first_feed() -> None:
    view = Recorder()
    shown = Reporter([view])
    assert not shown._thread.is_alive()
    shown.close()
    assert (view.finals, view.closed) == (1, 1)


def test_it_draws_while_a_feed_runs_and_sleeps_afterwards() -> None:
    view, feed = Recorder(period=0.001), FakeFeed()
    shown = Reporter([view])
    shown.watch(feed, 10)
    assert view.feeds == [(feed, 10)]
    assert shown._thread.name == "eisenmp-progress"
    for _ in range(5):
        view.drawn.acquire()
    assert shown._look() is not None
    feed.end(10)
    while shown._running:
        view.drawn.acquire()
    assert shown._look() is None
    shown.close()
    assert not shown._thread.is_alive()
    assert (view.finals, view.closed) == (1, 1)


def test_a_further_feed_wakes_it() -> None:
    view, first = Recorder(period=0.001), FakeFeed()
    shown = Reporter([view])
    first.end(1)
    shown.watch(first, 1)
    view.drawn.acquire()
    second = FakeFeed(2)
    shown.watch(second, None)
    for _ in range(3):
        view.drawn.acquire()
    shown.close()


def test_a_slow_view_is_not_hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr(module, "monotonic", lambda: now[0])
    slow, quick, feed = Recorder(period=5.0), Recorder(period=0.5), FakeFeed()
    shown = Reporter([slow, quick])
    shown._running = [feed]
    shown._due = [105.0, 100.5]
    for now[0] in (100.1, 100.6, 101.2, 104.9):
        shown._look()
    assert (slow.draws, quick.draws) == (0, 3)
    now[0] = 105.0
    assert shown._look() == pytest.approx(0.4)
    assert slow.draws == 1
    feed.end(1)
    now[0] = 105.1
    assert shown._look() is None
    assert (slow.draws, quick.draws) == (1, 4), "the end of a feed is drawn at once where that is cheap"
    shown.close()
    assert (slow.finals, quick.finals) == (1, 1)


def test_closing_twice_and_watching_afterwards() -> None:
    view = Recorder(period=0.001)
    shown = Reporter([view])
    shown.watch(FakeFeed(), 1)
    shown.close()
    shown.close()
    shown.watch(FakeFeed(2), 1)
    assert (view.finals, view.closed, len(view.feeds)) == (1, 1, 1)


@pytest.mark.parametrize(
    "error", [OSError(5, "Input/output error"), ValueError("I/O operation on closed file")]
)
def test_a_terminal_that_is_gone_does_not_end_the_job(error: Exception) -> None:
    view = Recorder(period=0.001, error=error)
    shown = Reporter([view])
    shown.watch(FakeFeed(), 1)
    view.drawn.acquire()
    view.drawn.acquire()
    shown.close()


# with a manager


def count(toolbox: Any, rows: Any) -> int:
    toolbox.mp_info_q.put([toolbox.PERF_HEADER_ETA + toolbox.WORKER_NAME, len(rows)])
    return len(rows)


def test_a_manager_says_at_the_end_that_all_is_done(
    written: Written, monkeypatch: pytest.MonkeyPatch
) -> None:
    # the worker imports this file, and pytest with it: that may take as long as the time between two lines
    monkeypatch.setattr(Lines, "period", 600.0)
    with eisenmp.Mp(eisenmp.worker(count), procs_max=1, rows_max=10, progress=True) as manager:
        assert sum(result.value for result in manager.feed(iter(range(95)))) == 95
        assert sum(result.value for result in manager.feed(range(5))) == 5
    assert [line.split("  ")[:2] for line in written.readouterr().err.splitlines()] == [
        ["eisenmp: 100 of 100 rows", "100.0 %"]
    ]


def test_a_manager_prints_the_text_of_1_0(
    written: Written,
) -> None:
    with eisenmp.Mp(
        eisenmp.worker(count), procs_max=1, rows_max=10, info_enable=True, info_thread_max=100
    ) as manager:
        assert sum(result.value for result in manager.feed(range(100))) == 100
    assert re.search(r'\[ "100\.0%" done,\s+"0\.0" seconds left \]', written.readouterr().out)
    assert any("100.0%" in str(text) for text in manager.print_q_box)


def test_without_the_settings_there_is_no_reporter(written: Written) -> None:
    with eisenmp.Mp(eisenmp.worker(count), procs_max=1) as manager:
        assert sum(result.value for result in manager.feed(range(10))) == 10
        assert "eisenmp-progress" not in {thread.name for thread in threading.enumerate()}
    assert written.readouterr().err == ""


def test_rates_come_from_the_arithmetic_of_core() -> None:
    progress = Progress(0.0, 1000)
    progress.update(500, 10.0)
    texts = module._texts(progress)
    assert texts == {"percent": " 50.0 %", "rows": "500/1,000", "speed": "50 rows/s", "left": "0:00:10 left"}
    assert module._texts(Progress(0.0)) == {"percent": "", "rows": "0", "speed": "", "left": ""}
