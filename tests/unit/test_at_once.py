"""What several threads do at once: each of these was lost, given twice, or hung, in the wrong moment."""

from __future__ import annotations

import asyncio
import os
import pickle
import signal
import socket
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import eisenmp
from eisenmp.child import channel as channels
from eisenmp.child import loader, tools
from eisenmp.child.serving import Server, Stop
from eisenmp.core import messages as m
from eisenmp.core.messages import Message
from eisenmp.core.pieces import Pieces
from eisenmp.core.results import Results
from eisenmp.core.site import Serving
from eisenmp.core.span import Span
from eisenmp.engine import process
from eisenmp.manager.events import OutputLine
from eisenmp.manager.follower import LINES_MAX, Follower
from eisenmp.manager.gathering import Gathering
from eisenmp.servers.accepting import noticing
from eisenmp.wire.frames import encode
from eisenmp.wire.pickles import dumps
from eisenmp.wire.regions import Hold, Region
from tests.unit.test_replica import copy_of
from tests.worker_end import read_first, worker_end


class Moment(int):
    """A number; whoever compares it gives another thread its turn, which does this."""

    turn: Callable[[], object]

    def __le__(self, other: int) -> bool:
        self.turn()
        return int(self) <= other

    def __gt__(self, other: int) -> bool:
        self.turn()
        return int(self) > other


@eisenmp.worker
def count(toolbox: Any, rows: list[int]) -> int:
    return len(rows)


# results


class Watched(deque[Any]):
    """Says how many were finished when something became ready."""

    def __init__(self, results: Results) -> None:
        super().__init__()
        self.results = results
        self.seen: list[int] = []

    def append(self, entry: Any) -> None:
        self.seen.append(self.results.finished)
        super().append(entry)


@pytest.mark.parametrize("ordered", [False, True])
def test_who_finds_all_finished_finds_them_ready(ordered: bool) -> None:
    results = Results()
    if ordered:
        results.order()
    results._ready = ready = Watched(results)
    results.add(0, "first")
    results.add_all(1, ["second", "third"])
    results.add(4, "fifth")
    results.fail(3)
    # what is finished counts behind what is given out; in order, a failure lets the fifth go
    assert ready.seen == [0, 1, 4 if ordered else 3]
    assert results.finished == 5


def test_results_are_taken_while_the_end_of_the_source_becomes_known() -> None:
    results = Results()
    for number in range(4):
        results.add(number, f"of {number}")
    end = Moment(2)
    given = []
    end.turn = lambda: given.append(results.pop()[0]) if not given else None
    results.cut_back(end)
    while results.ready:
        given.append(results.pop()[0])
    assert given == [0, 1]


def test_a_piece_is_asked_for_while_others_end() -> None:
    pieces = Pieces(10)
    pieces.add(0, 2, [])
    pieces.add(2, 2, [])
    start = Moment(2)
    start.turn = lambda: pieces.add(len(pieces._ends) * 2, 2, [])
    assert pieces.part(start) == 2


def test_blocks_are_dropped_while_they_are_listed() -> None:
    region = Region.make(1 << 16)
    try:
        holds = {offset: region.hold(offset, 64) for offset in (0, 64, 128)}

        class Dropping(type(region.holds)):  # type: ignore[misc]
            """Another thread drops one and opens another one, between two steps."""

            def values(self) -> Iterator[Hold]:
                for hold in super().values():
                    holds.pop(128, None)
                    region.holds.get(128)
                    yield hold

        dropping = Dropping()
        dropping.update(region.holds)
        region.holds = dropping
        assert {hold.offset for hold in region.held()} >= {0, 64}
        region.leave()
    finally:
        region.close()


