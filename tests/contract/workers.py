"""The workers of the contract suite. A row that is a tuple with the name of an act first is an order."""

from __future__ import annotations

import hashlib
import logging
import os
import signal
import sys
import threading
import zlib
from _pickle import PickleBuffer
from collections.abc import Callable
from time import perf_counter
from typing import Any

import eisenmp
from eisenmp import ToolBox


class Stubborn(Exception):
    """Can be pickled, and raises when it is unpickled."""

    def __init__(self, first: str, second: str) -> None:
        super().__init__(f"{first} and {second}")


class Awkward(Exception):
    """Cannot be pickled."""

    def __init__(self) -> None:
        super().__init__("awkward")
        self.lock = threading.Lock()


class Broken:
    """Can be pickled, and raises when it is unpickled."""

    def __reduce__(self) -> tuple[Any, ...]:
        return _refuse, ("broken",)


def _refuse(word: str) -> None:
    raise ArithmeticError(word)


class Lump:
    """Pickles its bytes out of band, as arrays do."""

    def __init__(self, data: Any) -> None:
        self.data = memoryview(data)

    def __reduce_ex__(self, protocol: int) -> tuple[Any, ...]:
        return Lump, (PickleBuffer(self.data),)


def lump(number: int, size: int) -> Lump:
    """Bytes that tell the number."""
    return Lump(bytearray(number.to_bytes(4, "little") * (size // 4)))


def checksum(toolbox: ToolBox, one: Lump, raises: str = "") -> int:
    if raises:
        raise ArithmeticError(raises)
    return zlib.crc32(one.data)


def lump_of(toolbox: ToolBox, number: int, size: int) -> Lump:
    return lump(number, size)


def die_holding(toolbox: ToolBox, path: str, one: Lump) -> int:
    """Die with a large row the first time, after a large output that must not count."""
    if not attempts(path):
        toolbox.send(lump(77, len(one.data)))
        toolbox.send(lump(78, len(one.data)))
        os.kill(os.getpid(), 9)
    return zlib.crc32(one.data)


def wait_with(toolbox: ToolBox, gate: str, told: str, one: Lump) -> Lump:
    wait(toolbox, gate, told)
    return one


_kept: list[Lump] = []


def keep(toolbox: ToolBox, one: Lump, wanted: bool) -> None:
    """For ever."""
    if wanted:
        _kept.append(one)


def kept(toolbox: ToolBox) -> list[int]:
    sums = [zlib.crc32(one.data) for one in _kept]
    _kept.clear()
    return sums


def nothing(toolbox: ToolBox) -> None:
    """A chunk whose only row this is gives no output."""


def square(toolbox: ToolBox, number: int) -> int:
    return number * number


def busy(toolbox: ToolBox, seconds: float) -> None:
    """Compute for a while."""
    end = perf_counter() + seconds
    while perf_counter() < end:
        pass


def who(toolbox: ToolBox) -> int:
    return toolbox.START_SEQUENCE_NUM


def wait(toolbox: ToolBox, gate: str, told: str = "") -> int:
    """Say who waits, then wait for the gate."""
    if told:
        toolbox.queue(told).put(toolbox.START_SEQUENCE_NUM)
    toolbox.queue(gate).get()
    return toolbox.START_SEQUENCE_NUM


def until_cancelled(toolbox: ToolBox, told: str) -> None:
    """Look, again and again, whether the chunk is still wanted."""
    toolbox.queue(told).put("running")
    while not toolbox.cancelled:
        pass
    if not toolbox.worker._channel.stopping:
        toolbox.queue(told).put("cancelled")


def send(toolbox: ToolBox, *values: object) -> None:
    for value in values:
        toolbox.send(value)


def put(toolbox: ToolBox, queue: str, *objects: object) -> None:
    for obj in objects:
        toolbox.queue(queue).put(obj)


def put_into(toolbox: ToolBox, queue: Any, obj: object) -> str:
    """`queue` travelled with the row."""
    queue.put(obj)
    return type(queue).__name__


def give_queue(toolbox: ToolBox, queue: str) -> object:
    return toolbox.queue(queue)


def get(toolbox: ToolBox, queue: str, count: int = 1) -> list[object]:
    return [toolbox.queue(queue).get() for _ in range(count)]


def relay(toolbox: ToolBox, source: str, target: str, count: int) -> None:
    for _ in range(count):
        toolbox.queue(target).put(toolbox.queue(source).get())


def limits(toolbox: ToolBox, queue: str, gate: str) -> dict[str, object]:
    """What a queue of maxsize 2 says while this worker is the only one who uses it."""
    from queue import Empty, Full

    tried = toolbox.queue(queue)
    seen: dict[str, object] = {"empty": tried.empty(), "size": tried.qsize(), "full": tried.full()}
    for name, call, error in (
        ("get_nowait", tried.get_nowait, Empty),
        ("get", lambda: tried.get(timeout=0.01), Empty),
        ("put", lambda: tried.put(1), Full),
        ("put_nowait", lambda: tried.put_nowait(2), Full),
        ("no room", lambda: tried.put_nowait(3), Full),
        ("no room in time", lambda: tried.put(4, timeout=0.01), Full),
    ):
        try:
            call()
            seen[name] = True
        except error:
            seen[name] = False
    seen.update({"empty then": tried.empty(), "size then": tried.qsize(), "full then": tried.full()})
    seen["got"] = [tried.get(), tried.get_nowait()]
    return seen


def in_category(toolbox: ToolBox, category: str, name: str, obj: object) -> object:
    getattr(toolbox, category)[name].put(obj)
    return [category in toolbox.kwargs, getattr(toolbox, category)[name].name]


def tool(toolbox: ToolBox, name: str) -> object:
    return toolbox.tools[name]


def digest(toolbox: ToolBox, body: bytes, size: int) -> tuple[str, bytes]:
    return hashlib.sha256(body).hexdigest(), bytes([len(body) % 251]) * size


def fail(toolbox: ToolBox, kind: str) -> object:
    """Raise, or give back, something that is hard to send."""
    if kind == "value":
        raise ValueError("these rows are wrong")
    if kind == "stubborn":
        raise Stubborn("one", "two")
    if kind == "awkward":
        raise Awkward()
    if kind == "broken":
        return Broken()
    return threading.Lock()


def fail_times(toolbox: ToolBox, path: str, times: int) -> int:
    """Raise until it was called `times` times before, in whatever process."""
    done = attempts(path)
    if done < times:
        raise ValueError(f"attempt {done}")
    return done


def attempts(path: str) -> int:
    """How often this was called before with that path."""
    with open(path, "a+b", buffering=0) as file:
        file.write(b".")
        return file.tell() - 1


def die(toolbox: ToolBox, path: str, times: int, how: str) -> str:
    """Die until it was called `times` times before; after an output that must not count."""
    done = attempts(path)
    if done < times:
        toolbox.send("of an attempt that died")
        if how == "kill":
            os.kill(os.getpid(), 9)
        elif how == "exit":
            os._exit(7)
        elif how == "term":
            os.kill(os.getpid(), signal.SIGTERM)
        elif how == "leave":
            sys.exit(5)
        elif how == "socket":
            toolbox._channel._link._socket.send(b"this is no frame, whatever it is" * 4)
            threading.Event().wait()
    return f"{toolbox.WORKER_NAME} {toolbox.WORKER_ID} {toolbox.START_SEQUENCE_NUM}"


def vanish(toolbox: ToolBox) -> None:
    os._exit(9)


def die_with_object(toolbox: ToolBox, queue: str, path: str) -> object:
    """Take an object, and die with it the first time."""
    taken = toolbox.queue(queue).get()
    if not attempts(path):
        os.kill(os.getpid(), 9)
    return taken


def wedge(toolbox: ToolBox, told: str) -> None:
    """Never come back."""
    toolbox.queue(told).put("wedged")
    while True:
        pass


def say(toolbox: ToolBox, word: str, count: int) -> None:
    """Print lines from two threads, each line in several pieces."""

    def lines(mark: str) -> None:
        for number in range(count):
            print(word, mark, number, "x" * 40, sep="-", end="")
            print("-end")

    thread = threading.Thread(target=lines, args=("b",))
    thread.start()
    lines("a")
    thread.join()


def say_raw(toolbox: ToolBox, text: str) -> None:
    """Write past Python, as C code does."""
    os.write(1, text.encode())


def log(toolbox: ToolBox, text: str) -> None:
    logging.getLogger("worker").warning("careful: %s", text)


def say_half(toolbox: ToolBox, text: str) -> None:
    print(text, end="")


ACTS: dict[str, Callable[..., object]] = {
    act.__name__: act
    for act in (
        nothing, square, busy, who, wait, until_cancelled, send, put, put_into, give_queue, get, relay, limits,
        wait_with, checksum, lump_of, keep, kept, die_holding, in_category, tool, digest, fail, fail_times, die, vanish, die_with_object, wedge, say, say_raw, say_half, log,
    )
}  # fmt: skip


@eisenmp.worker
def perform(toolbox: ToolBox, rows: Any) -> list[object] | None:
    """Do what the rows order; other rows come back as they are."""
    if rows == [("nothing",)]:
        return None
    return [
        ACTS[row[0]](toolbox, *row[1:]) if isinstance(row, tuple) and row and row[0] in ACTS else row
        for row in rows
    ]


def by_itself(toolbox: ToolBox) -> bool:
    """The one contract: pulls chunks and sends output by itself."""
    chunk = toolbox.next_chunk()
    if chunk is None:
        return False
    toolbox.send(len(chunk.rows))
    toolbox.send(sum(chunk.rows), chunk.ticket)
    return True


def from_two_queues(toolbox: ToolBox) -> bool:
    """The first worker takes chunks of one queue, the second of another."""
    chunk = toolbox.next_chunk(("left", "both|right")[toolbox.START_SEQUENCE_NUM])
    if chunk is None:
        return False
    toolbox.send([chunk.ticket.queue, *chunk.rows])
    return True


def leaves_at_once(toolbox: ToolBox) -> bool:
    return False


def raises_first(toolbox: ToolBox) -> bool:
    raise ValueError("before any chunk was taken")


def collects(toolbox: Any) -> bool:
    """A worker of 1.0: takes its lists from the queue of its number."""
    rows = (toolbox.left, toolbox.right)[toolbox.START_SEQUENCE_NUM].get()
    toolbox.mp_output_q.put([toolbox.OUTPUT_HEADER + rows[0], rows[1:]])
    return toolbox.STOP_MSG not in rows


# mates


def mate_first(toolbox: ToolBox) -> None:
    toolbox.instances.setdefault("order", []).append("first")


def mate_second(toolbox: ToolBox) -> None:
    toolbox.instances.setdefault("order", []).append("second")


@eisenmp.worker
def order(toolbox: ToolBox, rows: Any) -> object:
    return toolbox.instances["order"]


def mate_raises(toolbox: ToolBox) -> None:
    raise RuntimeError("the mate has a defect")


def mate_pauses(toolbox: ToolBox) -> None:
    """Pause the worker until the program takes the first word: there is room for one."""
    toolbox.worker.pause()

    def resume() -> None:
        toolbox.queue("told").put("paused")
        toolbox.queue("told").put("resumed")
        toolbox.worker.resume()

    threading.Thread(target=resume, daemon=True).start()


def mate_stops(toolbox: ToolBox) -> None:
    """Stop the worker, which waits for a chunk, when the program says so."""

    def stop() -> None:
        toolbox.queue("go").get()
        toolbox.worker.stop()

    threading.Thread(target=stop, daemon=True).start()


def mate_restarts(toolbox: ToolBox) -> None:
    """A watchdog: restart the worker when the program says so."""

    def restart() -> None:
        toolbox.queue("go").get()
        toolbox.worker.restart("the program says so")

    threading.Thread(target=restart, daemon=True).start()


@eisenmp.worker
def wedged_once(toolbox: ToolBox, rows: Any) -> str:
    """Never come back the first time, so that only a watchdog helps."""
    if attempts(rows[0]):
        return "done"
    wedge(toolbox, "told")
    return "never"


def two_arguments_short() -> bool:
    return False
