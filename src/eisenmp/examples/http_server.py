"""A server on every CPU core, of the standard library alone, reloaded while it is asked.

The manager binds a port for each core and keeps it; the process behind it can be replaced at any time. On a
terminal the servers stay until Ctrl-C: `eisenmp ps`, `eisenmp map` and `eisenmp reload` in another terminal
see them.
"""

from __future__ import annotations

import sys
from argparse import Namespace
from os import path
from threading import Event, Thread

import eisenmp

from . import command
from .visit import add_stay, ask, ready, stay, usable_cores

dir_name = path.dirname(__file__)
REQUESTS_LEAST = 20  #: at each port, while all processes are replaced


class ModuleConfiguration:
    """What the manager function needs to know."""

    worker = path.join(dir_name, "http_server_worker.py:Radio")

    def __init__(self) -> None:
        self.port = 0  # of the first server; 0: the system chooses all
        self.cores = usable_cores()
        self.lame_duck = 0.2  # seconds in which the old process still answers
        self.stay = False


modConf = ModuleConfiguration()


class Listener(Thread):
    """Asks one server again and again, each time over a connection of its own."""

    def __init__(self, place: str) -> None:
        super().__init__(name=f"listener-{place}")
        self.place = place
        self.over = Event()
        self.enough = Event()
        self.pids: list[int] = []  #: who answered, in order
        self.lost: list[str] = []

    def run(self) -> None:
        over = False
        while not over:
            # the last request is made when the reload is over: the new process has answered too
            over = self.over.wait(0.005)
            try:
                self.pids.append(ask(self.place, "/0")["pid"])
            except OSError as error:
                self.lost.append(str(error))
            if len(self.pids) + len(self.lost) >= REQUESTS_LEAST:
                self.enough.set()


def manager_entry() -> list[Listener]:
    """Serve, and replace every process under load; returns what the listeners saw."""
    first = modConf.port
    ports = [first + number if first else 0 for number in range(len(modConf.cores))]
    group = eisenmp.PortGroup("radio", ports=ports, cores=modConf.cores)
    site = eisenmp.Site(modConf.worker)
    with eisenmp.Mp(site, port_groups=[group], lame_duck=modConf.lame_duck) as emp:
        listeners = [Listener(place) for _, place in ready(emp)]
        for listener in listeners:
            listener.start()
        try:
            for listener in listeners:
                listener.enough.wait()
            emp.reload(timeout=60)
        finally:
            for listener in listeners:
                listener.over.set()
                listener.join()
        for listener in listeners:
            print(f"  {listener.place} {ask(listener.place, '/1')['station']}")
        show(listeners)
        stay(emp, modConf.stay)
    return listeners


def show(listeners: list[Listener]) -> None:
    """Print how many answers came, from how many processes, and how many were lost."""
    answers = sum(len(listener.pids) for listener in listeners)
    lost = sum(len(listener.lost) for listener in listeners)
    processes = {pid for listener in listeners for pid in listener.pids}
    print(f"{len(listeners)} ports, {len(processes)} processes before and after the reload")
    print(f"{answers:,} requests answered, {lost} lost", flush=True)


def example(options: Namespace) -> int:
    """Run it with parsed options; returns the exit code."""
    modConf.port, modConf.stay = options.port or 0, options.stay
    listeners = manager_entry()
    return command.FAILED if any(listener.lost for listener in listeners) else command.DONE


def main(arguments: list[str]) -> int:
    """Entry of `eisenmp examples http_server`."""
    parser = command.parser("http_server", __doc__)
    parser.add_argument("--port", type=command.whole, help="of the first server (default: any that are free)")
    add_stay(parser)
    return command.run(parser, arguments, example)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
