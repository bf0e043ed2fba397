"""What the tests serve: each answers with its pid and the cores that it may run on."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Iterable
from http.server import BaseHTTPRequestHandler
from typing import Any

import eisenmp


def whoami() -> str:
    return f"{os.getpid()} {','.join(map(str, sorted(os.sched_getaffinity(0))))}"


async def asgi(scope: Any, receive: Any, send: Any) -> None:
    if scope["type"] == "lifespan":
        while (await receive())["type"] != "lifespan.shutdown":
            await send({"type": "lifespan.startup.complete"})
        await send({"type": "lifespan.shutdown.complete"})
        return
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/plain")]})
    await send({"type": "http.response.body", "body": whoami().encode()})


def wsgi(environ: Any, start_response: Any) -> Iterable[bytes]:
    if environ["PATH_INFO"] == "/slow":
        with open(environ["QUERY_STRING"], "rb") as gate:
            gate.read()  # until whoever has opened it for writing closes it
    body = whoami().encode()
    start_response("200 OK", [("Content-Length", str(len(body)))])
    return [body]


def make_flask() -> Any:
    from flask import Flask

    app = Flask(__name__)
    app.add_url_rule("/", "index", whoami)
    return app


def make_aiohttp() -> Any:
    from aiohttp import web

    async def index(request: web.Request) -> web.Response:
        return web.Response(text=whoami())

    app = web.Application()
    app.router.add_get("/", index)
    return app


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        body = whoami().encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments: Any) -> None:
        """The tests read no log."""


@eisenmp.server
def line(toolbox: Any, sockets: list[socket.socket], stop: Any) -> None:
    """Writes one line to whoever connects."""
    import selectors

    with selectors.DefaultSelector() as selector:
        for listener in sockets:
            selector.register(listener, selectors.EVENT_READ)
        while not stop.is_set():
            for key, _ in selector.select(0.05):
                listening: Any = key.fileobj
                try:
                    connection, _ = listening.accept()
                except BlockingIOError:
                    continue
                with connection:
                    number = toolbox.START_SEQUENCE_NUM
                    connection.sendall(f"{whoami()} {number} {listening.getsockname()[1]}\n".encode())


def returns(toolbox: Any, sockets: Any, stop: Any) -> None:
    """A server that is none."""


def raises(toolbox: Any, sockets: Any, stop: Any) -> None:
    raise OSError("no database")


def never_ready(environ: Any, start_response: Any) -> Iterable[bytes]:
    return []


async def no_lifespan(scope: Any, receive: Any, send: Any) -> None:
    if scope["type"] == "lifespan":
        await receive()
        await send({"type": "lifespan.startup.failed", "message": "no"})


@eisenmp.server
def deaf(toolbox: Any, sockets: Any, stop: Any) -> None:
    """It hears neither the manager nor SIGTERM."""
    import signal

    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    while True:
        time.sleep(1)


def by_flag() -> Any:
    """An application that does not start while its flag file says so."""
    with open(os.environ["FLAG"]) as flag:
        if flag.read() == "bad":
            raise RuntimeError("the new version is broken")
    return wsgi


def hangs_by_flag() -> Any:
    """An application whose factory takes its time while its flag file says so."""
    with open(os.environ["FLAG"]) as flag:
        if flag.read() == "hang":
            time.sleep(60)
    return wsgi


@eisenmp.server
def grows(toolbox: Any, sockets: Any, stop: Any) -> None:
    """It takes more and more memory, up to a bound that no test waits for."""
    kept = []
    while not stop.wait(0.01):
        if len(kept) < 80:
            kept.append(bytearray(os.urandom(1)) * 1024**2)


def make_asking() -> Any:
    """Its pages are made by workers beside it."""
    from itertools import count
    from threading import Lock

    from flask import Flask

    app = Flask(__name__)
    numbers = count()
    answers: dict[int, str] = {}
    taking = Lock()

    def page(text: str) -> str:
        toolbox = eisenmp.current_toolbox()
        number = next(numbers)
        own = toolbox.queue(f"answers {toolbox.START_SEQUENCE_NUM}")
        toolbox.queue("requests").put((toolbox.START_SEQUENCE_NUM, number, text))
        while number not in answers:
            with taking:  # one thread takes what comes, for all that wait
                if number not in answers:
                    found, text = own.get()
                    answers[found] = text
        return answers.pop(number)

    app.add_url_rule("/<text>", "page", page)
    return app


@eisenmp.server
def knows(toolbox: Any, sockets: Any, stop: Any) -> None:
    """What it was given is what everybody in the process finds."""
    toolbox.queue("found").put(eisenmp.current_toolbox() is toolbox)
    stop.wait()


def answer(toolbox: Any) -> bool:
    """A worker that answers the servers."""
    slot, number, text = toolbox.queue("requests").get()
    toolbox.queue(f"answers {slot}").put((number, f"{os.getpid()} {text[::-1]}"))
    return True


@eisenmp.worker
def square(toolbox: Any, rows: list[int]) -> list[int]:
    return [row * row for row in rows]


@eisenmp.server
def reads(toolbox: Any, sockets: Any, stop: Any) -> None:
    """It answers HTTP, and sends the rows of a queue on in a thread."""
    import threading

    from eisenmp.servers.http_handler import serve

    def read() -> None:
        while True:
            rows = [row for row in toolbox.jobs.get()[1:] if isinstance(row, int)]
            toolbox.done.put(rows)

    # it ends with the order to stop
    threading.Thread(target=read).start()
    serve(Handler, toolbox, sockets, stop)


class Moody(Handler):
    """Sick from /sick to /well, and its health is at /healthz."""

    sick = False

    def do_GET(self) -> None:
        if self.path in ("/sick", "/well"):
            Moody.sick = self.path == "/sick"
        if self.path == "/healthz" and Moody.sick:
            self.send_error(503)
        else:
            super().do_GET()


def _flag() -> str:
    with open(os.environ["FLAG"]) as flag:
        return flag.read()


@eisenmp.server
def accepts_by_flag(toolbox: Any, sockets: list[socket.socket], stop: Any) -> None:
    """It accepts nothing while its flag file says so."""
    while not stop.wait(0.02):
        for listener in sockets if _flag() == "good" else ():
            try:
                connection, _ = listener.accept()
            except BlockingIOError:
                continue
            with connection:
                connection.sendall(f"{whoami()}\n".encode())


def is_well(toolbox: Any) -> bool:
    """How a server is, by its flag file."""
    mood = _flag()
    if mood == "broken":
        raise ValueError("the check itself is broken")
    return mood == "good"


@eisenmp.server
def who_in_slot(toolbox: Any, sockets: list[socket.socket], stop: Any) -> None:
    """It answers HTTP with its pid and cores, and with what it is called."""
    import multiprocessing

    from eisenmp.servers.http_handler import serve

    class Named(Handler):
        def do_GET(self) -> None:
            names = (
                f"{toolbox.START_SEQUENCE_NUM} {toolbox.WORKER_NAME} {multiprocessing.current_process().name}"
            )
            body = f"{whoami()} {names}".encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    serve(Named, toolbox, sockets, stop)


class Talking(Handler):
    """It prints what it is asked for."""

    def do_GET(self) -> None:
        print(f"asked for {self.path}", flush=True)
        super().do_GET()
