"""Worker modules behind https: fetched once by the manager, checked against their hash, kept for next time.

Workers get the text of the module and never ask the network. Only the hash makes a module of somebody else's
server a module that one has read, so without a hash it is refused unless `allow_unpinned=True`.
"""

from __future__ import annotations

import hashlib
import os
import ssl
import sys
import time
from dataclasses import KW_ONLY, dataclass
from functools import partial
from http.client import HTTPException, HTTPSConnection
from socket import SOCK_STREAM, getaddrinfo
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit
from urllib.request import (
    HTTPDefaultErrorHandler,
    HTTPErrorProcessor,
    HTTPRedirectHandler,
    HTTPSHandler,
    OpenerDirector,
    ProxyHandler,
    Request,
)

from ..child.import_failure import load_error
from ..errors import LoadError, SettingsError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from http.client import HTTPMessage, HTTPResponse
    from typing import IO, Any

    from _typeshed import WriteableBuffer

REDIRECTS_MAX = 5
BLOCK = 64 * 1024  # bytes read at once


@dataclass(frozen=True)
class Remote:
    """A worker module behind https.

    `url` may carry name and hash, `https://host/find.py:find#sha256=…` or `https://host/find.py#sha256=…:find`;
    `sha256` is the hash of the file in hexadecimal, `name` the function in it. `cafile` is a file with the
    certificates to trust instead of those of the system, `timeout` the seconds for the whole transfer,
    redirects included, `size_max` the bytes it may have. With `allow_unpinned` it may go without a hash; then
    it is fetched anew by each manager.

    Raises SettingsError for a value that makes no sense and LoadError for a url that will not be asked.
    Proxies are taken from the environment, as all of Python does.
    """

    url: str
    sha256: str | None = None
    name: str | None = None
    _: KW_ONLY
    cafile: str | os.PathLike[str] | None = None
    timeout: float = 30.0
    size_max: int = 10 * 1024 * 1024
    allow_unpinned: bool = False

    def __post_init__(self) -> None:
        _refuse_unsafe(self.url.partition("#")[0])
        url, fragment, name = _split_url(self.url, self.name)
        pinned = [text.lower() for text in (self.sha256, fragment) if text]
        for text in pinned:
            if len(text) != 64 or not set(text) <= set("0123456789abcdef"):
                raise SettingsError(f"sha256 is 64 hexadecimal digits, not '{text}' ({url})")
        if len(set(pinned)) > 1:
            raise SettingsError(f"{url}: sha256= and the url name two different hashes")
        if not self.timeout > 0:
            raise SettingsError(f"timeout is a number of seconds above 0, not {self.timeout!r} ({url})")
        if not self.size_max > 0:
            raise SettingsError(f"size_max is a number of bytes above 0, not {self.size_max!r} ({url})")
        object.__setattr__(self, "url", url)
        object.__setattr__(self, "name", name)
        object.__setattr__(self, "sha256", pinned[0] if pinned else None)


def fetch(remote: Remote, *, allow_unpinned: bool = False) -> bytes:
    """The bytes of the module, from the cache or from its server; LoadError names the url and the reason."""
    pinned = remote.sha256
    if pinned is None:
        if not (allow_unpinned or remote.allow_unpinned):
            raise _refused(remote.url, "has no hash; add '#sha256=…' to the url, or give allow_unpinned=True")
        return _download(remote)
    content = _cached(pinned, remote.size_max)
    if content is None:
        content = _download(remote)
        found = hashlib.sha256(content).hexdigest()
        if found != pinned:
            raise _refused(remote.url, f"its sha256 is {found}, expected is {pinned}")
        _keep(pinned, content)
    return content


def _split_url(text: str, name: str | None) -> tuple[str, str, str | None]:
    """Url, hash and name, wherever the name stands; a port or a colon inside a query is no name."""
    url, _, fragment = text.partition("#")
    kind, _, rest = fragment.partition("=")
    digest, _, behind = rest.partition(":")
    if fragment and kind.lower() != "sha256":
        raise load_error(f"{url}: behind the '#' of a worker module stands sha256=…, not '{fragment}'")
    if name is not None:
        return url.removesuffix(f":{name}"), digest, name
    if behind:
        return url, digest, behind
    front, _, last = url.rpartition(":")
    if "/" in front.partition("://")[2] and all(part.isidentifier() for part in last.split(".")):
        return front, digest, last
    return url, digest, None


def _refuse_unsafe(url: str) -> None:
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError as error:
        raise _refused(url, str(error)) from error
    if parts.username is not None or parts.password is not None:
        raise load_error(f"a url with a user name or password is refused (host {host})")
    if parts.scheme.lower() != "https":
        raise _refused(url, f"plain {parts.scheme} is refused, only https is fetched")
    if not host or port == 0:
        raise _refused(url, "names no host")


def _refused(url: str, reason: str) -> LoadError:
    return load_error(f"{url}: {reason}", path=url)


class _Deadline:
    """The moment at which everything must have come."""

    def __init__(self, seconds: float) -> None:
        self._end = time.monotonic() + seconds

    def left(self) -> float:
        """Seconds left, above 0; TimeoutError when there are none."""
        left = self._end - time.monotonic()
        if left <= 0:
            raise TimeoutError
        return left


class _Socket(ssl.SSLSocket):
    """Waits no longer than the deadline allows, also for a server that sends a byte now and then."""

    deadline: _Deadline | None = None

    def recv_into(self, buffer: WriteableBuffer, nbytes: int | None = None, flags: int = 0) -> int:
        if self.deadline is not None:
            self.settimeout(self.deadline.left())
        return super().recv_into(buffer, nbytes, flags)


