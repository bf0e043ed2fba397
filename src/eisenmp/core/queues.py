"""Names of queues: plain, in categories, unique."""

from __future__ import annotations

from ..errors import QueueExists, QueueUnknown
from .record import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

INPUT = "mp_input_q (default)"  #: as it stands in headers; the attribute is `mp_input_q`
OUTPUT = "mp_output_q"
PROCESS = "mp_process_q"
TOOLS = "mp_tools_q"
PRINT = "mp_print_q"
INFO = "mp_info_q"
STANDARD = (INPUT, OUTPUT, PROCESS, TOOLS, PRINT, INFO)


class QueueName(NamedTuple):
    """One queue: its number on the wire, its name in headers ('batch_1|audio_lg'), where users find it."""

    number: int
    name: str
    category: str | None
    short: str
    maxsize: int

    @property
    def attribute(self) -> str:
        """The attribute of the toolbox: 'mp_input_q' for the queue named 'mp_input_q (default)'."""
        return self.short


def full_name(name: str, category: str | None = None) -> str:
    """The name in headers: 'batch_1|audio_lg', or the plain name."""
    return name if category is None else f"{category}|{name}"


class QueueNames:
    """All queues of one manager, by number, by full name, by category."""

    def __init__(self) -> None:
        self._by_name: dict[str, QueueName] = {}
        self._by_index: list[QueueName] = []
        for name in STANDARD:
            self._append(name, None, name.split(" ")[0], 1)

    def _append(self, name: str, category: str | None, short: str, maxsize: int) -> QueueName:
        entry = QueueName(len(self._by_index), name, category, short, maxsize)
        self._by_name[name] = entry
        self._by_index.append(entry)
        return entry

    def create(self, name: str, category: str | None = None, maxsize: int = 1) -> QueueName:
        """A new queue. Raises QueueExists when the name is taken, TypeError or ValueError when it is none."""
        if not isinstance(name, str) or not (category is None or isinstance(category, str)):
            raise TypeError(f"a queue's name and category are text, not {name!r} and {category!r}")
        if not name or (category is not None and not category) or "|" in name or ";" in name:
            raise ValueError(f"{name!r} cannot name a queue: it is empty or has '|' or ';' in it")
        if isinstance(maxsize, bool) or not isinstance(maxsize, int):
            raise TypeError(f"maxsize of queue {name!r} must be a whole number, not {maxsize!r}")
        full = full_name(name, category)
        taken = full in self._by_name or any(
            full == entry.short
            or (category is not None and category == entry.name)
            or (category is None and full == entry.category)
            for entry in self._by_index
        )
        if taken:
            raise QueueExists(f"queue {full!r} exists already")
        return self._append(full, category, name, maxsize)

    def __getitem__(self, index: int) -> QueueName:
        return self._by_index[index]

    def __iter__(self) -> Iterator[QueueName]:
        return iter(self._by_index)

    def __len__(self) -> int:
        return len(self._by_index)

    def find(self, name: str) -> QueueName:
        """By full name or by the standard attribute; raises QueueUnknown that names the nearest."""
        entry = self._by_name.get(name) or next(
            (entry for entry in self._by_index if entry.category is None and entry.short == name), None
        )
        if entry is None:
            raise QueueUnknown(f"there is no queue {name!r}; there are {', '.join(map(repr, self._by_name))}")
        return entry


_resolvers: dict[str, Callable[[str], object]] = {}


def register_resolver(manager: str, resolve: Callable[[str], object]) -> None:
    """Let pickled queues of this manager find themselves in this process."""
    _resolvers[manager] = resolve


def resolver(manager: str) -> Callable[[str], object] | None:
    """How queues of this manager find themselves in this process now."""
    return _resolvers.get(manager)


def unregister_resolver(manager: str) -> None:
    _resolvers.pop(manager, None)


def resolve_queue(manager: str, name: str) -> object:
    """What a pickled queue becomes: the queue of that name in the process that unpickles it."""
    resolve = _resolvers.get(manager)
    if resolve is None:
        raise QueueUnknown(f"queue {name!r} belongs to a manager that this process has no part in")
    return resolve(name)
