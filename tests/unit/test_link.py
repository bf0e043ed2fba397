"""The worker's end of the stream, and what the manager's loop waits on, also where there is no epoll."""

from __future__ import annotations

import os
import select
import socket
import threading
from _socket import socket as Socket
from collections.abc import Iterator

import pytest

from eisenmp.wire import platform
from eisenmp.wire.handshake import Greeting, connect
from eisenmp.wire.link import Link
from eisenmp.wire.platform import Poller, loopback_pair

WITHOUT = {
    "epoll": (),
    "poll": ("epoll",),
    "select": ("epoll", "poll", "devpoll"),
}


@pytest.fixture(params=WITHOUT)
def system(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """What the system offers for waiting: epoll, poll or only select."""
    import selectors

    for name in WITHOUT[request.param]:
        monkeypatch.delattr(select, name, raising=False)
    if request.param == "poll":
        monkeypatch.setattr(selectors, "DefaultSelector", selectors.PollSelector)
    elif request.param == "select":
        monkeypatch.setattr(selectors, "DefaultSelector", selectors.SelectSelector)
    return str(request.param)


@pytest.fixture
def pair() -> Iterator[tuple[Socket, Socket]]:
    ends = loopback_pair()
    yield ends
    for end in ends:
        end.close()


@pytest.fixture
def poller(system: str) -> Iterator[Poller]:
    poller = Poller()
    yield poller
    poller.close()


# link


@pytest.mark.usefixtures("system")
def test_a_link_reads_what_comes_and_nothing_in_time(pair: tuple[Socket, Socket]) -> None:
    link = Link(pair[0])
    assert link.read(0.0) is None
    assert link.read(0.001) is None
    pair[1].sendall(b"words")
    assert link.read(1e12) == b"words"
    pair[1].sendall(b"more")
    assert link.read(None) == b"more"
    link.write([b"an", b"swer"])
    assert pair[1].recv(6) == b"answer"
    pair[1].close()
    assert link.read(None) == b""
    link.close()


def test_a_link_that_is_cut_wakes_the_reader(pair: tuple[Socket, Socket]) -> None:
    link = Link(pair[0])
    read: list[bytes | None] = []
    reader = threading.Thread(target=lambda: read.append(link.read(None)))
    reader.start()
    link.cut()
    reader.join(10)
    assert read == [b""]
    link.cut()


def test_a_link_leaves_when_the_other_side_has_read_all(pair: tuple[Socket, Socket]) -> None:
    link = Link(pair[0])
    link.write([b"last words"])
    pair[1].sendall(b"unread")
    leaving = threading.Thread(target=link.leave)
    leaving.start()
    assert pair[1].recv(100) == b"last words"
    assert pair[1].recv(100) == b""
    assert leaving.is_alive()
    pair[1].close()
    leaving.join(10)
    assert not leaving.is_alive()
    link.leave()


# poller


def test_a_poller_tells_who_can_be_read_and_written(poller: Poller, pair: tuple[Socket, Socket]) -> None:
    left, right = pair
    poller.add(left.fileno(), "left")
    poller.add(right.fileno(), "right")
    assert poller.wait(0.0) == []
    right.send(b"x")
    assert poller.wait(None) == [("left", True, False)]
    poller.writing(left.fileno(), True)
    assert poller.wait(10) == [("left", True, True)]
    left.recv(1)
    assert poller.wait(10) == [("left", False, True)]
    poller.writing(left.fileno(), False)
    poller.remove(right.fileno())
    poller.remove(right.fileno())
    left.send(b"x")
    assert poller.wait(0.001) == []


def test_a_poller_tells_of_the_end(poller: Poller, pair: tuple[Socket, Socket]) -> None:
    poller.add(pair[0].fileno(), "left")
    pair[1].close()
    assert [(token, readable) for token, readable, _ in poller.wait(10)] == [("left", True)]


def test_a_poller_is_woken_from_another_thread(poller: Poller) -> None:
    waiting = threading.Thread(target=poller.wait, args=(None,))
    waiting.start()
    poller.wake()
    waiting.join(10)
    assert not waiting.is_alive()
    # many wakes are one
    for _ in range(5000):
        poller.wake()
    poller.wait(None)
    assert poller.wait(0.0) == []


def test_what_is_added_while_another_thread_waits_counts(poller: Poller, pair: tuple[Socket, Socket]) -> None:
    seen: list[object] = []

    def wait() -> None:
        while not seen:
            seen.extend(poller.wait(None))

    waiting = threading.Thread(target=wait)
    waiting.start()
    pair[1].send(b"x")
    poller.add(pair[0].fileno(), "left")
    waiting.join(10)
    assert seen == [("left", True, False)]


def test_a_number_that_was_given_away_again_is_not_mixed_up(poller: Poller) -> None:
    first = loopback_pair()
    number = first[0].fileno()
    first[1].send(b"x")
    poller.add(number, "first")
    poller.remove(number)
    for end in first:
        end.close()
    second = loopback_pair()
    reused, other = sorted(second, key=lambda end: end.fileno() != number)
    assert reused.fileno() == number
    poller.add(number, "second")
    assert poller.wait(0.0) == []
    other.send(b"x")
    assert poller.wait(10) == [("second", True, False)]
    poller.remove(number)
    for end in second:
        end.close()


def test_a_closed_poller_may_be_woken(system: str) -> None:
    poller = Poller()
    poller.close()
    poller.wake()


# which path


@pytest.mark.parametrize(
    ("value", "portable"), [("1", True), ("yes", True), ("0", False), ("", False), ("off", False)]
)
def test_the_environment_chooses_the_portable_path(
    value: str, portable: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EISENMP_PORTABLE", value)
    assert platform.portable() is portable


@pytest.mark.parametrize("name", ["posix_spawn", "pidfd_open"])
def test_a_system_without_them_takes_the_portable_path(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("EISENMP_PORTABLE", raising=False)
    assert not platform.portable()
    monkeypatch.delattr(os, name)
    assert platform.portable()


def test_a_kernel_that_refuses_takes_the_portable_path(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(pid: int) -> int:
        raise PermissionError("filtered")

    monkeypatch.delenv("EISENMP_PORTABLE", raising=False)
    monkeypatch.setattr(os, "pidfd_open", refuse)
    assert platform.portable()


# handshake

KEY, OTHER = b"k" * 32, b"o" * 32


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener


def greet(listener: socket.socket, key: bytes) -> bool:
    """The manager's part, with a loop that only waits for this one."""
    with listener.accept()[0] as accepted:
        greeting = Greeting(accepted)
        whole = False
        while not whole:
            select.select([accepted], [], [])
            whole = greeting.receive()
        if known := greeting.knows(key):
            greeting.confirm(key)
        return known


def test_who_knows_the_key_is_let_in(listener: socket.socket) -> None:
    worker: list[Socket] = []
    port = listener.getsockname()[1]
    thread = threading.Thread(target=lambda: worker.append(connect(port, KEY)))
    thread.start()
    assert greet(listener, KEY)
    thread.join(10)
    worker[0].close()


def test_who_knows_another_key_is_not(listener: socket.socket) -> None:
    errors: list[BaseException] = []
    port = listener.getsockname()[1]

    def work() -> None:
        try:
            connect(port, OTHER)
        except ConnectionError as error:
            errors.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    assert not greet(listener, KEY)
    thread.join(10)
    assert "left during the handshake" in str(errors[0])


def test_a_worker_does_not_trust_any_listener(listener: socket.socket) -> None:
    """One who only echoes what it hears proves nothing."""
    errors: list[BaseException] = []
    port = listener.getsockname()[1]

    def work() -> None:
        try:
            connect(port, KEY)
        except ConnectionError as error:
            errors.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    with listener.accept()[0] as accepted:
        accepted.sendall(b"c" * 32)
        answer = accepted.recv(64, socket.MSG_WAITALL)
        accepted.sendall(answer[:32])
        thread.join(10)
    assert "does not know the key" in str(errors[0])