def test_the_collector_of_garbage_ends_an_iterator_in_the_middle_of_the_loop() -> None:
    with eisenmp.Mp(count, engine="inline", procs_max=1) as emp:
        feed = emp.feed(iter(int, 1))
        kept = [iter(feed)]
        next(kept[0])

        def ready() -> bool:
            # asked twice, the second time under the lock that says who leads
            looks.append(1)
            if len(looks) == 2:
                kept.clear()
            return len(looks) >= 2

        looks: list[int] = []
        assert emp.dispatcher.pump.wait_until(ready)
        assert feed.wait(), "it is cancelled"


def test_whoever_leaves_the_results_has_cancelled_the_feed() -> None:
    with eisenmp.Mp(count, engine="inline", procs_max=1) as emp:
        feed = emp.feed(iter(int, 1))
        for _ in feed:
            break
        assert feed.wait(0)
        assert feed.is_over


# in the manager


def test_rows_that_the_loop_sends_off_early_have_the_number_that_was_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def at_once(gathering: Gathering) -> None:
        if gathering._rows:
            with gathering._dispatcher.lock:
                gathering._due()

    monkeypatch.setattr(Gathering, "look", at_once)
    monkeypatch.setattr(eisenmp.Feed, "starving", property(lambda feed: feed.next_number == 0))
    settings: dict[str, Any] = {"engine": "inline", "procs_max": 1, "rows_max": "auto"}
    with eisenmp.Mp(count, ledger=tmp_path / "ledger", **settings) as emp:
        assert sum(value for _, value in emp.feed(iter(range(100)))) == 100


