"""The loop for WSGI: connections that want something else than what they are asked for next."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
from collections.abc import Iterable, Iterator
from typing import Any

import pytest

from eisenmp.child.serving import Stop
from eisenmp.servers import wsgi

FOREVER = 60.0  #: seconds that nothing here takes
BIG = 30 << 20  #: bytes, more than all buffers on the way


class App:
    """What is served, and when it may answer."""

    def __init__(self) -> None:
        self.began = threading.Semaphore(0)
        self.gate = threading.Semaphore(0)

    def __call__(self, environ: Any, start_response: Any) -> Iterable[bytes]:
        path = environ["PATH_INFO"]
        if path == "/gate":
            self.began.release()
            assert self.gate.acquire(timeout=FOREVER)
        body = environ["wsgi.input"].read() or path.encode()
        if path == "/big":
            body = b"x" * BIG
        start_response("200 OK", [("Content-Length", str(len(body)))])
        return [body]


class Site:
    """A server in a thread of the test."""

    def __init__(self, app: App, stop: Stop, address: tuple[str, int]) -> None:
        self.app, self.stop, self.address = app, stop, address
        self._open: list[socket.socket] = []

    def connect(self) -> socket.socket:
        connection = socket.create_connection(self.address, timeout=FOREVER)
        self._open.append(connection)
        return connection

    def close(self) -> None:
        for connection in self._open:
            connection.close()


@pytest.fixture
def site() -> Iterator[Site]:
    ready, app = threading.Event(), App()
    stop = Stop(FOREVER, ready.set, 0, lambda: None)
    listener = socket.create_server(("127.0.0.1", 0))
    listener.setblocking(False)
    toolbox: Any = None
    thread = threading.Thread(target=wsgi.serve, args=(app, toolbox, [listener], stop))
    thread.start()
    try:
        assert ready.wait(FOREVER)
        made = Site(app, stop, listener.getsockname())
        yield made
        made.close()
    finally:
        stop.set()
        thread.join(FOREVER)
        stop.close()
        listener.close()
    assert not thread.is_alive()
    assert not [each for each in threading.enumerate() if each.name.startswith("eisenmp-wsgi")]


def get(path: str) -> bytes:
    return f"GET {path} HTTP/1.1\r\nHost: here\r\n\r\n".encode()


def answer(connection: socket.socket) -> bytes:
    """The body of the next answer, and not a byte more."""
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        head += _part(connection, 1)
    if head.startswith(b"HTTP/1.1 100"):
        return b"continue"
    [length] = [int(line[15:]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:")]
    body = bytearray()
    while len(body) < length:
        body += _part(connection, length - len(body))
    return bytes(body)


def _part(connection: socket.socket, most: int) -> bytes:
    part = connection.recv(min(most, 1 << 20))
    assert part, "the server has closed the connection"
    return part


def test_requests_follow_each_other_on_one_connection(site: Site) -> None:
    connection = site.connect()
    for number in range(20):
        connection.sendall(get(f"/{number}"))
        assert answer(connection) == f"/{number}".encode()


def test_a_request_that_comes_before_the_last_answer_is_answered_after_it(site: Site) -> None:
    connection = site.connect()
    connection.sendall(get("/gate"))
    assert site.app.began.acquire(timeout=FOREVER)
    connection.sendall(get("/second"))
    # others are served meanwhile, and the loop has seen the second request
    other = site.connect()
    other.sendall(get("/other"))
    assert answer(other) == b"/other"
    site.app.gate.release()
    assert answer(connection) == b"/gate"
    assert answer(connection) == b"/second"


def test_requests_in_one_packet_are_all_answered(site: Site) -> None:
    connection = site.connect()
    connection.sendall(b"".join(get(f"/{number}") for number in range(5)))
    assert [answer(connection) for _ in range(5)] == [f"/{number}".encode() for number in range(5)]


def test_a_client_that_goes_while_its_request_runs_disturbs_nobody(site: Site) -> None:
    for reset in (False, True):
        gone = site.connect()
        gone.sendall(get("/gate"))
        assert site.app.began.acquire(timeout=FOREVER)
        if reset:
            gone.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        gone.close()
        other = site.connect()
        for _ in range(3):
            other.sendall(get("/other"))
            assert answer(other) == b"/other"
        site.app.gate.release()
        other.sendall(get("/after"))
        assert answer(other) == b"/after"


def test_an_answer_larger_than_all_buffers_waits_for_its_reader(site: Site) -> None:
    slow, other = site.connect(), site.connect()
    slow.sendall(get("/big"))
    slow.recv(1, socket.MSG_PEEK)  # it has begun
    other.sendall(get("/other"))
    assert answer(other) == b"/other"
    assert answer(slow) == b"x" * BIG
    slow.sendall(get("/again"))
    assert answer(slow) == b"/again"


def test_a_body_that_is_announced_is_asked_for(site: Site) -> None:
    connection = site.connect()
    connection.sendall(b"POST / HTTP/1.1\r\nHost: here\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n")
    assert answer(connection) == b"continue"
    connection.sendall(b"hello")
    assert answer(connection) == b"hello"


def test_more_slow_requests_than_threads_do_not_keep_others_from_connecting(site: Site) -> None:
    waiting = [site.connect() for _ in range(wsgi.THREADS + 2)]
    for connection in waiting:
        connection.sendall(get("/gate"))
    for _ in range(wsgi.THREADS):
        assert site.app.began.acquire(timeout=FOREVER)
    late = site.connect()
    late.sendall(get("/late"))  # read, and answered when a thread is free
    site.app.gate.release(len(waiting))
    assert [answer(connection) for connection in waiting] == [b"/gate"] * len(waiting)
    assert answer(late) == b"/late"


def test_a_drained_server_answers_what_runs_and_closes_what_is_idle(site: Site) -> None:
    idle, busy = site.connect(), site.connect()
    idle.sendall(get("/"))
    assert answer(idle) == b"/"
    busy.sendall(get("/gate"))
    assert site.app.began.acquire(timeout=FOREVER)
    site.stop.set()
    assert idle.recv(1) == b""
    site.app.gate.release()
    assert answer(busy) == b"/gate"
    assert busy.recv(1) == b""


def test_all_connections_at_once_are_answered(site: Site) -> None:
    def ask(path: str) -> None:
        with contextlib.closing(site.connect()) as connection:
            for number in range(20):
                connection.sendall(get(f"{path}/{number}"))
                if answer(connection) != f"{path}/{number}".encode():
                    wrong.append(path)

    wrong: list[str] = []
    clients = [threading.Thread(target=ask, args=(f"/{number}",)) for number in range(12)]
    for client in clients:
        client.start()
    for client in clients:
        client.join(FOREVER)
    assert not wrong
    assert not any(client.is_alive() for client in clients)
