"""The life of a worker: load the modules, call the mates, then the worker until it returns false."""

from __future__ import annotations

from ..core import messages as m
from ..core import queues
from ..core.messages import Message
from ..core.record import NamedTuple
from ..errors import LoadError, Stopped
from ..wire.pickles import dumps, loads
from .channel import Channel
from .contracts import CHUNK, ROW, ChunkWorker, RowWorker, ServerWorker
from .loader import Source, check_signature, load
from .toolbox import ToolBox
from .tools import Tools

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any

    from ..core.site import Serving
    from ..wire.link import Link
    from .serving import Server
    from .spec import Spec
    from .stream import LineStream


class Warmth(NamedTuple):
    """What a process had loaded before the worker was forked from it."""

    modules: Sequence[Callable[..., Any] | Source]  #: what the sources name; a Source is left to the worker
    tools: Tools
    streams: tuple[LineStream, LineStream]  #: its stdout and stderr


class Host:
    """Runs one worker over one link; in a process of its own, or in a thread of the manager."""

    def __init__(
        self,
        spec: Spec,
        link: Link,
        *,
        on_eof: Callable[[], None],
        warmth: Warmth | None = None,
        register: Callable[[str, Callable[[str], object]], None] = queues.register_resolver,
    ) -> None:
        self._spec = spec
        self._register = register
        self._warmth = warmth
        self._server: Server | None = None
        self.on_name: Callable[[str], None] = lambda name: None  #: the process is called so from now on
        tools = Tools(spec.tools) if warmth is None else warmth.tools
        self.channel = Channel(link, spec.queues, on_eof=on_eof, tools=tools)
        self.channel.reports_rows = spec.reports_rows
        self.channel.chunks_max = spec.chunks_max

    def run(self) -> bool:
        """Everything from loading to leaving; False when the start failed."""
        channel = self.channel
        try:
            toolbox, cycle = self._start()
        except Stopped:
            return True
        except Exception as error:
            channel.post(Message(m.FAILED_START, body=dumps(start_failure(error))))
            channel.flush()
            return False
        if self._server is not None:
            return self._serve(self._server, toolbox)
        channel.post(Message(m.UP, a=toolbox.WORKER_PID, flags=_is_chunk_worker(cycle)))
        channel.flush()
        finished = self._loop(toolbox, cycle)
        channel.leaving = True
        if not channel.taken_elsewhere:
            # a generator may have threads of its own that end with it; else it is closed when all have ended
            channel.stocks.close()
        channel.give_back()
        full = channel.is_full and not finished
        why = m.LEFT_BY_ORDER if channel.stopping else m.LEFT_AT_LIMIT if full else 0
        channel.post(Message(m.LEFT, a=why))
        channel.flush()
        return True

    def _serve(self, server: Server, toolbox: ToolBox) -> bool:
        """Run the server; however it ended, it is not called again."""
        channel = self.channel
        wrong = server.run(toolbox)
        channel.leaving = True
        channel.end_cycle()
        if wrong:
            channel.post(Message(m.RAISED, body=dumps(((), None, wrong, ""))))
        channel.give_back()
        channel.post(Message(m.LEFT, a=0 if wrong else m.LEFT_BY_ORDER))
        channel.flush()
        return True

    def _start(self) -> tuple[ToolBox, Callable[[ToolBox], Any]]:
        spec, channel = self._spec, self.channel
        toolbox: ToolBox | None = None

        def resolve(name: str) -> object:
            known = next(known for known in channel.names if known.name == name)
            from .queue import worker_queue

            return worker_queue(channel, known, spec.manager)

        self._register(spec.manager, resolve)
        warmth = self._warmth
        given = spec.sources if warmth is None else warmth.modules
        loaded = [load(module) if isinstance(module, Source) else module for module in given]
        worker, mates = loaded[0], loaded[1:]
        if spec.contract == ROW:
            worker = RowWorker(worker.__wrapped__ if isinstance(worker, ChunkWorker) else worker)
        if spec.serving is not None:
            from .serving import Server

            function = serve_function(worker, spec.serving)
            if spec.serving.place < 0:
                from .standby import stand_by

                spec = stand_by(spec, channel)
                self.on_name(spec.name)
            assert spec.serving is not None
            self._server = Server(function, spec.serving, channel)
        else:
            arguments = worker.arguments if isinstance(worker, ChunkWorker) else ("toolbox",)
            check_signature(worker.__wrapped__ if isinstance(worker, ChunkWorker) else worker, arguments)
        for mate in mates:
            check_signature(mate, ("toolbox",), role="mate")
        toolbox = ToolBox(spec, channel, loads(spec.variables))
        for mate in reversed(mates):
            mate(toolbox)
        return toolbox, worker.cycle if isinstance(worker, ChunkWorker) else worker

    def _loop(self, toolbox: ToolBox, cycle: Callable[[ToolBox], Any]) -> bool:
        """Call the worker; whether it has said itself that it is finished."""
        channel = self.channel
        end_cycle, limited = channel.end_cycle, channel.chunks_max > 0
        while not (channel.stopping or (limited and channel.is_full)):
            if channel.paused:
                channel.flush()
                channel.pump.wait_until(lambda: not channel.paused or channel.stopping)
                continue
            try:
                busy = cycle(toolbox)
            except Stopped:
                if not channel.stopping:
                    raise
                break
            except Exception as error:
                channel.tools.explain(error)
                took_something = channel.current is not None
                channel.fail_cycle(*failure(error))
                if not took_something:
                    # it would raise again at once, for ever
                    break
                continue
            end_cycle(not busy or (limited and channel.is_full))
            if not busy:
                return True
        return False


def serve_function(worker: Any, serving: Serving) -> Callable[..., Any]:
    """The function of (toolbox, sockets, stop) that serves what was loaded."""
    if not serving.server:
        function: Callable[..., Any] = worker.__wrapped__ if isinstance(worker, ServerWorker) else worker
        check_signature(function, ServerWorker.arguments, role="server")
        return function
    # an upper layer, by name; it imports what its server needs
    from importlib import import_module

    adapt: Callable[..., Callable[..., Any]] = import_module("eisenmp.servers.adapters").adapt
    return adapt(worker, serving.server, serving.factory)


def _is_chunk_worker(cycle: Any) -> int:
    contract = getattr(getattr(cycle, "__self__", None), "contract", "")
    return int(contract == CHUNK)


def failure(error: BaseException) -> tuple[bytes | None, str, str]:
    """The error pickled if it can be, in one line, and with its traceback, for the other side."""
    import traceback

    text = "".join(traceback.format_exception(error))
    try:
        body = dumps(error)
        loads(body)
    except Exception:  # a user's exception may fail in any way on its way through pickle: the text remains
        return None, _one_line(error), text
    return body, _one_line(error), text


def _one_line(error: BaseException) -> str:
    try:
        text = str(error)
    except Exception as broken:  # a user's __str__ may raise anything
        text = f"<its __str__ raised {type(broken).__name__}>"
    return f"{type(error).__name__}: {text}".rstrip(": ")


def start_failure(error: Exception) -> tuple[str, str, str | None, int | None]:
    """Message, traceback, path and line, for the LoadError on the other side."""
    if isinstance(error, LoadError):
        return str(error), error.traceback_text, error.path, error.line
    _, text, traceback_text = failure(error)
    last = error.__traceback__
    while last is not None and last.tb_next is not None:
        last = last.tb_next
    path = None if last is None else last.tb_frame.f_code.co_filename
    line = None if last is None else last.tb_lineno
    return f"{path}:{line}: a mate raised {text}", traceback_text, path, line
