"""`eisenmp.replicate`: a generator that the workers run by themselves, each a copy of its own."""

from __future__ import annotations

from hashlib import sha256

from ..child.loader import load
from ..child.replica import Replica
from ..core.fingerprint import digest
from ..core.span import Span
from ..errors import LoadError
from ..wire.pickles import dumps
from .imprint import imprint
from .source import resolve
from .supply import Supply

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from typing import Any

STRIDE_AUTO = 256  #: rows for one of which there is a mark, where the size of chunks changes


def replicate(generator: Callable[..., Iterable[Any]] | str, *args: Any, **keywords: Any) -> Replicate:
    """A source for `feed` whose rows do not pass through the manager: each worker makes its own.

    `generator` is a function, or text such as 'numbers.py:gen', that is called with the arguments in each
    worker. It must give the same rows in the same order every time: a worker passes over the rows that are
    not its own, and is stopped with a FeedError when it finds others than another worker has found. Rows are
    handed to an `@eisenmp.worker` as they are made. A function that returns what can be sliced (a range, a
    list, an array) is not gone through row by row.

    Raises LoadError for what cannot be found, Unpicklable for arguments that cannot be sent.
    """
    return Replicate(generator, args, keywords)


class Replicate(Supply):
    """What `replicate` returns. Iterating over it runs the generator here."""

    endless = True

    def __init__(self, generator: Any, args: tuple[Any, ...], keywords: dict[str, Any]) -> None:
        if not isinstance(generator, str) and not callable(generator):
            raise LoadError(f"replicate takes a function or text like 'file.py:name', not {generator!r}")
        self._source = resolve(generator)
        self._given = args, keywords
        self._arguments = dumps((args, keywords), "arguments of the generator")

    def __iter__(self) -> Iterator[Any]:
        args, keywords = self._given
        found: Any = load(self._source)(*args, **keywords)
        return iter(found)

    def stock(self, size: int) -> Replica:
        return Replica(self._source, self._arguments, size or STRIDE_AUTO)

    def cutter(self, stock: Replica) -> EndlessCutter:
        head = [imprint(self._source).digests, digest(self._given)]
        return EndlessCutter(sha256(repr(head).encode()).hexdigest())

    def __repr__(self) -> str:
        return f"replicate({imprint(self._source).name!r})"


class EndlessCutter:
    """Cuts spans until it is told where the source ends."""

    sliced = True

    def __init__(self, head: str) -> None:
        self.partial: list[Any] = []
        self._head = [head]
        self._position = 0

    def cut(self, size: int) -> Span:
        span = Span(self._position, size, head=self._head)
        self._position += size
        return span

    def skip(self, size: int) -> int:
        self._position += size
        return size

    def pull(self, rows: list[Any], count: int) -> None:
        """Spans are not put together row by row."""

    def close(self) -> None:
        """Nothing is open."""
