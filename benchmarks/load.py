"""Clients that ask a server one request after the other, over connections that are kept or new each time."""

from __future__ import annotations

import asyncio
import re
import shutil
import subprocess
from collections.abc import Sequence
from time import monotonic, perf_counter

from benchmarks.side import Wrong

TIMEOUT = 30.0  #: seconds for one answer
PACE = 0.004  #: seconds between two requests of a client
WRK = re.compile(r"^Requests/sec:\s*([\d.]+)", re.MULTILINE)


class Client:
    """One connection at a time; `keeps` it while the server does."""

    def __init__(self, place: str, *, keeps: bool = True, path: str = "/") -> None:
        self.host, _, port = place.rpartition(":")
        self.port = int(port)
        self.keeps = keeps
        self.request = f"GET {path} HTTP/1.1\r\nHost: {place}\r\n\r\n".encode()
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def ask(self) -> str:
        """The body of one answer. Raises OSError or EOFError for one that is lost."""
        try:
            async with asyncio.timeout(TIMEOUT):
                if self._streams is None:
                    self._streams = await asyncio.open_connection(self.host, self.port)
                reader, writer = self._streams
                writer.write(self.request)
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
                body = await reader.readexactly(int(head.partition("content-length:")[2].split()[0]))
        except BaseException:
            self.close()
            raise
        if not head.startswith("http/1.1 200"):
            self.close()
            raise ConnectionError(head.partition("\r\n")[0])
        if not self.keeps or "connection: close" in head:
            self.close()
        return body.decode()

    def close(self) -> None:
        if self._streams is not None:
            self._streams[1].close()
            self._streams = None


class Load:
    """`async with Load(places)`: clients that ask until its end. `answers` are (time, pid)."""

    def __init__(self, places: Sequence[str], clients: int = 12) -> None:
        # two of three keep their connections, at every place
        self._clients = [
            Client(places[number % len(places)], keeps=number // len(places) % 3 < 2)
            for number in range(clients)
        ]
        self.answers: list[tuple[float, str]] = []
        self.lost: list[str] = []
        self._over = False
        self._tasks: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> Load:
        self._tasks = [asyncio.create_task(self._ask(client)) for client in self._clients]
        return self

    async def __aexit__(self, *error: object) -> None:
        self._over = True
        await asyncio.gather(*self._tasks)

    async def _ask(self, client: Client) -> None:
        while not self._over:
            try:
                pid = await client.ask()
                self.answers.append((perf_counter(), pid))
            except (OSError, EOFError) as error:
                self.lost.append(f"{type(error).__name__}: {error}"[:80])
            await asyncio.sleep(PACE)
        client.close()

    async def until(self, answers: int) -> None:
        """Wait for so many answers."""
        last, since = -1, monotonic()
        while len(self.answers) < answers:
            if len(self.answers) > last:
                last, since = len(self.answers), monotonic()
            elif monotonic() - since > TIMEOUT:
                raise Wrong(f"no answer for {TIMEOUT:g} s; lost: {self.lost[-1:]}")
            await asyncio.sleep(0.02)

    @property
    def pids(self) -> set[str]:
        """Who has answered."""
        return {pid for _, pid in self.answers}


def requests_per_second(places: Sequence[str], path: str, seconds: float) -> float:
    """By wrk where it is installed, at all places at the same time; else by clients in this process."""
    wrk = shutil.which("wrk")
    if wrk is None:
        return asyncio.run(_counted(places, path, seconds))
    each = max(1, 32 // len(places))
    running = [
        subprocess.Popen(
            [wrk, "-t1", f"-c{each}", f"-d{seconds:g}s", f"http://{place}{path}"],
            stdout=subprocess.PIPE,
            text=True,
        )
        for place in places
    ]
    outputs = [process.communicate()[0] for process in running]
    found = [WRK.search(output) for output in outputs]
    if not all(found) or any("Non-2xx" in output for output in outputs):
        raise Wrong(f"wrk: {outputs[0].splitlines()[-1:]}")
    return sum(float(match[1]) for match in found if match)


async def _counted(places: Sequence[str], path: str, seconds: float) -> float:
    until = perf_counter() + seconds

    async def ask(client: Client) -> int:
        count = 0
        while perf_counter() < until:
            await client.ask()
            count += 1
        client.close()
        return count

    clients = [Client(places[number % len(places)], path=path) for number in range(32)]
    return sum(await asyncio.gather(*map(ask, clients))) / seconds
