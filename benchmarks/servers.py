"""Reloads and deaths of servers under load: `python -m benchmarks.servers [--seconds N] [--reloads N]`.

Clients ask one request after the other, over kept connections and over new ones. Each row is one way to
serve, one after the other on this machine. Lost: the client got no whole answer.
"""

from __future__ import annotations

import argparse
import os
import signal
import tempfile
import threading
import time
from http.client import HTTPConnection, HTTPException
from pathlib import Path

import eisenmp

APPS = """
import os
async def asgi(scope, receive, send):
    if scope["type"] == "lifespan":
        while (await receive())["type"] != "lifespan.shutdown":
            await send({"type": "lifespan.startup.complete"})
        return await send({"type": "lifespan.shutdown.complete"})
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": str(os.getpid()).encode()})
def wsgi(environ, start_response):
    body = str(os.getpid()).encode()
    start_response("200 OK", [("Content-Length", str(len(body)))])
    return [body]
def aiohttp():
    from aiohttp import web
    async def index(request):
        return web.Response(text=str(os.getpid()))
    app = web.Application()
    app.router.add_get("/", index)
    return app
from http.server import BaseHTTPRequestHandler
class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self):
        body = str(os.getpid()).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *arguments):
        pass
"""
ROWS = (("ASGI, uvicorn", "asgi", False), ("WSGI, waitress", "wsgi", False), ("aiohttp", "aiohttp", True))
ROWS += (("http.server", "Handler", False),)
PACE = 0.008  #: seconds between two requests of a client


class Client(threading.Thread):
    """Asks until it is told to end."""

    def __init__(self, place: str, *, keeps: bool) -> None:
        super().__init__(daemon=True)
        self.place, self.keeps = place, keeps
        self.over = threading.Event()
        self.answers: list[tuple[float, str]] = []
        self.lost: list[str] = []

    def run(self) -> None:
        connection: HTTPConnection | None = None
        while not self.over.wait(PACE):
            connection = connection or HTTPConnection(self.place, timeout=20)
            try:
                connection.request("GET", "/")
                answer = connection.getresponse()
                body = answer.read().decode()
                self.answers.append((time.perf_counter(), body))
                if not self.keeps or answer.will_close:
                    connection.close()
                    connection = None
            except (OSError, HTTPException) as error:
                self.lost.append(f"{type(error).__name__}: {error}")
                connection.close()
                connection = None


def reload_under_load(app: str, factory: bool, seconds: float, reloads: int) -> str:
    """One row: requests, lost ones, processes that answered, and how long a killed one was missed."""
    group = eisenmp.PortGroup("web", ports=[0, 0])
    with eisenmp.Mp(eisenmp.Site(app, factory=factory), port_groups=[group]) as emp:
        emp.ready(timeout=60)
        places = [slot.listens[0] for slot in emp.map()]
        clients = [Client(places[number % 2], keeps=number % 3 < 2) for number in range(12)]
        for client in clients:
            client.start()
        for _ in range(reloads):
            time.sleep(seconds / reloads)
            emp.reload(timeout=60)
        time.sleep(1.0)
        lost = [text for client in clients for text in client.lost]
        answers = sum(len(client.answers) for client in clients)
        pids = len({body for client in clients for _, body in client.answers})
        slot = emp.map()[0]
        killed = time.perf_counter()
        os.kill(slot.pid, signal.SIGKILL)
        emp.dispatcher.wait(lambda: emp.map()[0].pid not in (0, slot.pid), 60)
        emp.ready(timeout=60)
        time.sleep(0.5)
        for client in clients:
            client.over.set()
        for client in clients:
            client.join()
    old = {body for client in clients for at, body in client.answers if at <= killed}
    back = [at for client in clients for at, body in client.answers if at > killed and body not in old]
    missed = f"{(min(back) - killed) * 1000:.0f} ms" if back else "never"
    return f"{answers:7,d}  {len(lost):5d}  {pids:5d}  {missed:>12}  {'; '.join(lost[:1])}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=9.0)
    parser.add_argument("--reloads", type=int, default=3)
    options = parser.parse_args()
    print(f"{'':16}  answers   lost   pids  back after kill")
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "apps.py")
        file.write_text(APPS)
        for name, app, factory in ROWS:
            row = reload_under_load(f"{file}:{app}", factory, options.seconds, options.reloads)
            print(f"{name:16}  {row}", flush=True)


if __name__ == "__main__":
    main()