class _Connection(HTTPSConnection):
    def __init__(self, host: str, *, deadline: _Deadline, **options: Any) -> None:
        super().__init__(host, **options)
        self._deadline = deadline

    def connect(self) -> None:
        # A host may have many addresses, each tried for the whole timeout, and the handshake comes on top.
        # Only the name server's answer cannot be limited from here; the resolver has limits of its own.
        waits = len(getaddrinfo(self.host, self.port, type=SOCK_STREAM)) + 1
        self.timeout = self._deadline.left() / waits
        super().connect()
        if isinstance(self.sock, _Socket):
            self.sock.deadline = self._deadline


class _Https(HTTPSHandler):
    def __init__(self, deadline: _Deadline, cafile: str | None) -> None:
        self._deadline = deadline
        self._trusted = ssl.create_default_context(cafile=cafile)
        self._trusted.sslsocket_class = _Socket
        super().__init__(context=self._trusted)

    def https_open(self, req: Request) -> HTTPResponse:
        return self.do_open(partial(_Connection, deadline=self._deadline), req, context=self._trusted)


class _Redirects(HTTPRedirectHandler):
    def __init__(self, url: str) -> None:
        self._url = url
        self._count = 0

    def redirect_request(
        self, req: Request, fp: IO[bytes], code: int, msg: str, headers: HTTPMessage, newurl: str
    ) -> Request | None:
        # Closed at once: the base class would read the whole body of the redirect, however long it is.
        fp.close()
        self._count += 1
        if self._count > REDIRECTS_MAX:
            raise _refused(self._url, f"more than {REDIRECTS_MAX} redirects")
        try:
            _refuse_unsafe(newurl)
        except LoadError as error:
            raise _refused(self._url, f"redirects to what is not fetched: {error}") from error
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _download(remote: Remote) -> bytes:
    url = remote.url
    deadline = _Deadline(remote.timeout)
    try:
        https = _Https(deadline, os.fspath(remote.cafile) if remote.cafile is not None else None)
    except OSError as error:
        raise _refused(url, f"cafile {remote.cafile} holds no certificates to read: {error}") from error
    opener = OpenerDirector()
    for handler in (ProxyHandler(), https, HTTPDefaultErrorHandler(), _Redirects(url), HTTPErrorProcessor()):
        opener.add_handler(handler)
    try:
        request = Request(url, headers={"User-Agent": "eisenmp", "Accept-Encoding": "identity"})
        with opener.open(request, timeout=deadline.left()) as response:
            return _read(response, remote)
    except HTTPError as error:
        error.close()
        raise _refused(url, f"the server answers {error.code} {error.reason}") from None
    except (OSError, HTTPException, ValueError) as error:
        raise _refused(url, _reason(error, remote)) from error


def _read(response: HTTPResponse, remote: Remote) -> bytes:
    too_long = f"is longer than size_max, {remote.size_max:,} bytes"
    announced = response.headers.get("Content-Length", "")
    if announced.isdecimal() and int(announced) > remote.size_max:
        raise _refused(remote.url, too_long)
    content = bytearray()
    while block := response.read(BLOCK):
        content += block
        if len(content) > remote.size_max:
            raise _refused(remote.url, too_long)
    if announced.isdecimal() and len(content) < int(announced):
        raise _refused(remote.url, f"the transfer broke off after {len(content):,} of {announced} bytes")
    return bytes(content)


def _reason(error: Exception, remote: Remote) -> str:
    cause = error.reason if isinstance(error, URLError) else error
    if isinstance(cause, ssl.SSLCertVerificationError):
        return f"its certificate is refused: {cause.verify_message}"
    if isinstance(cause, TimeoutError):
        return f"took longer than timeout, {remote.timeout:g} s"
    return f"{type(cause).__name__}: {cause}" if isinstance(cause, Exception) else str(cause)


def cache_folder() -> str:
    """Where pinned modules are kept, one file per hash; empty when this user has no home."""
    home = os.path.expanduser("~")
    if sys.platform == "win32":
        folder = os.environ.get("LOCALAPPDATA") or os.path.join(home, "AppData", "Local")
    elif sys.platform == "darwin":
        folder = os.path.join(home, "Library", "Caches")
    else:
        folder = os.environ.get("XDG_CACHE_HOME") or ""
        if not os.path.isabs(folder):  # the XDG rules: a relative one is ignored
            folder = os.path.join(home, ".cache")
    return os.path.join(folder, "eisenmp", "modules") if os.path.isabs(folder) else ""


def _cached(pinned: str, size_max: int) -> bytes | None:
    """The kept file if it still is what its hash says; whoever changed it only causes another transfer."""
    try:
        with open(os.path.join(cache_folder(), pinned + ".py"), "rb") as file:
            content = file.read(size_max + 1)
    except OSError:
        return None
    return content if hashlib.sha256(content).hexdigest() == pinned else None


def _keep(pinned: str, content: bytes) -> None:
    import tempfile

    folder = cache_folder()
    if not folder:
        return
    try:
        ours = os.path.dirname(folder)
        for made in (os.path.dirname(ours), ours, folder):
            os.makedirs(made, mode=0o700, exist_ok=True)
        for made in (ours, folder):
            os.chmod(made, 0o700)
        handle, name = tempfile.mkstemp(dir=folder)  # readable by its owner only
        try:
            with open(handle, "wb") as file:
                file.write(content)
            os.replace(name, os.path.join(folder, pinned + ".py"))
        except OSError:
            os.unlink(name)
            raise
    except OSError:
        # A full or read-only disk costs the next manager a transfer, and this one nothing.
        return
