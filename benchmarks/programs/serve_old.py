"""The layout of eisenmp 1.0: processes with several threaded werkzeug servers, each on a port of its own.

Arguments: a port for each server, shared out to two processes. Prints a line when all listen.
"""

from __future__ import annotations

import logging
import multiprocessing
import sys
import threading

from benchmarks.works.sites import make_flask

PROCESSES = 2


def serve(ports: list[int], up: multiprocessing.synchronize.Semaphore) -> None:
    from werkzeug.serving import make_server

    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    servers = [make_server("127.0.0.1", port, make_flask(), threaded=True) for port in ports]
    threads = [threading.Thread(target=server.serve_forever) for server in servers]
    for thread in threads:
        thread.start()
    up.release()


if __name__ == "__main__":
    ports = list(map(int, sys.argv[1:]))
    spawning = multiprocessing.get_context("spawn")
    up = spawning.Semaphore(0)
    for number in range(PROCESSES):
        spawning.Process(target=serve, args=(ports[number::PROCESSES], up)).start()
    for _ in range(PROCESSES):
        up.acquire()
    print("up", flush=True)
