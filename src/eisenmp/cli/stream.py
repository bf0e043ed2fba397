"""A file, a pipe or stdin as numbered lines; a read that waits for a slow writer can be ended."""

from __future__ import annotations

import io
import os
import selectors
import stat

from .exitcodes import FAILED
from .failure import Refusal, file_refusal

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from _typeshed import WriteableBuffer

BOM = b"\xef\xbb\xbf"
STDIN = "-"


class Lines:
    """The lines of `path`, `-` for stdin, as UTF-8; opened at once, read as far as is asked for.

    Raises Refusal for what cannot be opened, and at the line that is not UTF-8.
    """

    def __init__(self, path: str) -> None:
        self.name = "stdin" if path == STDIN else path
        try:
            raw = io.FileIO(0, closefd=False) if path == STDIN else io.FileIO(path)
        except OSError as error:
            raise file_refusal(self.name, error) from error
        self._raw = raw
        self._endable = Endable(raw) if _waits(raw.fileno()) else None
        self._file = io.BufferedReader(raw if self._endable is None else self._endable, 1 << 16)
        self.number = 0  #: of the line that was read last, from 1

    def __iter__(self) -> Iterator[str]:
        """Each line with its end."""
        for number, line in enumerate(self._file, 1):
            self.number = number
            if number == 1:
                line = line.removeprefix(BOM)
            try:
                yield line.decode()
            except UnicodeDecodeError as error:
                byte = f"byte 0x{line[error.start]:02x} at place {error.start + 1}"
                raise Refusal(f"{self.name}:{number}: {byte} is not UTF-8", FAILED) from error

    def end(self) -> None:
        """There are no more lines, also for a thread that waits for one now."""
        if self._endable is not None:
            self._endable.end()

    def close(self) -> None:
        """Let go of the descriptors; no thread may be reading."""
        self._raw.close()
        if self._endable is not None:
            self._endable.release()


class Endable(io.RawIOBase):
    """Reads of `raw` that `end()` turns into the end of the file."""

    def __init__(self, raw: io.FileIO) -> None:
        self._raw = raw
        self._wakes, self._waker = os.pipe()
        self._selector = selectors.DefaultSelector()
        self._selector.register(raw.fileno(), selectors.EVENT_READ, False)
        self._selector.register(self._wakes, selectors.EVENT_READ, True)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer) -> int | None:
        if any(key.data for key, _ in self._selector.select()):
            return 0
        return self._raw.readinto(buffer)

    def end(self) -> None:
        os.write(self._waker, b"\0")

    def release(self) -> None:
        self._selector.close()
        os.close(self._wakes)
        os.close(self._waker)


def _waits(descriptor: int) -> bool:
    """Whether a read may wait for somebody; the others cannot be waited for with a selector."""
    if os.name == "nt":
        return False
    mode = os.fstat(descriptor).st_mode
    return stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode) or os.isatty(descriptor)