def test_handlers_of_signals_may_meet_a_manager_that_is_just_stopped(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from eisenmp.manager.signals import signals

    class Leaving:
        @property
        def iterated(self) -> bool:
            signals.managers.pop(self, None)  # type: ignore[call-overload]
            return False

    monkeypatch.setattr(signals, "managers", {Leaving(): None, Leaving(): None})
    assert not signals._iterating()
    assert not signals.managers


def test_a_reader_that_is_too_slow_is_told_how_much_it_has_missed() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs, theirs.makefile("rb") as lines:
        follower = Follower(ours, None, [])
        text = "".join(f"{number}\n" for number in range(LINES_MAX))
        for _ in range(2):
            follower.wrote(OutputLine(0, "web/0", 1, text))
        follower.close()
        reader = threading.Thread(target=follower.run)
        reader.start()
        told = lines.readline().decode()
        reader.join()
    assert f"... {LINES_MAX:,} lines are left out here" in told
    assert told.count("web/0 | ") == LINES_MAX


def test_nobody_is_signalled_where_there_is_no_process(monkeypatch: pytest.MonkeyPatch) -> None:
    killed: list[Any] = []
    monkeypatch.setattr(os, "kill", lambda *call: killed.append(call))
    process.signal_group(0, signal.SIGTERM)
    assert killed == []


# in the worker


class Imports(dict[str, Any]):
    """Like sys.modules; whoever makes a list of its items lets another thread import something."""

    def items(self) -> Any:
        for pair in super().items():
            self[f"import_{len(self)}"] = None
            yield pair


def test_a_worker_file_is_imported_while_another_thread_imports(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loader, "sys", SimpleNamespace(modules=Imports(sys.modules)))
    monkeypatch.setattr(loader, "_homes", set())
    assert loader._set_aside(os.fspath(tmp_path)) == {}


def test_a_tool_that_two_threads_ask_for_is_opened_once(monkeypatch: pytest.MonkeyPatch) -> None:
    known = tools.Tools([pickle.dumps({"words": pickle.dumps(["one"])})])
    opened, found = [], []
    asks = threading.Event()

    def ask() -> None:
        asks.set()
        found.append(known["words"])

    other = threading.Thread(target=ask)

    def slowly(body: bytes) -> Any:
        opened.append(body)
        if len(opened) == 1:
            other.start()
            asks.wait()
        return pickle.loads(body)

    monkeypatch.setattr(tools, "loads", slowly)
    found.append(known["words"])
    other.join()
    assert found[0] is found[1]
    assert len(opened) == 2, "what was broadcast, and the tool in it"
    for name in known:
        known.arrived(pickle.dumps({f"{name} more": pickle.dumps(1)}))
        assert known[f"{name} more"] == 1


def test_another_thread_does_not_send_what_the_worker_holds_back() -> None:
    with worker_end() as (channel, manager):
        manager.sendall(b"".join(encode([Message(m.CHUNK, 0, a=7, c=1, body=dumps([1]))])))
        assert channel.get(0) is not None
        channel.output(7, "of the chunk")
        mate = threading.Thread(target=channel.output, args=(0, "of nobody"))
        mate.start()
        mate.join()
        channel.end_cycle()
        channel.flush()
        said = []

        def last(message: Message) -> bool:
            if message.kind == m.OUTPUT:
                said.append((pickle.loads(message.body), bool(message.flags & m.FINAL)))
            return bool(message.flags & m.FINAL)

        read_first(manager, last)
    assert said == [("of nobody", False), ("of the chunk", True)]


@pytest.mark.parametrize("rows", [dumps([1]), dumps(Span(0, 3))])
def test_the_chunk_of_another_thread_is_done_when_its_rows_were_read(rows: bytes) -> None:
    with worker_end() as (channel, manager):
        manager.sendall(b"".join(encode([Message(m.CHUNK, 0, a=7, c=1, body=rows)])))
        said: list[int] = []
        channel.post = lambda message: said.append(message.kind)  # type: ignore[method-assign]
        channel.stocks.rows = lambda item, span, lazily: ([1, 2, 3], said.append(-1))[0]  # type: ignore[method-assign]

        def read() -> None:
            item = channel.get(0)
            assert item is not None
            said.clear()
            said.append(len(channel.rows(item)))

        mate = threading.Thread(target=read)
        mate.start()
        mate.join()
    assert said in ([m.DONE, 1], [-1, m.DONE, 3])


def test_what_is_printed_while_something_is_sent_goes_behind_it(monkeypatch: pytest.MonkeyPatch) -> None:
    with worker_end() as (channel, manager):
        encoded = channels.encode

        def with_garbage(messages: Any) -> Any:
            monkeypatch.setattr(channels, "encode", encoded)
            channel.log(2, "Exception ignored in: __del__\n")
            channel.flush()
            return encoded(messages)

        monkeypatch.setattr(channels, "encode", with_garbage)
        channel.log(1, "first\n")
        channel.flush()
        channel.last_words()
        said: list[bytes] = []

        def both(message: Message) -> bool:
            said.append(message.body)
            return len(said) == 2

        read_first(manager, both)
    assert [b"first" in said[0], b"ignored" in said[1]] == [True, True]


def test_a_mate_takes_rows_of_the_generator_that_the_worker_reads() -> None:
    copy, _ = copy_of("numbers", 40_000)
    wrong: list[Any] = []
    before = sys.getswitchinterval()

    def mate() -> None:
        for start in range(200, 40_000, 400):
            if copy.rows(Span(start, 200), False) != list(range(start, start + 200)):
                wrong.append(start)

    thread = threading.Thread(target=mate)
    sys.setswitchinterval(1e-6)
    try:
        thread.start()
        for start in range(0, 40_000, 400):
            found = list(copy.rows(Span(start, 200), True))
            if found != list(range(start, start + 200)):
                wrong.append(found)
            copy.settle()
        thread.join()
    finally:
        sys.setswitchinterval(before)
    assert wrong == []


def test_the_word_to_stop_may_come_while_the_modules_of_a_server_are_imported() -> None:
    with worker_end() as (channel, _):
        channel.stopping = True
        assert Server(lambda *called: None, Serving("web", 0, (), (), 1.0), channel).stop.is_set()


def test_a_loop_that_has_ended_is_not_woken() -> None:
    stop = Stop(0.0, lambda: None, 0, lambda: None)

    async def serve() -> None:
        noticing(stop)

    asyncio.run(serve())
    stop.set()
    stop.close()
