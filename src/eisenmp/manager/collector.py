"""What workers print, report and confirm: one thread that takes it in and shows it, never the loop itself."""

from __future__ import annotations

import sys
import threading
from _queue import SimpleQueue
from time import time

from ..core import queues
from ..core.chunk import STOP_MSG
from ..core.ticket import parse_header
from ..wire.pickles import loads

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from ..core.settings import Settings
    from .legacy import Boxes

OUTPUT_HEADER = "OUTPUT_HEADER"
STREAMS = {1: "stdout", 2: "stderr"}
TOKEN_HEADER = 2 * OUTPUT_HEADER  #: of a result that a worker makes of the list that ends it
OUTPUT = queues.STANDARD.index(queues.OUTPUT)
PRINT = queues.STANDARD.index(queues.PRINT)
INFO = queues.STANDARD.index(queues.INFO)
PROCESS = queues.STANDARD.index(queues.PROCESS)


class Collector:
    """Tasks come in from the loop in order; a thread does them."""

    def __init__(self, settings: Settings, boxes: Boxes, stop_worker: Callable[[str | None], None]) -> None:
        self.settings = settings
        self._boxes = boxes
        self._stop_worker = stop_worker
        self._tasks: SimpleQueue[tuple[Callable[..., None], tuple[Any, ...]] | None] = SimpleQueue()
        self._thread: threading.Thread | None = None
        self._lock = threading.Lock()
        self._pending = 0
        self._closed = False
        self.on_idle: Callable[[], None] = lambda: None
        self.on_left: Callable[[], None] = lambda: None  #: in the thread, after each confirmed stop
        self.legacy = False  #: 1.0's door: its console text is shown

    @property
    def idle(self) -> bool:
        """Whether all that came in so far has been shown and stored."""
        return self._pending == 0

    def start(self) -> None:
        """Start the thread: not with the first task, which may come when the interpreter starts no more."""
        with self._lock:
            self._start()

    def _start(self) -> None:
        if self._thread is None and not self._closed:
            self._thread = threading.Thread(target=self._run, name="eisenmp-collector", daemon=True)
            self._thread.start()

    def _add(self, call: Callable[..., None], *arguments: Any) -> None:
        with self._lock:
            if self._closed:
                return
            self._pending += 1
            self._start()
        self._tasks.put((call, arguments))

    def _run(self) -> None:
        while True:
            task = self._tasks.get()
            if task is None:
                return
            call, arguments = task
            try:
                call(*arguments)
            except Exception as error:  # a user's object may raise when it is unpickled or printed
                _show(
                    f"eisenmp: a message of a worker could not be shown: {type(error).__name__}: {error}", 2
                )
            with self._lock:
                self._pending -= 1
                idle = self._pending == 0
            if idle:
                self.on_idle()

    def close(self) -> None:
        """Do what is left, then end the thread."""
        with self._lock:
            self._closed = True
            thread = self._thread
        if thread is not None:
            self._tasks.put(None)
            if thread is not threading.current_thread():
                thread.join()

    # called from the loop or any thread

    def printed(self, name: str, stream: int, text: str, pid: int = 0) -> None:
        """Lines that a worker printed: shown under its name."""
        if self.settings.log_format == "json":
            self._add(self._print_records, name, stream, text, pid, time())
        else:
            self._add(self._print_lines, name, stream, text)

    def note(self, queue: int, body: bytes) -> None:
        """Something put into mp_print_q, mp_info_q or mp_process_q."""
        if queue == PRINT:
            self._add(self._print_note, body)
        elif queue == INFO:
            self._add(self._info_note, body)
        elif queue == PROCESS:
            self._add(self._process_note, body)

    def output(self, body: bytes, headed: bool = True) -> None:
        """A final output that was sent through 1.0's door."""
        self._add(self._output, body, headed)

    def left(self, name: str, worker_id: int) -> None:
        self._add(self._left, name, worker_id)

    def generator_empty(self, seconds: float) -> None:
        if self.legacy:
            self._add(_show, f"\n\tgenerator empty, run time iterator {round(seconds)} seconds\n")

    def failed(self, error: BaseException) -> None:
        """The manager as a whole failed, and nobody may be there to raise it to."""
        if self.legacy:
            self._add(_show_error, error)

    feed_failed = failed

    def warned(self, text: str) -> None:
        """A RuntimeWarning of the manager: never raised in the loop."""
        self._add(_warn, text)

    def call(self, call: Callable[[], None]) -> None:
        """Have the collector call it, after all that came before."""
        self._add(call)

    # in the thread

    def _print_lines(self, name: str, stream: int, text: str) -> None:
        _show("".join(f"{name} | {line}\n" for line in text.splitlines()), stream, end="")

    def _print_records(self, name: str, stream: int, text: str, pid: int, moment: float) -> None:
        import json

        record = {"time": round(moment, 3), "name": name, "pid": pid, "stream": STREAMS[stream]}
        lines = [json.dumps({**record, "line": line}) + "\n" for line in text.splitlines()]
        _show("".join(lines), stream, end="")

    def _print_note(self, body: bytes) -> None:
        message = loads(body)
        self._boxes.printed(message)
        _show(message)

    def _info_note(self, body: bytes) -> None:
        self._boxes.informed(loads(body))

    def _process_note(self, body: bytes) -> None:
        message = loads(body)
        if isinstance(message, str):
            message = [message]
        if isinstance(message, list | tuple) and len(message) in (1, 2) and _is_text(message[0], "STOP_PROC"):
            self._stop_worker(message[1] if len(message) == 2 else None)

    def _output(self, body: bytes, headed: bool) -> None:
        message = loads(body)
        if not headed:
            return
        self._boxes.output(message)
        if not isinstance(message, list) or len(message) < 2 or not isinstance(message[0], str):
            return
        text, row = message[0], message[1]
        if not text.startswith(OUTPUT_HEADER):
            return
        heading = parse_header(text[len(OUTPUT_HEADER) :])
        if self.settings.results_store:
            if heading is None:
                return  # no ticket: the answer to the list that ends a worker, or no result of a chunk
            self._boxes.store(heading.key, heading.ticket_id, row)
        if self.settings.results_print and text != TOKEN_HEADER:
            rows = row if isinstance(row, list) else [row]
            self._boxes.found(str(entry) for entry in rows if not _is_text(entry, STOP_MSG))

    def _left(self, name: str, worker_id: int) -> None:
        self._boxes.stop_list.append(name)
        if self.legacy:
            _show(f"\texit WORKER {worker_id}")
            self.on_left()


def _is_text(entry: object, text: str) -> bool:
    # not by == alone, which an array answers with an array
    return isinstance(entry, str) and entry == text


def _show(message: Any, stream: int = 1, end: str = "\n") -> None:
    """Print whole; a closed or missing console loses the text, never the job."""
    target = sys.stdout if stream == 1 else sys.stderr
    if target is None:
        return
    try:
        target.write(f"{message}{end}")
        target.flush()
    except (BrokenPipeError, ValueError):
        return


def _warn(text: str) -> None:
    import warnings

    warnings.warn(text, RuntimeWarning, stacklevel=1)


def _show_error(error: BaseException) -> None:
    import traceback

    _show("".join(traceback.format_exception(error)), 2)
