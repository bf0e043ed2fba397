"""stdout and stderr of a worker: whole lines, sent to the manager under the worker's name."""

from __future__ import annotations

import io
from threading import get_ident

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Protocol

    class Sink(Protocol):
        """Where whole lines go, such as a Channel; 1 is stdout, 2 is stderr."""

        def log(self, stream: int, text: str) -> None: ...

        def flush(self) -> None: ...


class LineStream(io.TextIOWrapper):
    """Gathers what each thread prints until a line is whole, so that lines never interleave."""

    def __init__(self, descriptor: int, stream: int, sink: Sink) -> None:
        super().__init__(
            io.FileIO(descriptor, "wb", closefd=False),
            encoding="utf-8",
            errors="backslashreplace",
            write_through=True,
        )
        self._stream = stream
        self.sink = sink
        self._parts: dict[int, list[str]] = {}

    def write(self, text: str) -> int:
        """Keep `text` until a line end comes; send all whole lines at once."""
        parts = self._parts
        ident = get_ident()
        if "\n" not in text:
            parts.setdefault(ident, []).append(text)
            return len(text)
        whole, newline, rest = text.rpartition("\n")
        before = parts.pop(ident, None)
        if before is not None:
            whole = "".join(before) + whole
        if rest:
            parts[ident] = [rest]
        self.sink.log(self._stream, whole + newline)
        # at once: after a crash it is all that is known
        self.sink.flush()
        return len(text)

    def flush(self) -> None:
        """Send what was written, except for lines that are not whole yet."""
        if not self.closed:
            self.sink.flush()

    def finish(self) -> None:
        """Send lines without an end too: the process is leaving."""
        # of a list: daemon threads may print on
        for ident in list(self._parts):
            if not (parts := self._parts.pop(ident, [])):
                continue
            self.sink.log(self._stream, "".join(parts) + "\n")
        self.sink.flush()
