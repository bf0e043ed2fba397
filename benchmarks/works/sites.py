"""Applications that answer with the pid of their process; /work takes about a millisecond of Python first."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from http.server import BaseHTTPRequestHandler
from typing import Any

STEPS = 20_000  #: of a loop: about a millisecond


def answer(path: str) -> bytes:
    if path == "/work":
        total = 0
        for number in range(STEPS):
            total += number
    return str(os.getpid()).encode()


async def asgi(scope: Any, receive: Callable[[], Any], send: Callable[[Any], Any]) -> None:
    if scope["type"] == "lifespan":
        while (await receive())["type"] != "lifespan.shutdown":
            await send({"type": "lifespan.startup.complete"})
        await send({"type": "lifespan.shutdown.complete"})
        return
    body = answer(scope["path"])
    headers = [(b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def wsgi(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    body = answer(environ["PATH_INFO"])
    start_response("200 OK", [("Content-Length", str(len(body)))])
    return [body]


def make_flask() -> Any:
    from flask import Flask

    app = Flask(__name__)
    app.add_url_rule("/", "hello", lambda: answer("/"))
    return app


def make_aiohttp() -> Any:
    from aiohttp import web

    async def index(request: web.Request) -> web.Response:
        return web.Response(body=answer(request.path))

    app = web.Application()
    app.router.add_get("/", index)
    return app


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        body = answer(self.path)
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments: object) -> None:
        pass
